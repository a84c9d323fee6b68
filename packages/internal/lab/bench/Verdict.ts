// Verdict on a figure: holds, fails, or too noisy.
import { cpus } from "node:os";
import { setTimeout as wait } from "node:timers/promises";
import { medianRange, spreadOf } from "./Statistics.ts";

/** Thoroughness of a run. */
export type Effort = "quick" | "full";

/**
 * `open`: the run is too short to tell. `noisy`: the machine was too busy to tell. `unclear`: the rounds are on both sides of the limit,
 * so far that their median may be on either.
 */
export type Verdict = "holds" | "fails" | "unclear" | "open" | "noisy";

/** A measured time or rate, and its limit. */
export interface Timed {
  /** The figure as a share of its limit (of what must be large, the limit as a share of the figure), round by round: 1 is just kept. */
  readonly rounds: ReadonlyArray<number>;
  /** The reference of the ratio, round by round. */
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
  const { rounds, reference } = promised;
  if (busyShare > maxBusyShare || (reference !== undefined && isFarOff(reference))) return "noisy";
  const [lower, upper] = medianRange(rounds);
  if (upper <= 1) return "holds";
  if (effort === "quick" && (lower <= 1 || spreadOf(rounds).median <= 1 + openShare)) return "open";
  return lower <= 1 ? "unclear" : "fails";
};

const isFarOff = (reference: ReadonlyArray<number>): boolean => {
  const { median, lower, upper } = spreadOf(reference);
  return !((upper - lower) / median <= maxReferenceWidth);
};

/** Duration of watching the machine's load, in milliseconds. */
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
