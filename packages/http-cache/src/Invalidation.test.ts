import { expect, test } from "vitest";
import { cacheGroups, invalidatedGroups, invalidatedUrls, isUnsafe } from "./Invalidation.ts";

test.each([
  ["GET", false],
  ["HEAD", false],
  ["OPTIONS", false],
  ["TRACE", false],
  ["POST", true],
  ["M-SEARCH", true],
])("%s can change what is stored: %s", (method, expected) => {
  expect(isUnsafe(method)).toBe(expected);
});

test.each([
  [200, {}, ["https://a.example/x"]],
  [204, { location: "/y#top" }, ["https://a.example/x", "https://a.example/y"]],
  [201, { "content-location": "z" }, ["https://a.example/x", "https://a.example/z"]],
  // RFC 9111, 4.4: never for another origin.
  [200, { location: "https://b.example/y" }, ["https://a.example/x"]],
  [302, {}, ["https://a.example/x"]],
  [399, {}, ["https://a.example/x"]],
  [199, {}, []],
  [400, { location: "/y" }, []],
  [500, {}, []],
])("after %i with %j the URLs %j are invalid", (status, headers, expected) => {
  expect(invalidatedUrls("https://a.example/x", status, new Headers(headers as Record<string, string>))).toEqual(
    expected,
  );
});

test("groups are lists of strings (RFC 9875)", () => {
  expect(cacheGroups(new Headers({ "cache-groups": '"a", "b";x=1, c, 1' }))).toEqual(["a", "b"]);
  expect(cacheGroups(new Headers({ "cache-groups": "&&&" }))).toEqual([]);
  expect(cacheGroups(new Headers())).toEqual([]);
  const headers = new Headers({ "cache-group-invalidation": '"a"' });
  expect([199, 200, 399, 400].map((status) => invalidatedGroups("POST", status, headers).length)).toEqual([0, 1, 1, 0]);
  expect(invalidatedGroups("POST", 200, headers)).toEqual(["a"]);
  expect(invalidatedGroups("POST", 500, headers)).toEqual([]);
  expect(invalidatedGroups("GET", 200, headers)).toEqual([]);
});

test("64 groups are read of one field", () => {
  const groups = Array.from({ length: 100 }, (_, index) => `"${index}"`).join(", ");
  expect(cacheGroups(new Headers({ "cache-groups": groups }))).toHaveLength(64);
});

test("an invalid target invalidates nothing", () => {
  expect(invalidatedUrls("*", 200, new Headers({ location: "https://a.example/" }))).toEqual([]);
});
