import * as fc from "fast-check";
import { expect, test } from "vitest";
import { maxDurationMs, parseDuration, relativeTime, sayDuration } from "./Units.ts";

test("durations are read in every unit, and together", () => {
  const read = {
    "500ms": 500,
    "30s": 30_000,
    "5m": 300_000,
    "1h30m": 5_400_000,
    "1.5s": 1_500,
    "2d": 172_800_000,
    "0s": 0,
  };
  for (const [text, ms] of Object.entries(read)) expect([text, parseDuration(text)]).toEqual([text, ms]);
});

test("anything else is not a duration", () => {
  for (const text of ["", "5", "m", "5 m", "-5m", "5M", "1e3s", "5m3", "30d", "five"]) {
    expect([text, parseDuration(text)]).toEqual([text, undefined]);
  }
});

test("what is read fits a timer", () => {
  fc.assert(
    fc.property(fc.nat(100_000), fc.constantFrom("ms", "s", "m", "h", "d"), (amount, unit) => {
      const ms = parseDuration(`${amount}${unit}`);
      expect(ms === undefined || ms <= maxDurationMs).toBe(true);
    }),
  );
});

test("durations and ages are said in the unit that fits", () => {
  expect([0, 250, 1_234, 65_000, 300_000, 10_800_000].map(sayDuration)).toEqual([
    "0 ms",
    "250 ms",
    "1.2 s",
    "65 s",
    "5 min",
    "3 h",
  ]);
  const now = Date.UTC(2025, 5, 1);
  const ages = [5_000, 90_000, 7_200_000, 3 * 86_400_000, 100 * 86_400_000, 800 * 86_400_000];
  expect(ages.map((ms) => relativeTime(now - ms, now))).toEqual([
    "5 s ago",
    "1 min ago",
    "2 h ago",
    "3 d ago",
    "3 mo ago",
    "2 y ago",
  ]);
  expect(relativeTime(now + 300_000, now)).toBe("in 5 min");
});
