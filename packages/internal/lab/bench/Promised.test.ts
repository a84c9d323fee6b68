import { expect, test } from "vitest";
import { isKept } from "./Promised.ts";

test("a full run says whether a promise is kept; a quick one leaves open what it misses by little", () => {
  expect([0.5, 1, 1.01, 1.3].map((excess) => isKept(excess, "full"))).toEqual([true, true, false, false]);
  expect([0.5, 1, 1.01, 1.3].map((excess) => isKept(excess, "quick"))).toEqual([true, true, "open", false]);
});

test("where the middle half of its rounds keeps a promise in part, a quick run leaves it open", () => {
  expect([isKept(1.3, "quick", 0.9), isKept(1.3, "quick", 1.1), isKept(1.3, "full", 0.9)]).toEqual([
    "open",
    false,
    false,
  ]);
});

test("what could not be measured is not kept", () => {
  expect([isKept(Number.NaN, "full"), isKept(Number.NaN, "quick")]).toEqual([false, false]);
});
