import { expect, test, vi } from "vitest";
import { jqOf, jqOnRecords } from "./JqFilter.ts";

test("who listens to signals listens again after a run", async () => {
  const listener = vi.fn<() => void>();
  process.on("SIGINT", listener).on("SIGTERM", listener);
  expect((await jqOf(". + 1"))("1")).toBe("2\n");
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    expect(process.listeners(name)).toContain(listener);
    process.off(name, listener);
  }
});

/** What an expression gives for so many records. */
const results = async (expression: string, count: number): Promise<ReadonlyArray<unknown>> => {
  const written: Array<unknown> = [];
  const writer = jqOnRecords(expression, async (text) => void written.push(text));
  await writer.write(Array.from({ length: count }, () => ({ json: {} })));
  await writer.end();
  return written;
};

test("records are taken a thousand at a time, and an expression is read even where there are none", async () => {
  const counting = "1 + ([inputs] | length)";
  expect(await results(counting, 1_000)).toEqual(["1000\n"]);
  expect(await results(counting, 1_001)).toEqual(["1000\n", "1\n"]);
  await expect(results(".[", 0)).rejects.toThrow("--jq: the expression is not complete");
});
