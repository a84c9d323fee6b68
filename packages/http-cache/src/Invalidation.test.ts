import { expect, test } from "vitest";
import { cacheGroups, invalidatedGroups, invalidatedUrls, isUnsafe } from "./Invalidation.ts";

test.each([
  ["GET", false],
  ["HEAD", false],
  ["OPTIONS", false],
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
  const headers = new Headers({ "cache-group-invalidation": '"a"' });
  expect(invalidatedGroups("POST", 200, headers)).toEqual(["a"]);
  expect(invalidatedGroups("POST", 500, headers)).toEqual([]);
  expect(invalidatedGroups("GET", 200, headers)).toEqual([]);
});
