import { expect, test } from "vitest";
import { confirms, freshened, isNotModified, validatingFields } from "./Validation.ts";

const earlier = "Sun, 06 Nov 1994 08:00:00 GMT";
const moment = "Sun, 06 Nov 1994 08:49:37 GMT";
const later = "Sun, 06 Nov 1994 09:00:00 GMT";

test("a stored answer is validated by all validators that it has (RFC 9111, 4.3.1)", () => {
  expect(validatingFields(new Headers({ etag: 'W/"a"', "last-modified": moment }))).toEqual([
    ["if-none-match", 'W/"a"'],
    ["if-modified-since", moment],
  ]);
  expect(validatingFields(new Headers())).toEqual([]);
});

test.each<[{ ifNoneMatch?: string; ifModifiedSince?: string }, Record<string, string>, boolean]>([
  [{}, { etag: '"a"' }, false],
  [{ ifNoneMatch: '"a"' }, { etag: '"a"' }, true],
  [{ ifNoneMatch: '"b", W/"a"' }, { etag: '"a"' }, true],
  [{ ifNoneMatch: '"a"' }, { etag: 'W/"a"' }, true],
  [{ ifNoneMatch: '"a,b"' }, { etag: '"a,b"' }, true],
  [{ ifNoneMatch: '"b"' }, { etag: '"a"' }, false],
  [{ ifNoneMatch: "*" }, {}, true],
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
])("the condition %j on %j is answered 304: %s", ({ ifNoneMatch, ifModifiedSince }, stored, expected) => {
  const condition = { ifNoneMatch: ifNoneMatch ?? null, ifModifiedSince: ifModifiedSince ?? null };
  expect(isNotModified(condition, new Headers(stored))).toBe(expected);
});

const withTag = (etag: string | null): Headers => new Headers(etag === null ? {} : { etag });

test.each([
  ['"a"', '"a"', true],
  ['W/"a"', '"a"', true],
  [null, '"a"', true],
  ['"b"', '"a"', false],
  ['W/"b"', 'W/"a"', false],
  ['"b"', null, true],
])("a 304 with the tag %s confirms an answer with the tag %s: %s (RFC 9111, 4.3.4)", (update, stored, expected) => {
  expect(confirms(withTag(update), withTag(stored))).toBe(expected);
});

test("a 304 updates the stored fields, but not those that describe the bytes (RFC 9111, 3.2)", () => {
  const stored = new Headers({ "content-type": "text/plain", "content-length": "3", a: "1", b: "1", age: "50" });
  const update = new Headers({ "content-type": "x/y", "content-length": "0", a: "2", c: "2" });
  update.append("set-cookie", "p=1");
  update.append("set-cookie", "q=2");
  const merged = freshened(stored, update);
  expect([...merged]).toEqual([
    ["a", "2"],
    ["b", "1"],
    ["c", "2"],
    ["content-length", "3"],
    ["content-type", "text/plain"],
    ["set-cookie", "p=1"],
    ["set-cookie", "q=2"],
  ]);
});
