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

/**
 * The spread of the ratios round by round. What slows the machine for a while slows both sides of a round, so the middle
 * ratio is steadier than the ratio of the medians.
 */
export const ratioOf = (values: ReadonlyArray<number>, peers: ReadonlyArray<number>): Spread =>
  spreadOf(values.map((value, index) => value / (peers[index] ?? Number.NaN)));
