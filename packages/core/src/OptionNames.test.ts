// What is said of options that cannot be.
import { expect, test } from "vitest";
import { assertNumber, assertOptionNames, assertOptionTypes, hasMethods } from "./OptionNames.ts";

test.for<[given: unknown, within: string | undefined, what: "parameter" | undefined, message: string]>([
  [5, undefined, undefined, "options must be an object, not a number"],
  [null, "", "parameter", "parameters must be an object, not null"],
  [[], "hedging", undefined, "hedging must be an object, not an array"],
  [{ size: 1 }, undefined, undefined, 'there is no option "size"; known are delay, limit'],
  [{ delai: 1 }, undefined, undefined, 'there is no option "delai"; did you mean "delay"?'],
  [{ delay: 1, Limit: 1 }, "retry", undefined, 'there is no option "retry.Limit"; did you mean "limit"?'],
  [{ limits: 1 }, "", "parameter", 'there is no parameter "limits"; did you mean "limit"?'],
])("%j within %j: %s %s", ([given, within, what, message]) => {
  expect(() => assertOptionNames(given, ["delay", "limit"], within, what)).toThrow(new TypeError(message));
});

test.for<[must: string, value: unknown, message: string]>([
  ["a number from 0", -1, "a must be a number from 0, not -1"],
  ["a number from 0", "secret", "a must be a number from 0, not a string"],
  ["text", 5, "a must be text, not a number"],
  ["text", {}, "a must be text, not an object"],
  ["text", null, "a must be text, not null"],
  ['"x", or nothing', 5, 'a must be "x", or nothing, not 5'],
  ['"x", or nothing', "y", 'a must be "x", or nothing, not "y"'],
  ['nothing, or "x"', "secret", 'a must be nothing, or "x", not a string'],
  ["an array", [1], "a must be an array"],
  ["true, or an", 5, "a must be true, or an, not a number"],
])("where it must be %s, %j is refused: %s", ([must, value, message]) => {
  const rules = { a: [must, () => false], b: [must, () => true] } as const;
  expect(() => assertOptionTypes({ a: value }, rules)).toThrow(new TypeError(message));
  expect(() => assertOptionTypes({ a: undefined, b: value, c: value }, rules)).not.toThrow();
});

test("a number is one from the least one on", () => {
  assertNumber("a", 0, 0);
  expect(() => assertNumber("a", -0.5, 0)).toThrow(new RangeError("a must be a number from 0, not -0.5"));
  expect(() => assertNumber("a", Number.NaN, 0)).toThrow(new RangeError("a must be a number from 0, not NaN"));
  expect(() => assertNumber("a", "5", 0)).toThrow(new RangeError("a must be a number from 0, not a string"));
});

test.for<[value: unknown, has: boolean]>([
  [{ get: () => 1, set: () => 1 }, true],
  [new Map(), true],
  [{ get: () => 1 }, false],
  [{ get: () => 1, set: 1 }, false],
  [Object.assign(() => 1, { get: () => 1, set: () => 1 }), false],
  [null, false],
  [undefined, false],
])("%o has the methods get and set: %s", ([value, has]) => {
  expect(hasMethods(value, "get", "set")).toBe(has);
});
