import * as fc from "fast-check";
import { expect, test } from "vitest";
import { parseContentRange, parseRange, rangeFor, sliceOf } from "./Range.ts";

test.each([
  ["bytes=0-499", { first: 0, last: 499 }],
  ["bytes=500-", { first: 500, last: undefined }],
  ["Bytes = -500 ", { suffixLength: 500 }],
  ["bytes=5-2", undefined],
  ["bytes=-", undefined],
  ["bytes=0-1,4-5", undefined],
  ["lines=0-1", undefined],
  [" bytes=0-1", { first: 0, last: 1 }],
  ["bytes=5-5", { first: 5, last: 5 }],
  ["bytes=10-12", { first: 10, last: 12 }],
  ["x bytes=0-1", undefined],
  ["xbytes=0-1", undefined],
  ["bytes=0-1 x", undefined],
  [null, undefined],
])("reads Range: %s", (field, expected) => {
  expect(parseRange(field)).toEqual(expected);
});

test.each([
  ["bytes 4-9/10", { first: 4, total: 10 }],
  ["bytes 0-4/*", { first: 0, total: undefined }],
  ["bytes */10", undefined],
  [" bytes  10-12/200 ", { first: 10, total: 200 }],
  ["x bytes 0-1/2", undefined],
  ["xbytes 0-1/2", undefined],
  ["bytes 0-1/2 x", undefined],
  ["bytes 0-1/2x", undefined],
  ["bytes0-1/2", undefined],
  [null, undefined],
])("reads Content-Range: %s", (field, expected) => {
  expect(parseContentRange(field)).toEqual(expected);
});

test.each<[string, Record<string, string>, string | undefined, string | null]>([
  ["GET", {}, '"a"', "bytes=0-1"],
  ["GET", {}, undefined, "bytes=0-1"],
  ["HEAD", {}, '"a"', null],
  ["POST", {}, '"a"', null],
  ["GET", { "if-range": '"a"' }, '"a"', "bytes=0-1"],
  ["GET", { "if-range": '"b"' }, '"a"', null],
  ["GET", { "if-range": '"a"' }, undefined, null],
  ["GET", { "if-range": 'W/"a"' }, 'W/"a"', null],
  ["GET", { "if-range": "Sun, 06 Nov 1994 08:49:37 GMT" }, '"a"', null],
])("the Range of a %s with %j applies to the entity tag %s: %s", (method, fields, etag, expected) => {
  expect(rangeFor(method, new Headers({ range: "bytes=0-1", ...fields }), etag)).toBe(expected);
  expect(rangeFor(method, new Headers(fields), etag)).toBeNull();
});

test.each([
  // Out of the whole of ten bytes.
  ["bytes=0-1", 0, 10, 10, { start: 0, end: 2, contentRange: "bytes 0-1/10" }],
  ["bytes=8-", 0, 10, 10, { start: 8, end: 10, contentRange: "bytes 8-9/10" }],
  ["bytes=8-100", 0, 10, 10, { start: 8, end: 10, contentRange: "bytes 8-9/10" }],
  ["bytes=-3", 0, 10, 10, { start: 7, end: 10, contentRange: "bytes 7-9/10" }],
  ["bytes=-30", 0, 10, 10, { start: 0, end: 10, contentRange: "bytes 0-9/10" }],
  ["bytes=10-", 0, 10, 10, "unsatisfiable"],
  ["bytes=-0", 0, 10, 10, "unsatisfiable"],
  ["bytes=5-5", 0, 10, 10, { start: 5, end: 6, contentRange: "bytes 5-5/10" }],
  ["bytes=-1", 0, 0, 0, "unsatisfiable"],
  // Out of the beginning of ten bytes, and of a length that is not known.
  ["bytes=1-2", 0, 10, 5, { start: 1, end: 3, contentRange: "bytes 1-2/10" }],
  ["bytes=10-", 0, 10, 5, undefined],
  ["bytes=1-", 0, undefined, 5, { start: 1, end: 5, contentRange: "bytes 1-4/*" }],
  ["bytes=5-", 0, undefined, 5, undefined],
  // Out of the part that begins at the fifth of ten bytes.
  ["bytes=6-8", 5, 10, 5, { start: 1, end: 4, contentRange: "bytes 6-8/10" }],
  ["bytes=6-", 5, 10, 5, { start: 1, end: 5, contentRange: "bytes 6-9/10" }],
  ["bytes=-2", 5, 10, 5, { start: 3, end: 5, contentRange: "bytes 8-9/10" }],
  ["bytes=-6", 5, 10, 5, undefined],
  ["bytes=-5", 5, 10, 5, { start: 0, end: 5, contentRange: "bytes 5-9/10" }],
  ["bytes=10-", 5, 10, 5, undefined],
  ["bytes=10-", 5, 5, 5, undefined],
  ["bytes=4-6", 5, 10, 5, undefined],
  ["bytes=0-1", 5, 10, 5, undefined],
  ["bytes=3-", 2, 10, 3, undefined],
  ["bytes=3-5", 2, 10, 3, undefined],
])("cuts %s out of the part at %i of %i (%i bytes)", (field, first, total, length, expected) => {
  const range = parseRange(field);
  expect(range && sliceOf(range, { first, total }, length)).toEqual(expected);
});

test("a slice is always inside the stored bytes, and says so", () => {
  const range = fc.oneof(
    fc.record({ first: fc.nat(30), last: fc.option(fc.nat(30), { nil: undefined }) }),
    fc.record({ suffixLength: fc.nat(30) }),
  );
  fc.assert(
    fc.property(range, fc.nat(20), fc.nat(20), fc.nat(20), (asked, first, length, rest) => {
      const slice = sliceOf(asked, { first, total: first + length + rest }, length);
      if (typeof slice !== "object") return;
      expect(slice.start).toBeGreaterThanOrEqual(0);
      expect(slice.end).toBeLessThanOrEqual(length);
      expect(slice.end).toBeGreaterThan(slice.start);
      expect(slice.contentRange).toBe(`bytes ${first + slice.start}-${first + slice.end - 1}/${first + length + rest}`);
    }),
  );
});
