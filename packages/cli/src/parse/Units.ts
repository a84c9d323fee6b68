// Durations and sizes: how they are written, and how they are shown.

const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Longest duration: what a timer can hold (2^31 - 1 ms, about 24 days). */
export const maxDurationMs = 2_147_483_647;

/** Milliseconds of `500ms`, `30s`, `5m`, `1h30m`, or undefined for anything else. A unit is needed. */
export const parseDuration = (text: string): number | undefined => {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|[smhd]))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    total += Number(amount) * Number(unitsMs[unit ?? ""]);
  }
  return total <= maxDurationMs ? Math.round(total) : undefined;
};

/** A duration for people, with the unit that fits: `250 ms`, `1.2 s`, `5 min`, `3 h`. */
export const sayDuration = (ms: number): string => {
  if (ms < 1_000) return `${Math.round(ms)} ms`;
  if (ms < 90_000) return `${Number((ms / 1_000).toFixed(1))} s`;
  if (ms < 5_400_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return ms < 31_536_000_000 ? `${Math.round(ms / 86_400_000)} d` : "more than a year";
};

const ages: ReadonlyArray<readonly [limitMs: number, unitMs: number, unit: string]> = [
  [60_000, 1_000, "s"],
  [3_600_000, 60_000, "min"],
  [86_400_000, 3_600_000, "h"],
  [86_400_000 * 60, 86_400_000, "d"],
  [86_400_000 * 730, 86_400_000 * 30, "mo"],
];
const year = [Infinity, 86_400_000 * 365, "y"] as const;

/** How long ago a moment was: `12 s ago`, `3 d ago`, `in 5 min`. */
export const relativeTime = (thenMs: number, nowMs: number): string => {
  const distanceMs = Math.abs(nowMs - thenMs);
  const [, unitMs, unit] = ages.find(([limitMs]) => distanceMs < limitMs) ?? year;
  const amount = `${Math.floor(distanceMs / unitMs)} ${unit}`;
  return thenMs > nowMs ? `in ${amount}` : `${amount} ago`;
};

const units = ["B", "kB", "MB", "GB"] as const;

/** `812 B`, `1.2 kB`, `64 MB`: decimal units, at most three digits. */
export const sayBytes = (bytes: number): string => {
  let value = bytes;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1_000;
    unit += 1;
  }
  return `${unit > 0 && value < 9.95 ? value.toFixed(1) : Math.round(value)} ${units[unit]}`;
};
