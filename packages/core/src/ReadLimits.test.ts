import type { JsonValue } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { attempted, defaultReadLimits, LimitExceeded, parseJson } from "./ReadLimits.ts";

const parse = (text: string | Uint8Array, maxItems: number, maxJsonDepth = 9): JsonValue =>
  parseJson(typeof text === "string" ? Buffer.from(text) : text, { maxItems, maxJsonDepth, maxEnginesPerPage: 9 });

test.for<[text: string, items: number]>([
  ["[[],[],[]]", 4],
  ["[{},{}]", 3],
  [" \n[[],[],[]]", 4],
  ['{"a":0,"b":0,"a":0}', 3],
  ['[{"a" \t\r\n:0}]', 3],
  ['[{"a":0,"b":0,"c":0,"d":0},{"a":0,"b":0,"c":0,"d":0}]', 7],
  ['["a","b","c","d"]', 1],
  ['["[[[[[[","{{{{{{"]', 1],
  [String.raw`["\"",[],[],[]]`, 4],
  [String.raw`["\\",[],[],[]]`, 4],
  [String.raw`{"\"a":[],"\"b":[]}`, 5],
  ['["",[],[],[]]', 4],
  ["[0,0,0,0,0,0,0,0,0]", 1],
  ['[["a","a","a","a","a","a","a","a","a","a","a","a","a","a","a","a"]]', 2],
])("%s counts as %i items", ([text, items]) => {
  expect(parse(text, items)).toEqual(JSON.parse(text));
  expect(() => parse(text, items - 1)).toThrow(new LimitExceeded("maxItems", items - 1));
});

const list = (commas: number) => `[${"0,".repeat(commas)}0]`;

test("each item may have eight values", () => {
  expect(parse(list(8), 1)).toHaveLength(9);
  expect(() => parse(list(9), 1)).toThrow(LimitExceeded);
  expect(parse(list(24), 3)).toHaveLength(25);
  expect(() => parse(list(25), 3)).toThrow(LimitExceeded);
});

test.for<[text: string, depth: number]>([
  ["[[],[],[]] ", 2],
  ["[[[]],[[]]]", 3],
  ["[[],[[[]]]]", 4],
  ['{"a":{},"b":{"c":{"d":{}}}}', 4],
  ['{"a":{"b":{}},"c":{"d":{}}}', 3],
  ['[{"a":[{}]},{"a":[{}]}]', 4],
])("%s is %i levels deep: the message itself, and those in it", ([text, depth]) => {
  expect(parse(text, 10, depth - 1)).toEqual(JSON.parse(text));
  expect(() => parse(text, 10, depth - 2)).toThrow(`JSON nested deeper than maxJsonDepth = ${depth - 2}`);
});

test("a text of no more bytes than items is not searched: its reader counts", () => {
  expect(parse("[[[[]]]]", 8, 1)).toEqual([[[[]]]]);
  expect(() => parse("[[[[]]]]", 7, 1)).toThrow(LimitExceeded);
});

test.for<[begin: ReadonlyArray<number>, refusal: object]>([
  [[0x21], SyntaxError],
  [[0x78], SyntaxError],
  [[0x7f], SyntaxError],
  [[0x20], LimitExceeded],
  [[0x80], LimitExceeded],
  [[0xef, 0xbb, 0xbf], LimitExceeded],
  // Within a list, whatever it is.
  [[0x5b, 0x78], LimitExceeded],
  // A text that does not end.
  [[0x22], SyntaxError],
  [[0x22, 0x5c], SyntaxError],
])("many lists behind the bytes %j are refused", ([begin, refusal]) => {
  expect(() => parse(new Uint8Array([...begin, ...Buffer.from("[],".repeat(20))]), 9)).toThrow(refusal);
});

test("text that is not UTF-8 is refused", () => {
  expect(() => parse(new Uint8Array([0x22, 0xff, 0x22]), 9)).toThrow(TypeError);
  expect(parse("\ufeff[1]", 9)).toEqual([1]);
});

test("the defaults are those of the documents", () => {
  expect(defaultReadLimits).toEqual({ maxJsonDepth: 64, maxEnginesPerPage: 100_000, maxItems: 250_000 });
});

const thrown = (error: Error) => (): never => {
  throw error;
};

test("what cannot be read is undefined; what is beyond a limit is thrown, unless limits are ignored", () => {
  const beyond = thrown(new LimitExceeded("maxItems", 1));
  expect(attempted(() => 7)).toBe(7);
  for (const ignores of [false, true]) expect(attempted(thrown(new TypeError("x")), ignores)).toBeUndefined();
  expect(() => attempted(beyond)).toThrow(LimitExceeded);
  expect(() => attempted(beyond, false)).toThrow(LimitExceeded);
  expect(attempted(beyond, true)).toBeUndefined();
});
