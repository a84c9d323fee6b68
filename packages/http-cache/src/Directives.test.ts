import * as fc from "fast-check";
import { expect, test } from "vitest";
import { deltaSeconds, fieldNames, maxDeltaSeconds, parseDirectives } from "./Directives.ts";

test.each([
  ["max-age=60, Private", { "max-age": "60", private: true }],
  ['no-cache="a, b", max-age="60"', { "no-cache": "a, b", "max-age": "60" }],
  ['extension="max-age=3600, no-store", max-age=1', { extension: "max-age=3600, no-store", "max-age": "1" }],
  ["max-age=1, max-age=1800", { "max-age": "1" }],
  [" , ,no-store,", { "no-store": true }],
  ["max-age =60", {}],
  ['"no-store"', {}],
  ['x="a\\"b"', { x: 'a"b' }],
  [null, {}],
])("reads the directives of %s", (field, expected) => {
  expect(Object.fromEntries(parseDirectives(field))).toEqual(expected);
});

test.each([
  ["max-age=0", 0],
  ["max-age=3600", 3600],
  ["max-age=2147483647", 2_147_483_647],
  ["max-age=99999999999", maxDeltaSeconds],
  ["max-age=-1", 0],
  ["max-age=1.5", 0],
  ["max-age= 60", 0],
  ["max-age", 0],
  ["no-store", undefined],
])("takes from %s the seconds %s", (field, expected) => {
  expect(deltaSeconds(parseDirectives(field), "max-age")).toBe(expected);
});

test("names the fields of a qualified directive in lower case", () => {
  expect(fieldNames(parseDirectives('private="Set-Cookie, X-User"'), "private")).toEqual(["set-cookie", "x-user"]);
  expect(fieldNames(parseDirectives("private"), "private")).toEqual([]);
});

test("never throws, and never finds a directive inside a quoted string", () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), (before, inside) => {
      parseDirectives(before);
      const quoted = inside.replaceAll(/["\\]/g, "");
      expect(parseDirectives(`x="${quoted}, no-store"`).has("no-store")).toBe(false);
    }),
  );
});
