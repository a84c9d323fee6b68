// Zipf distribution.
import type { Random } from "@bytenite-engines/test-kit/random";

/** A choice among the indexes of weights, each as likely as its weight. */
export const weighted = (weights: ReadonlyArray<number>): ((random: Random) => number) => {
  const upTo = new Float64Array(weights.length);
  let total = 0;
  for (const [index, weight] of weights.entries()) {
    total += weight;
    upTo[index] = total;
  }
  return (random) => {
    const wanted = random.next() * total;
    let low = 0;
    let high = upTo.length - 1;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((upTo[middle] ?? 0) > wanted) high = middle;
      else low = middle + 1;
    }
    return low;
  };
};

/** Weight of a rank (from 1) by Zipf's law. */
export const zipfWeight = (rank: number, exponent: number): number => rank ** -exponent;
