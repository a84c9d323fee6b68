import { expect, test } from "vitest";
import { isKept } from "./Promised.ts";

test("a full run says whether a promise is kept; a quick one leaves open what it misses by little", () => {
  expect([0.5, 1, 1.01, 1.2].map((excess) => isKept(excess, "full"))).toEqual([true, true, false, false]);
  expect([0.5, 1, 1.01, 1.2].map((excess) => isKept(excess, "quick"))).toEqual([true, true, "open", false]);
});

test("what could not be measured is not kept", () => {
  expect([isKept(Number.NaN, "full"), isKept(Number.NaN, "quick")]).toEqual([false, false]);
});
