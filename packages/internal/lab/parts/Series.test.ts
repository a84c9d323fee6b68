import { expect, test } from "vitest";
import { seriesIn, sumOf } from "./Series.ts";

test("values are read with their labels, and summed by them", () => {
  const series = seriesIn('# HELP a_total x\na_total{result="hit",status="200"} 3\na_total{result="miss"} 2\nb 1.5\n');
  expect(series).toEqual([
    { name: "a_total", labels: { result: "hit", status: "200" }, value: 3 },
    { name: "a_total", labels: { result: "miss" }, value: 2 },
    { name: "b", labels: {}, value: 1.5 },
  ]);
  expect(sumOf(series, "a_total")).toBe(5);
  expect(sumOf(series, "a_total", ({ result }) => result === "hit")).toBe(3);
});
