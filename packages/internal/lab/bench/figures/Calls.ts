// Figure: cost of a call over loopback, compared with other clients.
import { startProcess } from "@bytenite-engines/test-kit";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { everybody } from "../call/Clients.ts";
import type { Figure, FigureRow } from "../Figure.ts";
import type { Effort } from "../Verdict.ts";
import { takingTurns, type Extent, type Measurable, type Sample } from "../Rounds.ts";
import { callColumns, callRow, type CallLimits } from "./CallRows.ts";

/** Largest ratio to bare fetch + decode of the same body. */
export const callLimit = 1.25;

/** References of the ratios. */
const peerName = "bare fetch + decode, protobuf";

/** Ours over node:http. */
const overNode = "core, nodeFetch";

/** Largest ratios to bare fetch + decode, by client, alone and at once. */
const limitsOf = (name: string, concurrency: number): CallLimits | undefined => {
  if (name === "core") return { wall: callLimit, cpu: callLimit };
  if (name !== overNode) return undefined;
  return concurrency === 1 ? { wall: 0.75, cpu: 0.75 } : { wall: 0.7, cpu: 0.6 };
};

/** Clients that core must be faster than. */
const slower = ["connect-es", "Stainless SDK (openai)"];

/** The least that a call with our guarantees can cost. */
const floors = ["fetch + timeout + limit + decode, protobuf", "node:http + timeout + limit + decode, protobuf"];

/**
 * Their ratios are near their limits: many rounds, with few others between a round and that of its reference, and several
 * processes each, since one may be a tenth quicker than another.
 */
const near = new Set([peerName, ...floors, "core", overNode]);
/** The others are compared with these. */
const references = new Set([peerName, "core"]);

/** Until its code is compiled, a client takes more processor time than later, in threads of its own: 20,000 calls and more. */
const warmUp = { calls: 20_480, concurrency: 64 };

/** Rounds must be long compared with a full garbage collection. */
const extents = {
  quick: [
    { rounds: 10, processes: 1, calls: 120, concurrency: 1 },
    { rounds: 5, processes: 1, calls: 640, concurrency: 64 },
  ],
  full: [
    { rounds: 24, processes: 4, calls: 1_000, concurrency: 1, warmUp },
    { rounds: 24, processes: 8, calls: 2_560, concurrency: 64, warmUp },
  ],
} satisfies Readonly<Record<Effort, ReadonlyArray<Extent & { readonly processes: number }>>>;

/** Starts the client of this name against an origin. It ends when it is disposed of, or with its parent. */
const clientProcess = (name: string, origin: string): Measurable & AsyncDisposable => {
  const script = fileURLToPath(new URL("../call/serveRounds.ts", import.meta.url));
  const child = spawn(process.execPath, [script, name, origin], { stdio: ["pipe", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    name,
    round: async (extent: Extent): Promise<Sample> => {
      child.stdin.write(`${JSON.stringify(extent)}\n`);
      const { value, done } = await lines.next();
      if (done === true) throw new Error(`the process of ${name} ended`);
      return JSON.parse(value) as Sample;
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      await exited;
    },
  };
};

export const calls: Figure = {
  name: "calls",
  title: "One GET of one engine over loopback",
  promise: `at most ${callLimit.toFixed(2)}x of bare fetch + decode of the same protobuf body, wall and CPU, alone and 64 at once; over node:http at most 0.75 alone, and 0.70 of its wall and 0.60 of its CPU time at 64; faster than connect-es and a Stainless SDK.`,
  charts: ["alone", "64 at once"].map((at) => ({
    name: `calls-${at.replaceAll(" ", "-")}`,
    title: `One GET of one engine over loopback, ${at}`,
    subtitle: "processor time of the caller, as a ratio to bare fetch + decode; shorter is better",
    column: "cpu ratio",
    barOf: (row) => (row.startsWith(`${at}: `) && !row.includes(" to ") ? row.slice(at.length + 2) : undefined),
    isOurs: (bar) => bar.startsWith("core"),
  })),
  measure: async (effort) => {
    await using server = await startProcess(["packages/internal/lab/bench/call/serveEngine.ts"]);
    const rows: Array<FigureRow> = [];
    /** The samples of clients, each in a process of its own. */
    const measured = async (extent: Extent, isOne: (name: string) => boolean) => {
      await using clients = new AsyncDisposableStack();
      const names = everybody(server.said, globalThis.fetch).map(({ name }) => name);
      return await takingTurns(
        names.filter(isOne).map((name) => clients.use(clientProcess(name, server.said))),
        extent,
      );
    };
    for (const { processes, ...extent } of extents[effort]) {
      const { concurrency } = extent;
      const at = concurrency === 1 ? "alone" : `${concurrency} at once`;
      const isFurther = (name: string): boolean =>
        references.has(name) || (effort === "full" ? !near.has(name) : slower.includes(name));
      const held = new Map<string, Array<Sample>>();
      for (let each = 0; each < processes; each++) {
        const samples = await measured(extent, (name) => near.has(name));
        for (const [name, own] of samples) held.set(name, [...(held.get(name) ?? []), ...own]);
      }
      const further = await measured(extent, isFurther);
      for (const samples of [held, further]) {
        for (const [name, own] of samples) {
          if (samples === further && references.has(name)) continue;
          rows.push(callRow(`${at}: ${name}`, own, samples.get(peerName) ?? [], limitsOf(name, concurrency)));
        }
      }
      for (const peer of slower) {
        const [own = [], other = []] = [further.get("core"), further.get(peer)];
        rows.push(callRow(`${at}: core to ${peer}`, own, other, { wall: 1, cpu: 1 }));
      }
    }
    return {
      columns: callColumns,
      rows,
      notes: [
        "Ratios are to `bare fetch + decode, protobuf` unless named. CPU is the client's, after 20,000 calls.",
        "connect-es has no retries. The others JSON.parse.",
      ],
    };
  },
};
