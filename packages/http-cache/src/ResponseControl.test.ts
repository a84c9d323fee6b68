import { expect, test } from "vitest";
import type { CachePolicy } from "./Policy.ts";
import { responseControl, targetedDirectives } from "./ResponseControl.ts";

const shared: CachePolicy = { shared: true, targets: ["cloudflare-cdn-cache-control", "cdn-cache-control"] };
const own: CachePolicy = { ...shared, shared: false };

test("a targeted field that is valid counts alone (RFC 9213, 2.2)", () => {
  const headers = new Headers({ "cache-control": "no-store", "cdn-cache-control": "max-age=60" });
  expect(responseControl(headers, shared)).toMatchObject({ source: "cdn-cache-control", noStore: false, maxAge: 60 });
});

test("the more specific targeted field comes first", () => {
  const headers = new Headers({ "cdn-cache-control": "max-age=60", "cloudflare-cdn-cache-control": "max-age=5" });
  expect(responseControl(headers, shared).maxAge).toBe(5);
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
  expect(responseControl(headers, shared)).toMatchObject({ source: "cache-control", noStore: true });
});

test("parameters and unknown directives of a targeted field are passed over", () => {
  expect(Object.fromEntries(targetedDirectives('max-age=60;x=1, foo=("a"), public, private=?0') ?? [])).toEqual({
    "max-age": "60",
    foo: true,
    public: true,
  });
});

test("field names withhold fields; only a shared cache minds those of private", () => {
  const headers = new Headers({ "cache-control": 'no-cache="a", private="b"' });
  expect(responseControl(headers, shared)).toMatchObject({
    noCache: false,
    private: false,
    withheldFields: ["a", "b"],
  });
  expect(responseControl(headers, own).withheldFields).toEqual(["a"]);
});
