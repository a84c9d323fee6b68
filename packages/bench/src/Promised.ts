// Decides: when a measured figure keeps its promise.
import type { Effort } from "./Figure.ts";

/** Whether a promise is kept; "open" where a run is too short to tell. */
export type Kept = boolean | "open";

/** A quick run has few and short rounds: what it finds beyond a limit by less than this share may be the machine's doing. */
const openShare = 0.15;

/** `excess` is the figure as a share of its limit (of what must be large, the limit as a share of the figure): 1 is just kept. */
export const isKept = (excess: number, effort: Effort): Kept => {
  if (excess <= 1) return true;
  return effort === "quick" && excess <= 1 + openShare ? "open" : false;
};
