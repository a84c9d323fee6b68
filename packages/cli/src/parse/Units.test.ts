import * as fc from "fast-check";
import { expect, test } from "vitest";
import { maxDurationMs, parseDuration, relativeTime, sayBytes, sayDuration } from "./Units.ts";

test("durations are read in every unit, and together", () => {
  const read = {
    "500ms": 500,
    "30s": 30_000,
    "5m": 300_000,
    "1h30m": 5_400_000,
    "1.5s": 1_500,
    "2d": 172_800_000,
    "0s": 0,
    "2147483647ms": 2_147_483_647,
    "2147483.647s": 2_147_483_647,
  };
  for (const [text, ms] of Object.entries(read)) expect([text, parseDuration(text)]).toEqual([text, ms]);
});

test("anything else is not a duration", () => {
  for (const text of ["", "5", "m", "5 m", "-5m", "5M", "1e3s", "5m3", "30d", "five", "2147483648ms"]) {
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

test("durations are said in the unit that fits, up to its end", () => {
  const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000];
  for (const [ms, said] of [
    [0, "0 ms"],
    [250.4, "250 ms"],
    [second - 1, "999 ms"],
    [second, "1 s"],
    [1_234, "1.2 s"],
    [65 * second, "65 s"],
    [90 * second - 100, "89.9 s"],
    [90 * second, "2 min"],
    [5 * minute, "5 min"],
    [89.49 * minute, "89 min"],
    // The last that rounds so: the unit is exact to a millisecond.
    [89.5 * minute - 1, "89 min"],
    [89.5 * minute, "90 min"],
    [90 * minute, "2 h"],
    [47.5 * hour - 1, "47 h"],
    [47.5 * hour, "48 h"],
    [2 * day, "2 d"],
    [364.5 * day - 1, "364 d"],
    [364.5 * day, "365 d"],
    [365 * day - 1, "365 d"],
    [365 * day, "more than a year"],
  ] as const) {
    expect([ms, sayDuration(ms)]).toEqual([ms, said]);
  }
});

test("ages are said in whole units, up to the end of each", () => {
  const now = Date.UTC(2025, 5, 1);
  const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000];
  for (const [ms, said] of [
    [0, "0 s"],
    [second - 1, "0 s"],
    [second, "1 s"],
    [minute - 1, "59 s"],
    [minute, "1 min"],
    [hour - 1, "59 min"],
    [hour, "1 h"],
    [day - 1, "23 h"],
    [day, "1 d"],
    [60 * day - 1, "59 d"],
    [60 * day, "2 mo"],
    [90 * day - 1, "2 mo"],
    [730 * day - 1, "24 mo"],
    [730 * day, "2 y"],
    [3 * 365 * day - 1, "2 y"],
    [3 * 365 * day, "3 y"],
  ] as const) {
    expect([ms, relativeTime(now - ms, now)]).toEqual([ms, `${said} ago`]);
    expect([ms, relativeTime(now + ms, now)]).toEqual([ms, ms === 0 ? `${said} ago` : `in ${said}`]);
  }
});

test("sizes are said in decimal units with at most three digits", () => {
  for (const [bytes, said] of [
    [0, "0 B"],
    [999, "999 B"],
    [1_000, "1.0 kB"],
    [9_949, "9.9 kB"],
    [9_950, "10 kB"],
    [999_499, "999 kB"],
    [999_500, "1.0 MB"],
    [64_000_000, "64 MB"],
    [999_500_000, "1.0 GB"],
    [5_000_000_000_000, "5000 GB"],
  ] as const) {
    expect([bytes, sayBytes(bytes)]).toEqual([bytes, said]);
  }
});
