// Decides: when a measured figure keeps its promise.
import type { Effort } from "./Figure.ts";

/** Whether a promise is kept; "open" where a run is too short to tell. */
export type Kept = boolean | "open";

/** A quick run has few and short rounds: what it finds beyond a limit by less than this share may be the machine's doing. */
const openShare = 0.25;

/**
 * `excess` is the figure as a share of its limit (of what must be large, the limit as a share of the figure): 1 is just kept.
 * `least` is the lower end of the middle half of its rounds: where that keeps the promise, a quick run does not say more.
 */
export const isKept = (excess: number, effort: Effort, least = excess): Kept => {
  if (excess <= 1) return true;
  return effort === "quick" && (excess <= 1 + openShare || least <= 1) ? "open" : false;
};
