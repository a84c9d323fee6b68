import { expect, test } from "vitest";
import { isNotModified, notModifiedFields } from "./Conditions.ts";

const earlier = "Sun, 06 Nov 1994 08:00:00 GMT";
const moment = "Sun, 06 Nov 1994 08:49:37 GMT";
const later = "Sun, 06 Nov 1994 09:00:00 GMT";

test.each<[{ ifNoneMatch?: string; ifModifiedSince?: string }, Record<string, string>, boolean]>([
  [{}, { etag: '"a"' }, false],
  [{ ifNoneMatch: '"a"' }, { etag: '"a"' }, true],
  [{ ifNoneMatch: '"b", W/"a"' }, { etag: '"a"' }, true],
  [{ ifNoneMatch: '"a"' }, { etag: 'W/"a"' }, true],
  [{ ifNoneMatch: '"a,b"' }, { etag: '"a,b"' }, true],
  [{ ifNoneMatch: '"b"' }, { etag: '"a"' }, false],
  [{ ifNoneMatch: "*" }, {}, true],
  [{ ifNoneMatch: " * " }, {}, true],
  [{ ifNoneMatch: '"a"' }, {}, false],
  [{ ifModifiedSince: moment }, { "last-modified": moment }, true],
  [{ ifModifiedSince: later }, { "last-modified": moment }, true],
  [{ ifModifiedSince: earlier }, { "last-modified": moment }, false],
  [{ ifModifiedSince: "yesterday" }, { "last-modified": moment }, false],
  // RFC 9111, 4.3.2: Date stands in for Last-Modified.
  [{ ifModifiedSince: moment }, { date: moment }, true],
  [{ ifModifiedSince: earlier }, { date: moment }, false],
  // RFC 9110, 13.2.2: If-None-Match counts alone.
  [{ ifNoneMatch: '"b"', ifModifiedSince: later }, { etag: '"a"', "last-modified": moment }, false],
])("the condition %j on %j gets 304: %s", ({ ifNoneMatch, ifModifiedSince }, stored, expected) => {
  const condition = { ifNoneMatch: ifNoneMatch ?? null, ifModifiedSince: ifModifiedSince ?? null };
  expect(isNotModified(condition, new Headers(stored))).toBe(expected);
});

test("without Last-Modified and Date, the time of receipt decides (RFC 9111, 4.3.2)", () => {
  const condition = { ifNoneMatch: null, ifModifiedSince: moment };
  expect(isNotModified(condition, new Headers(), Date.parse(moment))).toBe(true);
  expect(isNotModified(condition, new Headers(), Date.parse(later))).toBe(false);
  expect(isNotModified(condition, new Headers())).toBe(false);
  const invalid = { ifNoneMatch: null, ifModifiedSince: "x" };
  expect(isNotModified(invalid, new Headers(), Date.parse(moment))).toBe(false);
});

test("a 304 has no fields about content, and leaves those of the response", () => {
  const about = { "content-encoding": "gzip", "content-language": "de", "content-length": "2", "content-type": "a/b" };
  const headers = new Headers({ ...about, "content-range": "bytes 0-1/2", etag: '"a"', vary: "accept" });
  expect([...notModifiedFields(headers).keys()]).toEqual(["etag", "vary"]);
  expect(headers.get("content-length")).toBe("2");
});
