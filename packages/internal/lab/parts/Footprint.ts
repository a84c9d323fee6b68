// Processor time, memory, open files and sockets of a process (Linux).
import { readdirSync, readFileSync, readlinkSync } from "node:fs";

/** Processor time of a process so far, in seconds: of all its threads, to the nanosecond (Linux). */
export const cpuSecondsOf = (pid: number): number => {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ", 1)[0]);
  }
  return nanoseconds / 1e9;
};

/** Resident memory of a process, in MiB (Linux). */
export const residentMibOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1024;

/** Memory, files and sockets of a process. */
export interface Footprint {
  readonly residentMib: number;
  readonly files: number;
  readonly sockets: number;
}

export const footprintOf = (pid: number): Footprint => {
  const files = readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return [readlinkSync(`/proc/${pid}/fd/${name}`)];
    } catch {
      // Closed since it was listed.
      return [];
    }
  });
  return {
    residentMib: residentMibOf(pid),
    files: files.length,
    sockets: files.filter((target) => target.startsWith("socket:")).length,
  };
};
