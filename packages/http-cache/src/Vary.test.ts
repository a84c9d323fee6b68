import { expect, test } from "vitest";
import { matchesVary, selectingFields, varyNames, withVary } from "./Vary.ts";

test("more than 64 names in Vary select no request", () => {
  const names = Array.from({ length: 65 }, (_, index) => `x-${index}`);
  expect(varyNames(new Headers({ vary: names.slice(1).join() }))).toHaveLength(64);
  expect(varyNames(new Headers({ vary: names.join() }))).toEqual(["*"]);
});

test("the names in Vary are one sorted set in lower case", () => {
  expect(varyNames(new Headers({ vary: "Foo, bar, FOO, ," }))).toEqual(["bar", "foo"]);
});

test.each<[string, Record<string, string>, Record<string, string>, boolean]>([
  ["Foo", { foo: "1" }, { foo: "1" }, true],
  ["Foo", { foo: "1" }, { foo: "2" }, false],
  ["Foo", { foo: "1" }, {}, false],
  ["Foo", {}, { foo: "" }, false],
  ["Foo", {}, {}, true],
  ["Foo, Bar", { foo: "1", bar: "2" }, { bar: "2", foo: "1", other: "x" }, true],
  ["Foo, Bar", { foo: "1", bar: "2" }, { bar: "3", foo: "1" }, false],
  ["*", {}, {}, false],
  ["Foo, *", { foo: "1" }, { foo: "1" }, false],
  ["a name of two words", { foo: "1" }, { foo: "1" }, false],
  // RFC 9111, 4.1: normalising that changes no meaning.
  ["Foo", { foo: "1,2" }, { foo: " 1, 2 " }, true],
  ["Foo", { foo: "1,2;3" }, { foo: "1 \t ,   2 ; 3" }, true],
  ["Foo", { foo: "1;2" }, { foo: "1 ;2" }, true],
  ["Foo", { foo: "a b" }, { foo: "a \t b" }, true],
  ["Foo", { foo: "a b" }, { foo: "ab" }, false],
  ["Foo", { foo: "1,2" }, { foo: "12" }, false],
  ["Foo", { foo: "1,2" }, { foo: "3,2" }, false],
  ["Foo", { foo: "1,2" }, { foo: "2,1" }, false],
  ["Foo", { foo: "a" }, { foo: "A" }, false],
  ["Accept-Language", { "accept-language": "en, de" }, { "accept-language": "DE ,  en" }, true],
  ["Accept-Language", { "accept-language": "en;q=0.5, de" }, { "accept-language": "en, de;q=0.5" }, false],
  ["Accept-Language", { "accept-language": "en; q=0.5, de" }, { "accept-language": "de,en ;q=0.5" }, true],
  ["Accept-Language", { "accept-language": "en" }, {}, false],
  // An invalid weight counts as none.
  ["Accept-Language", { "accept-language": "en;x=0.5, de" }, { "accept-language": "en;q=0.5, de" }, false],
  ["Accept-Language", { "accept-language": "en;q=x, de;q=0.5" }, { "accept-language": "en, de;q=0.5" }, true],
  ["Accept-Language", { "accept-language": "en;q=2, de;q=0.5" }, { "accept-language": "en, de;q=0.5" }, true],
  ["Accept-Language", { "accept-language": "en;q=-1, de;q=0.5" }, { "accept-language": "en, de;q=0.5" }, true],
  ["Accept-Language", { "accept-language": "a;q=0.5, 1b;q=0.4" }, { "accept-language": "a;q=0.51, b;q=0.4" }, false],
])("what Vary: %s selected for %j is selected by %j: %s", (vary, first, second, expected) => {
  const selecting = selectingFields(new Headers({ vary }), new Headers(first));
  expect(matchesVary(selecting, new Headers(second), null)).toBe(expected);
  expect(matchesVary(selecting, second, null)).toBe(expected);
});

test("a stored language is selected by a request that prefers it to all others", () => {
  const selecting = selectingFields(new Headers({ vary: "Accept-Language" }), { "accept-language": "en, de" });
  const selects = (acceptLanguage: string): boolean =>
    matchesVary(selecting, { "accept-language": acceptLanguage }, "de");
  expect(selects("fr;q=0.5, de;q=1.0")).toBe(true);
  expect(selects("fr, de")).toBe(false);
  expect(selects("de;q=0")).toBe(false);
  expect(selects("fr, de;q=0.9")).toBe(false);
  expect(selects("DE")).toBe(true);
  expect(selects("")).toBe(false);
  expect(selects("*")).toBe(false);
  expect(matchesVary(selecting, {}, "de")).toBe(false);
});

/** Whether a request selects the response to a request without any fields. */
const selectsPlain = (headers: Record<string, string>, request: Record<string, string>): boolean => {
  const response = new Headers(headers);
  return matchesVary(selectingFields(response, {}), request, response.get("content-language"));
};

test("languages are those of Accept-Language and Content-Language only, in any case", () => {
  const german = { "content-language": "DE" };
  expect(selectsPlain({ vary: "Accept-Language", ...german }, { "accept-language": "de" })).toBe(true);
  expect(selectsPlain({ vary: "Accept-Language" }, { "accept-language": "de" })).toBe(false);
  expect(selectsPlain({ vary: "Foo", ...german }, { foo: "de" })).toBe(false);
});

test("a long field is compared in one pass", () => {
  const selecting = selectingFields(new Headers({ vary: "Foo" }), { foo: `a${" ".repeat(1_000_000)}b` });
  expect(matchesVary(selecting, { foo: "a b" }, null)).toBe(true);
  expect(matchesVary(selecting, { foo: "a, b" }, null)).toBe(false);
});

test("names are added to Vary once", () => {
  expect(withVary(null, ["Accept"])).toBe("Accept");
  expect(withVary("accept, Origin", ["Accept", "Authorization"])).toBe("accept, Origin, Authorization");
  expect(withVary("*", ["Accept"])).toBe("*");
});

// RFC 9111, 4.1: "adding or removing whitespace, where allowed in the header field's syntax"
test.each([
  ['"a, b"', '"a,b"', false],
  ['"a  b"', '"a b"', false],
  ['"a\\", b"', '"a\\",b"', false],
  ['"a\\" , \\"b"', '"a\\",\\"b"', false],
  ['"a, b', '"a,b', false],
  ['"a" ,"b"', '"a", "b"', true],
])("white space in quoted strings counts: %s and %s", (first, second, matches) => {
  const selecting = selectingFields(new Headers({ vary: "Foo" }), { foo: first });
  expect(matchesVary(selecting, { foo: second }, null)).toBe(matches);
});

test("a field of many quotes is compared in one pass", () => {
  const selecting = selectingFields(new Headers({ vary: "Foo" }), { foo: `"${'\\"'.repeat(500_000)}` });
  expect(matchesVary(selecting, { foo: "a" }, null)).toBe(false);
});
