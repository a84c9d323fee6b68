// Figure: heap, timers and listeners over many calls.
import { startProcess } from "@bytenite-engines/test-kit";
import { spawn } from "node:child_process";
import { text } from "node:stream/consumers";
import { fileURLToPath } from "node:url";
import type { Figure, FigureRow } from "../Figure.ts";

const probe = fileURLToPath(new URL("../call/heapProbe.ts", import.meta.url));

/** Growth from the second tenth of the calls to the last that still counts as flat, in bytes. */
const flatBytes = 1_000_000;

interface Probed {
  readonly heap: ReadonlyArray<number>;
  readonly timers: number;
  readonly listeners: number;
}

const probed = async (origin: string, kind: string, calls: number): Promise<Probed> => {
  const child = spawn(process.execPath, ["--expose-gc", probe, origin, kind, String(calls)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  return JSON.parse(await text(child.stdout)) as Probed;
};

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(2);

export const heap: Figure = {
  name: "heap",
  title: "Heap over many calls",
  promise: "flat over 100,000 calls, 10,000 failed ones and 10,000 aborted ones; no listeners or timers left.",
  measure: async (effort) => {
    await using server = await startProcess(["packages/internal/lab/bench/call/serveEngine.ts"]);
    const share = effort === "quick" ? 20 : 1;
    const rows: Array<FigureRow> = [];
    for (const [kind, whole] of [
      ["succeeding", 100_000],
      ["failing", 10_000],
      ["aborted", 10_000],
    ] as const) {
      const calls = whole / share;
      const { heap, timers, listeners } = await probed(server.said, kind, calls);
      const [early = 0, last = 0] = [heap[1], heap.at(-1)];
      rows.push({
        name: `${calls.toLocaleString("en")} calls, ${kind}`,
        cells: {
          "MB after 20 %": megabytes(early),
          "MB at the end": megabytes(last),
          "growth, kB": ((last - early) / 1_000).toFixed(0),
          timers: String(timers),
          listeners: String(listeners),
        },
        promised: last - early <= flatBytes && timers === 0 && listeners === 0,
      });
    }
    return {
      columns: ["MB after 20 %", "MB at the end", "growth, kB", "timers", "listeners"],
      rows,
      notes: ["After full collections. Flat: within 1 MB."],
    };
  },
};
