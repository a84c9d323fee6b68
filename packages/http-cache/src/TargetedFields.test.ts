import { expect, test } from "vitest";
import { targetedDirectives } from "./TargetedFields.ts";

test("parameters and unknown directives of a targeted field are passed over", () => {
  expect(Object.fromEntries(targetedDirectives('max-age=60;x=1, foo=("a"), public, private=?0') ?? [])).toEqual({
    "max-age": "60",
    foo: true,
    public: true,
  });
});

test.each([
  ["private", { private: true }],
  ['private="a, b"', { private: "a, b" }],
  ["no-cache=token", { "no-cache": true }],
  ["max-age=99999999999", { "max-age": "2147483648" }],
  ["max-age=0", { "max-age": "0" }],
  ["no-store=?0, public=?0", {}],
])("%s has the directives %j", (field, expected) => {
  expect(Object.fromEntries(targetedDirectives(field) ?? [["ignored", true]])).toEqual(expected);
});

// RFC 9213, 2.1: "if the value of a Targeted Field [...] is not of the expected type, the field MUST be ignored"
test.each(["s-maxage=x", "stale-while-revalidate=?1", 'stale-if-error="1"', "max-age=1.5", "max-age=-1", "public=1"])(
  "%s is ignored",
  (field) => {
    expect(targetedDirectives(field)).toBeUndefined();
  },
);

test.each(["no-store", "public", "must-revalidate", "proxy-revalidate", "must-understand", "immutable"])(
  "%s is a flag",
  (name) => {
    expect(Object.fromEntries(targetedDirectives(name) ?? [])).toEqual({ [name]: true });
    expect(targetedDirectives(`${name}=1`)).toBeUndefined();
  },
);
