import * as fc from "fast-check";
import { expect, test } from "vitest";
import { matchPath, pathOf, readNames } from "./Endpoint.ts";

const tags = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_-]{1,64}(@[0-9]{1,3}(\.[0-9]{1,3})?)?$/),
  fc.string({ unit: "binary", minLength: 1, maxLength: 12 }),
);

test("a path leads back to its row and tag, or there is none", () => {
  fc.assert(
    fc.property(fc.constantFrom("get", "status"), tags, (name, tag) => {
      const path = pathOf(name, tag);
      const impossible = tag === "." || tag === ".." || /[/\\\0]/.test(tag);
      expect(path === undefined).toBe(impossible);
      expect(path === undefined ? undefined : matchPath(path)).toEqual(impossible ? undefined : { name, tag });
    }),
    { numRuns: 2_000 },
  );
});

test("a path is what a URL parser leaves as it is", () => {
  fc.assert(
    fc.property(tags, (tag) => {
      const path = pathOf("get", tag);
      fc.pre(path !== undefined);
      expect(new URL(`http://h/v1${path}`).pathname).toBe(`/v1${path}`);
    }),
    { numRuns: 2_000 },
  );
});

test("@ is kept as it is", () => {
  expect(pathOf("status", "zipper@0.1")).toBe("/engines/zipper@0.1/status");
  expect(pathOf("list")).toBe("/engines");
});

test.for<[path: string, match: ReturnType<typeof matchPath>]>([
  ["/engines", { name: "list" }],
  ["/engines/a", { name: "get", tag: "a" }],
  ["/engines/a%40b", { name: "get", tag: "a@b" }],
  ["/engines/a/status", { name: "status", tag: "a" }],
  ["/engines/a/download", undefined],
  ["/engines/", undefined],
  ["/engines//status", undefined],
  ["/engines/a/", undefined],
  ["/engines/a/status/", undefined],
  ["/engines/a/other", undefined],
  ["/engines/%2e%2e", undefined],
  ["/engines/%2E/status", undefined],
  ["/engines/a%2Fb", undefined],
  ["/engines/a%5cb", undefined],
  ["/engines/a%00", undefined],
  ["/engines/%", undefined],
  ["/engines/%ff", undefined],
  ["engines", undefined],
  ["/Engines", undefined],
  ["", undefined],
])("%s belongs to %j", ([path, match]) => {
  expect(matchPath(path)).toEqual(match);
});

test("three calls only read engines", () => {
  expect(readNames).toEqual(["list", "get", "status"]);
});

test("text that is not well-formed Unicode has no path", () => {
  expect(pathOf("get", "a\ud800")).toBeUndefined();
});
