import { create } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test, vi } from "vitest";
import { inPieces, keepHeapSmall, matches } from "./Pages.ts";

const named = (name: string): ReturnType<typeof create<typeof EngineSchema>> =>
  create(EngineSchema, { name, type: "assembler", status: "active" });

const fits = (glob: string, name: string): boolean => matches({ name: glob })(named(name));

test("a glob matches whole names, with * and ? alone as signs", () => {
  expect(fits("zip*", "zipper")).toBe(true);
  expect(fits("zip", "zipper")).toBe(false);
  expect(fits("*per", "zipper")).toBe(true);
  expect(fits("z?pper", "zipper")).toBe(true);
  expect(fits("z.pper", "zipper")).toBe(false);
  expect(fits("[a-z]*", "zipper")).toBe(false);
  expect(fits("(a+)+$", "aaaa")).toBe(false);
});

test("a name matches itself as a glob, and the star matches every name", () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/), (name) => {
      expect(matches({ name })(named(name))).toBe(true);
      expect(matches({ name: "*" })(named(name))).toBe(true);
    }),
  );
});

test("all filters must hold", () => {
  expect(matches({ type: "assembler", status: "active", name: "z*" })(named("zipper"))).toBe(true);
  expect(matches({ type: "partitioner" })(named("zipper"))).toBe(false);
  expect(matches({ status: "inactive" })(named("zipper"))).toBe(false);
  expect(matches({})(named("zipper"))).toBe(true);
});

const sizes = (count: number): ReadonlyArray<number> =>
  [...inPieces(Array.from({ length: count }))].map((piece) => piece.length);

test("a page comes in pieces of a hundred", () => {
  expect([0, 1, 100, 101, 250].map(sizes)).toEqual([[], [1], [100], [100, 1], [100, 100, 50]]);
});

test("a command that reads page after page keeps its heap small", () => {
  const set = vi.spyOn(process.getBuiltinModule("node:v8"), "setFlagsFromString").mockImplementation(() => {});
  keepHeapSmall();
  const flags = ["--semi-space-growth-factor=1", "--no-maglev", "--heap-growing-percent=10"];
  expect(set.mock.calls).toEqual(flags.map((flag) => [flag]));
  set.mockRestore();
});
