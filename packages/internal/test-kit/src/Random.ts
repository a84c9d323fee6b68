// Seeded random numbers.

/** A sequence of random numbers. */
export interface Random {
  /** From 0 up to 1. */
  readonly next: () => number;
  /** A whole number from 0 up to `below`. */
  readonly below: (below: number) => number;
  readonly chance: (probability: number) => boolean;
  /** One of a list, which must not be empty. */
  readonly pick: <A>(list: ReadonlyArray<A>) => A;
  /** A time to wait between events that know nothing of each other. */
  readonly exponential: (mean: number) => number;
}

/** mulberry32: 32 bits of state, fast, and uniform enough for tests. */
export const seeded = (seed: number): Random => {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
  const below = (limit: number): number => Math.floor(next() * limit);
  return {
    next,
    below,
    chance: (probability) => next() < probability,
    pick: <A>(list: ReadonlyArray<A>): A => {
      if (list.length === 0) throw new RangeError("there is nothing to pick from");
      return list[below(list.length)] as A;
    },
    exponential: (mean) => -Math.log(1 - next()) * mean,
  };
};
