import { expect, test } from "vitest";
import { unlessRefused } from "../Target.ts";

const missing = (): { readonly length: number } => undefined as unknown as { readonly length: number };

const refuse = (): never => {
  throw new RangeError("premature EOF");
};

test("a documented error is a refusal, another one is not", () => {
  expect(unlessRefused(() => 1, Error)).toBe(1);
  expect(unlessRefused(refuse, RangeError)).toBeUndefined();
  expect(unlessRefused(refuse, Error)).toBeUndefined();
  expect(() => unlessRefused(refuse, TypeError)).toThrow("premature EOF");
});

const recursive = (): number => 1 + recursive();
const faults: ReadonlyArray<() => unknown> = [
  () => missing().length,
  () => (missing as unknown as { readonly call: { readonly x: () => void } }).call.x(),
  () => [...(1 as unknown as ReadonlyArray<number>)],
  () => Array.from({ length: -1 }).concat(Array(-1)),
  () => new Uint8Array(2 ** 53),
  () => "x".repeat(2 ** 29),
  recursive,
  () => BigInt(1) + (1 as unknown as bigint),
];

test.each(faults)("a fault of the code is not a refusal, even where any Error is: %s", (fault) => {
  expect(() => unlessRefused(fault, Error)).toThrow(Error);
});
