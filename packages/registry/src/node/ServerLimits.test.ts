import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { defaultLimits } from "./ServerLimits.ts";

const units: Readonly<Record<string, number>> = { s: 1_000, min: 60_000, KiB: 1_024, MiB: 1_024 * 1_024 };

test("the README names every limit, and what it is when nobody sets it", () => {
  const readme = readFileSync(new URL("../../README.md", import.meta.url), "utf8");
  const documented = [...readme.matchAll(/`limits\.(\w+)` \(([\d,]+) ?(\w*)\)/g)].map(
    ([, name, amount = "", unit = ""]) => {
      return [name, Number(amount.replaceAll(",", "")) * (units[unit] ?? 1)];
    },
  );
  expect(Object.fromEntries(documented)).toEqual(defaultLimits);
});
