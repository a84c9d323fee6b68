import * as fc from "fast-check";
import { expect, test } from "vitest";
import { matchTemplate } from "../../test/Transcoding.ts";
import { expandTemplate, parseTemplate, PathTemplateError } from "./PathTemplate.ts";

const filled = (template: string, values: Readonly<Record<string, string>>): string =>
  expandTemplate(parseTemplate(template), (field) => values[field.join(".")]);

const matched = (template: string, path: string): Record<string, string> | undefined => {
  const values = matchTemplate(parseTemplate(template), path);
  return values === undefined ? undefined : Object.fromEntries(values);
};

test.for<[template: string, values: Record<string, string>, path: string]>([
  ["/v1/shelves", {}, "/v1/shelves"],
  ["/v1/{name}", { name: "a" }, "/v1/a"],
  ["/v1/{name=*}", { name: "a" }, "/v1/a"],
  ["/v1/{name=shelves/*}", { name: "shelves/7" }, "/v1/shelves/7"],
  ["/v1/{name=shelves/*/books/*}", { name: "shelves/7/books/8" }, "/v1/shelves/7/books/8"],
  ["/v1/{book.name=shelves/*/books/*}", { "book.name": "shelves/7/books/8" }, "/v1/shelves/7/books/8"],
  ["/v1/{parent=shelves/*}/books", { parent: "shelves/7" }, "/v1/shelves/7/books"],
  ["/v1/{name=**}", { name: "a/b/c" }, "/v1/a/b/c"],
  ["/v1/{name=files/**}:copy", { name: "files/a/b" }, "/v1/files/a/b:copy"],
  ["/v1/{name=**}/rows/{row.id}", { name: "a/b", "row.id": "7" }, "/v1/a/b/rows/7"],
  ["/v1/{name=operations/*}:cancel", { name: "operations/7" }, "/v1/operations/7:cancel"],
  ["/v1/a:do", {}, "/v1/a:do"],
  // Single segment: everything but [-_.~@0-9a-zA-Z] is encoded. Several segments: the slash is kept, too.
  ["/v1/{name}", { name: "a/b c@%:!'()*" }, "/v1/a%2Fb%20c@%25%3A%21%27%28%29%2A"],
  ["/v1/{name}", { name: "-_.~09azAZ" }, "/v1/-_.~09azAZ"],
  ["/v1/{name=**}", { name: "a%2Fb/c:d" }, "/v1/a%252Fb/c%3Ad"],
  ["/v1/{name}", { name: "é\u{10ffff}" }, "/v1/%C3%A9%F4%8F%BF%BF"],
])("%s with %j is %s, and back", ([template, values, path]) => {
  expect(filled(template, values)).toBe(path);
  expect(matched(template, path)).toEqual(values);
});

test.for<[template: string, values: Record<string, string>, problem: string]>([
  ["/v1/{name}", {}, "the path field name is not set"],
  ["/v1/{name}", { name: "" }, "the path field name is not set"],
  ["/v1/{book.name=shelves/*}", {}, "the path field book.name is not set"],
  ["/v1/{name=shelves/*}", { name: "shelf/7" }, 'must look like "shelves/*", not "shelf/7"'],
  ["/v1/{name=shelves/*}", { name: "shelves/" }, 'must look like "shelves/*"'],
  ["/v1/{name=shelves/*}", { name: "shelves/7/books/8" }, 'must look like "shelves/*"'],
  ["/v1/{name=shelves/*}", { name: "/shelves/7" }, 'must look like "shelves/*"'],
  ["/v1/{name=files/**}", { name: "elsewhere/a" }, 'must look like "files/**"'],
  ["/v1/{name}", { name: ".." }, 'must not have ".." as a segment'],
  ["/v1/{name}", { name: "." }, 'must not have "." as a segment'],
  ["/v1/{name=**}", { name: "a/../../admin" }, 'must not have ".." as a segment'],
  ["/v1/{name=shelves/*}", { name: "shelves/.." }, 'must not have ".." as a segment'],
  ["/v1/{name}", { name: "\ud800" }, "not well-formed"],
  ["/v1/*/books", {}, "a wildcard outside of a field has no value"],
])("%s with %j says %s", ([template, values, problem]) => {
  expect(() => filled(template, values)).toThrow(PathTemplateError);
  expect(() => filled(template, values)).toThrow(problem);
});

test.for<[template: string, path: string, values: Record<string, string> | undefined]>([
  ["/v1/{name}", "/v1/", undefined],
  ["/v1/{name}", "/v1/a/b", undefined],
  ["/v1/{name}", "/v2/a", undefined],
  ["/v1/{name}", "v1/a", undefined],
  ["/v1/{name}", "/v1/%zz", undefined],
  ["/v1/{name}", "/v1/%ff", undefined],
  ["/v1/{name=**}", "/v1/a%2fb%2Fc/d%20e", { name: "a%2fb%2Fc/d e" }],
  ["/v1/{name=**}", "/v1/%252F", { name: "%2F" }],
  ["/v1/{name}", "/v1/a%2Fb", { name: "a/b" }],
  ["/v1/{name=**}", "/v1", { name: "" }],
  ["/v1/{name=**}", "/v1/a//b", { name: "a//b" }],
  ["/v1/{name=**}:copy", "/v1/a:b:copy", { name: "a:b" }],
  ["/v1/{name}:copy", "/v1/a", undefined],
  ["/v1/{name}", "/v1/a:copy", { name: "a:copy" }],
  ["/v1/*/books/{id}", "/v1/anything/books/7", { id: "7" }],
  ["/%76%31/{name}", "/v1/a", { name: "a" }],
])("%s matches %s as %j", ([template, path, values]) => {
  expect(matched(template, path)).toEqual(values);
});

test.for([
  "",
  "v1/a",
  "/",
  "/v1//a",
  "/v1/",
  "/v1/{a",
  "/v1/a}",
  "/v1/{}",
  "/v1/{1a}",
  "/v1/{a.}",
  "/v1/{a=}",
  "/v1/{a=b//c}",
  "/v1/{a={b}}",
  "/v1/{a}/{a}",
  "/v1/{a=**}/{b=**}",
  "/v1/x{a}",
  "/v1/{a}x",
  "/v1/a b",
  "/v1/a?b",
  "/v1/***",
  "/v1/a:",
  `/${"a".repeat(3_000)}`,
])("the template %s is refused, by name", (template) => {
  expect(() => parseTemplate(template)).toThrow(PathTemplateError);
});

test.for([
  ["v1/a", "must begin with a slash"],
  ["/v1/{a", '"{a" does not end with "}"'],
  ["/v1//a", "has an empty segment"],
  ["/v1/a b", 'the segment "a b" is not literal text'],
  [`/${"a".repeat(2_000)}`, "is longer than 2000 characters"],
])("of the template %s the error says that it %s", ([template = "", problem = ""]) => {
  expect(() => parseTemplate(template)).toThrow(problem);
});

test("of a template, and of a value that does not fit it, errors have the beginning", () => {
  expect(() => parseTemplate("a".repeat(300))).toThrow(`path template "${"a".repeat(200)}": must begin with a slash`);
  expect(() => filled("/v1/{name=shelves/*}", { name: "a".repeat(300) })).toThrow(
    `the path field name must look like "shelves/*", not "${"a".repeat(100)}"`,
  );
});

test("a template of 2,000 characters is read", () => {
  expect(parseTemplate(`/${"a".repeat(1_999)}`).segments).toHaveLength(1);
});

const text = fc
  .oneof(
    fc.string({ unit: "grapheme", minLength: 1, maxLength: 8 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 8 }),
  )
  .filter((value) => value !== "." && value !== "..");
const withoutSlash = text.filter((value) => !value.includes("/"));

/** Templates of every shape, each with values that fit. */
const filling = fc
  .record({
    single: text,
    shelf: withoutSlash,
    rest: fc.array(withoutSlash, { minLength: 1, maxLength: 4 }),
    verb: fc.constantFrom("", ":move"),
    order: fc.boolean(),
  })
  .map(({ single, shelf, rest, verb, order }) => {
    const parts = ["{a}", "{b.c=shelves/*}", "{d=x/**}"];
    return {
      template: `/v1/${(order ? parts : parts.toReversed()).join("/then/")}${verb}`,
      values: { a: single, "b.c": `shelves/${shelf}`, d: `x/${rest.join("/")}` },
    };
  });

test("whatever fills a template comes back from its path", () => {
  fc.assert(
    fc.property(filling, ({ template, values }) => {
      const path = filled(template, values);
      expect(path).toMatch(/^[-_.~/:@%0-9a-zA-Z]*$/);
      // What a URL parser leaves as it is: no dot segments, nothing that needs another escape.
      expect(new URL(`http://h${path}`).pathname).toBe(path);
      expect(matched(template, path)).toEqual(values);
    }),
    { numRuns: 500 },
  );
});
