import { expect, test } from "vitest";
import type { CacheOptions } from "./CacheOptions.ts";
import { responseDirectives } from "./ResponseDirectives.ts";

const shared: CacheOptions = { shared: true, targetedFields: ["cloudflare-cdn-cache-control", "cdn-cache-control"] };
const own: CacheOptions = { ...shared, shared: false };

test("a targeted field that is valid counts alone (RFC 9213, 2.2)", () => {
  const headers = new Headers({ "cache-control": "no-store", "cdn-cache-control": "max-age=60" });
  expect(responseDirectives(headers, shared)).toMatchObject({
    source: "cdn-cache-control",
    noStore: false,
    maxAge: 60,
  });
});

test("the more specific targeted field comes first", () => {
  const headers = new Headers({ "cdn-cache-control": "max-age=60", "cloudflare-cdn-cache-control": "max-age=5" });
  expect(responseDirectives(headers, shared).maxAge).toBe(5);
});

test.each([
  ["", "empty"],
  ["max-age=60, &&&&&", "not a dictionary"],
  ['max-age="60"', "a string where an integer belongs"],
  ["max-age=60.5", "a decimal where an integer belongs"],
  ["max-age=-1", "negative"],
  ["max-age", "a boolean where an integer belongs"],
  ["no-store=1", "an integer where a boolean belongs"],
  ["MaX-aGe=60", "keys of a dictionary are lower case"],
  ["max-age =60", "no space before the equals sign"],
])("a targeted field is ignored: %s (%s)", (field) => {
  const headers = new Headers({ "cache-control": "no-store", "cdn-cache-control": field });
  expect(responseDirectives(headers, shared)).toMatchObject({ source: "cache-control", noStore: true });
});

test("field names withhold fields; only a shared cache minds those of private", () => {
  const headers = new Headers({ "cache-control": 'no-cache="a", private="b"' });
  expect(responseDirectives(headers, shared)).toMatchObject({
    noCache: false,
    private: false,
    withheldFields: ["a", "b"],
  });
  expect(responseDirectives(headers, own).withheldFields).toEqual(["a"]);
  expect(responseDirectives(headers, { ...shared, keyedByUser: true }).withheldFields).toEqual(["a"]);
  expect(responseDirectives(new Headers({ "cache-control": 'no-cache="a"' }), shared).withheldFields).toEqual(["a"]);
  expect(responseDirectives(new Headers(), shared).withheldFields).toEqual([]);
});

// RFC 9111, 4.2.1: "the most restrictive directive should be honored".
test.each([
  ['private="x", private', { private: true, noCache: false }],
  ['private, private="x"', { private: true, noCache: false }],
  ['no-cache="x", no-cache', { private: false, noCache: true }],
  ['no-cache="x"; no-cache', { private: false, noCache: true }],
  ["private = x", { private: true, noCache: false }],
  ['private=""', { private: true, noCache: false }],
  ['no-cache="two words"', { private: false, noCache: true }],
  ["no-store =1", { noStore: true }],
  ["no-store;max-age=0", { noStore: true, maxAge: 0 }],
  ["max-age = 60", { maxAge: 0 }],
  ["s-maxage = 60", { sMaxage: 0 }],
  ["stale-while-revalidate = 60, stale-if-error = 60", { staleWhileRevalidate: 0, staleIfError: 0 }],
  ["must-revalidate;proxy-revalidate", { mustRevalidate: true, proxyRevalidate: true }],
  ["public=1, must-understand=1", { public: false, mustUnderstand: false }],
  ["public, must-understand", { public: true, mustUnderstand: true }],
])("%s has the most restrictive sense: %j", (field, expected) => {
  expect(responseDirectives(new Headers({ "cache-control": field }), shared)).toMatchObject(expected);
});

// RFC 9111, 3.5: "the following response directives have such an effect: must-revalidate, public, and s-maxage."
test.each([
  ["must-revalidate", true],
  ["public", true],
  ["s-maxage=0", true],
  ["max-age=60", false],
  ["must-revalidate=1", false],
  ["public=1", false],
  ["s-maxage", false],
  ["s-maxage=x", false],
  ["s-maxage = 60", false],
])("%s allows a shared cache to store responses to Authorization: %s", (field, expected) => {
  expect(responseDirectives(new Headers({ "cache-control": field }), shared).allowsAuthorization).toBe(expected);
});

test("without options there are no targeted fields, and the cache is shared", () => {
  const headers = new Headers({ "cache-control": 'private="b"', "cdn-cache-control": "no-store" });
  expect(responseDirectives(headers, {})).toMatchObject({ noStore: false, withheldFields: ["b"] });
});

test("a targeted field may be named in any case", () => {
  const headers = new Headers({ "cdn-cache-control": "no-store" });
  expect(responseDirectives(headers, { targetedFields: ["CDN-Cache-Control"] }).source).toBe("cdn-cache-control");
});
