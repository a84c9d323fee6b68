// Memory, open files and sockets of a process (Linux).
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** What a process holds at a moment. */
export interface Footprint {
  readonly residentMib: number;
  readonly files: number;
  readonly sockets: number;
}

export const footprintOf = (pid: number): Footprint => {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const files = readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)];
    } catch {
      // Closed since it was listed.
      return [];
    }
  });
  return {
    residentMib: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? Number.NaN) / 1_024,
    files: files.length,
    sockets: files.filter((target) => target.startsWith("socket:")).length,
  };
};

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Heap of this process that is in use once all garbage is gone, in MiB. */
export const ownHeapMib = (): number => {
  collectGarbage();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

/** Samples at the beginning and at the end that are compared. */
const compared = 5;

/** How values went from the first few to the last few, by their medians; undefined: there are too few. */
export const growthOf = (values: ReadonlyArray<number>): { readonly from: number; readonly to: number } | undefined =>
  values.length < 2 * compared
    ? undefined
    : { from: median(values.slice(0, compared)), to: median(values.slice(-compared)) };

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;
