import { expect, test } from "vitest";
import { confirms, confirmsByHead, hasValidator, validatingFields } from "./Validation.ts";

const moment = "Sun, 06 Nov 1994 08:49:37 GMT";
const sameMoment = "Sunday, 06-Nov-94 08:49:37 GMT";
const later = "Sun, 06 Nov 1994 09:00:00 GMT";

test("a stored response is validated by all validators that it has (RFC 9111, 4.3.1)", () => {
  expect(validatingFields(new Headers({ etag: 'W/"a"', "last-modified": moment }))).toEqual([
    ["if-none-match", 'W/"a"'],
    ["if-modified-since", moment],
  ]);
  expect(validatingFields(new Headers())).toEqual([]);
});

const tag = (etag: string) => ({ etag });
const modified = (date: string) => ({ "last-modified": date });

test.each<[Record<string, string>, Record<string, string>, boolean]>([
  // RFC 9111, 4.3.4: "If the new response contains one or more strong validators, then each of those strong validators
  // identifies a selected representation for update. [...] If none of the stored responses contains at least one of the
  // same strong validators, then the cache MUST NOT use the new response to update any stored responses."
  [tag('"a"'), tag('"a"'), true],
  [tag('"b"'), tag('"a"'), false],
  [tag('"a"'), tag('W/"a"'), false],
  [tag('"a"'), {}, false],
  [tag('"a"'), modified(moment), false],
  [{ ...tag('"a"'), ...modified(moment) }, modified(moment), false],
  // A strong entity tag identifies the representation by itself.
  [{ ...tag('"a"'), ...modified(later) }, { ...tag('"a"'), ...modified(moment) }, true],
  // "If the new response contains no strong validators but does contain one or more weak validators, and those validators
  // correspond to one of the cache's stored responses, then the most recent of those [...] is identified for update."
  [tag('W/"a"'), tag('W/"a"'), true],
  [tag('W/"a"'), tag('"a"'), true],
  [tag('W/"b"'), tag('W/"a"'), false],
  [tag('W/"a"'), {}, false],
  [tag('W/"a"'), modified(moment), false],
  [modified(moment), modified(moment), true],
  [modified(moment), modified(sameMoment), true],
  [modified(later), modified(moment), false],
  [modified("long ago"), modified("long ago"), true],
  [modified("long ago"), modified("long since"), false],
  [modified(moment), modified("long ago"), false],
  [modified(moment), {}, false],
  [modified(moment), tag('"a"'), false],
  [modified(moment), { ...tag('"a"'), ...modified(moment) }, true],
  [modified(later), { ...tag('"a"'), ...modified(moment) }, false],
  [{ ...tag('W/"a"'), ...modified(moment) }, { ...tag('"a"'), ...modified(moment) }, true],
  [{ ...tag('W/"a"'), ...modified(later) }, { ...tag('"a"'), ...modified(moment) }, false],
  [{ ...tag('W/"a"'), ...modified(moment) }, tag('"a"'), false],
  // Without validators, the 304 responds to the condition that was sent, which had the stored validators.
  [{}, tag('"a"'), true],
  [{}, modified(moment), true],
  [{}, {}, false],
])("a 304 with %j confirms a stored response with %j: %s", (notModified, stored, expected) => {
  expect(confirms(new Headers(notModified), new Headers(stored))).toBe(expected);
});

test.each<[Record<string, string>, Record<string, string>, boolean]>([
  // RFC 9111, 4.3.5: "if the stored response and HEAD response have matching values for any received validator fields (ETag
  // and Last-Modified) and, if the HEAD response has a Content-Length header field, the value of Content-Length matches
  // that of the stored response, the cache SHOULD update the stored response [...]; otherwise, the cache SHOULD consider
  // the stored response to be stale."
  [{}, tag('"a"'), true],
  [tag('"a"'), tag('"a"'), true],
  [tag('"b"'), tag('"a"'), false],
  [tag('"b"'), {}, false],
  [modified(moment), modified(moment), true],
  [modified(later), modified(moment), false],
  [{ "content-length": "3" }, { "content-length": "3" }, true],
  [{ "content-length": "4" }, { "content-length": "3" }, false],
  [{ ...tag('"a"'), ...modified(moment), "content-length": "4" }, { ...tag('"a"'), ...modified(moment) }, false],
])("a HEAD response with %j confirms a stored response with %j: %s", (head, stored, expected) => {
  expect(confirmsByHead(new Headers(head), new Headers(stored))).toBe(expected);
});

test.each([
  [["date", "etag"], true],
  [["last-modified"], true],
  [["date"], false],
])("a stored response with %j can be validated: %s", (names, expected) => {
  expect(hasValidator({ headers: names.map((name) => [name, "x"]) })).toBe(expected);
});
