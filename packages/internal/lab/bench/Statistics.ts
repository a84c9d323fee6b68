// Medians, spreads and ratios of samples.

/** The middle of some numbers, and between which values the middle half of them lies. */
export interface Spread {
  readonly median: number;
  readonly lower: number;
  readonly upper: number;
}

/** The spread of some numbers; NaN for none. */
export const spreadOf = (values: ReadonlyArray<number>): Spread => {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: quantile(sorted, 0.5), lower: quantile(sorted, 0.25), upper: quantile(sorted, 0.75) };
};

/** The value below which a share of sorted numbers lies, between neighbours in proportion; NaN for none. */
export const quantile = (sorted: ReadonlyArray<number>, share: number): number => {
  const at = (sorted.length - 1) * share;
  const below = sorted[Math.floor(at)] ?? Number.NaN;
  const above = sorted[Math.ceil(at)] ?? Number.NaN;
  return below + (above - below) * (at - Math.floor(at));
};

/** Between which values the median of all that these are drawn from lies, with 95 %: order statistics. Fewer than two values say nothing. */
export const medianRange = (values: ReadonlyArray<number>): readonly [lower: number, upper: number] => {
  const sorted = values.toSorted((a, b) => a - b);
  if (sorted.length < 2) return [Number.NEGATIVE_INFINITY, Number.POSITIVE_INFINITY];
  const rank = Math.max(0, Math.floor(sorted.length / 2 - 0.98 * Math.sqrt(sorted.length)));
  return [sorted[rank] ?? Number.NaN, sorted.at(-1 - rank) ?? Number.NaN];
};

/** The ratios round by round. */
export const ratios = (values: ReadonlyArray<number>, peers: ReadonlyArray<number>): ReadonlyArray<number> =>
  values.map((value, index) => value / (peers[index] ?? Number.NaN));

/**
 * The spread of the ratios round by round. What slows the machine for a while slows both sides of a round, so the middle
 * ratio is steadier than the ratio of the medians.
 */
export const ratioOf = (values: ReadonlyArray<number>, peers: ReadonlyArray<number>): Spread =>
  spreadOf(ratios(values, peers));
