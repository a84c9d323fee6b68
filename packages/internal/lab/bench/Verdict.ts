// Verdict on a figure: holds, fails, or too noisy.
import { cpus } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { spreadOf } from "./Statistics.ts";

/** How thoroughly is measured. */
export type Effort = "quick" | "full";

/** `open`: the run is too short to tell. `noisy`: the machine was too busy to tell. */
export type Verdict = "holds" | "fails" | "open" | "noisy";

/** A measured time or rate, and its limit. */
export interface Timed {
  /** The figure as a share of its limit (of what must be large, the limit as a share of the figure): 1 is just kept. */
  readonly excess: number;
  /** The same at the better end of the middle half of the rounds. Default: `excess`. */
  readonly least?: number;
  /** What the figure is a ratio to, round by round. */
  readonly reference?: ReadonlyArray<number>;
}

/** A quick run has few and short rounds: what it finds beyond a limit by less than this share may be the machine's doing. */
const openShare = 0.25;

/** Largest width of the middle half of a reference's rounds, as a share of their median. Beyond it the reference says nothing. */
const maxReferenceWidth = 0.5;

/** Largest share of all processors that other work may take, before a figure is measured and after it. */
const maxBusyShare = 0.25;

/** The verdict on a figure. What does not depend on time is a boolean, and no machine is too busy for it. */
export const verdictOf = (promised: boolean | Timed, effort: Effort, busyShare: number): Verdict => {
  if (typeof promised === "boolean") return promised ? "holds" : "fails";
  const { excess, least = excess, reference } = promised;
  if (busyShare > maxBusyShare || (reference !== undefined && isFarOff(reference))) return "noisy";
  if (excess <= 1) return "holds";
  return effort === "quick" && (excess <= 1 + openShare || least <= 1) ? "open" : "fails";
};

const isFarOff = (reference: ReadonlyArray<number>): boolean => {
  const { median, lower, upper } = spreadOf(reference);
  return !((upper - lower) / median <= maxReferenceWidth);
};

/** How long the machine is watched, in milliseconds. */
const watchMs = 500;

/** The share of all processors that is in use while this process waits: the work of others. */
export const busyShareNow = async (): Promise<number> => {
  const before = processorTimes();
  await wait(watchMs);
  const after = processorTimes();
  return 1 - (after.idle - before.idle) / Math.max(after.all - before.all, 1);
};

const processorTimes = (): { readonly idle: number; readonly all: number } => {
  let idle = 0;
  let all = 0;
  for (const { times } of cpus()) {
    idle += times.idle;
    all += times.idle + times.user + times.nice + times.sys + times.irq;
  }
  return { idle, all };
};
