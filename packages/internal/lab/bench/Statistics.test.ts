import { expect, test } from "vitest";
import { ratioOf, spreadOf } from "./Statistics.ts";

test("the median and the middle half do not depend on the order of the samples", () => {
  expect(spreadOf([5, 1, 4, 2, 3])).toEqual({ median: 3, lower: 2, upper: 4 });
  expect(spreadOf([1, 2])).toEqual({ median: 1.5, lower: 1.25, upper: 1.75 });
  expect(spreadOf([])).toEqual({ median: Number.NaN, lower: Number.NaN, upper: Number.NaN });
});

test("a ratio is taken round by round, so that a slow round does not count", () => {
  expect(ratioOf([20, 2_000, 20], [10, 1_000, 10])).toEqual({ median: 2, lower: 2, upper: 2 });
});
