// Figure: memory of an isolate with unlimited keys and tokens.
import { readFile } from "node:fs/promises";
import { startWorkerd } from "@bytenite-engines/test-kit";
import type { Figure } from "../Figure.ts";
import { builtWorker } from "./EdgeStack.ts";
import { residentMibOf } from "../../parts/Footprint.ts";
import { flooding } from "./Workers.ts";

/** Heap that V8 may use in the run, in MiB. What does not fit ends the run; production ends an isolate at 128 in all. */
const heapMib = 64;
/** Most that heap and kept answers may take together, in MiB: 100 MB. */
const maxMib = 100e6 / 2 ** 20;
/** Keys between two memory measurements. */
const keysEach = 1_000;

/** Forwards like the proxy and stores nothing: the reference for the runtime itself. */
const keepsNothing = `export default {
  async fetch(request, env) {
    const answer = await env.UPSTREAM.fetch(request.url, { headers: request.headers });
    return new Response(await answer.arrayBuffer());
  },
};`;

const adminSecret = "a-secret-of-the-bench";

/** Sends each key once; returns the growth of the process and the number of answers other than 200. */
const flood = async (edge: string, keys: number): Promise<{ mib: number; errors: number; keptMib: number }> => {
  const variables = {
    UPSTREAM_URL: "http://upstream.invalid/v1/dev",
    LIST_FRESH_SECONDS: "600",
    ADMIN_SECRET: adminSecret,
  };
  await using standalone = await startWorkerd(
    [{ name: "flood", script: flooding(2_000), modules: { edge }, variables }],
    [`--max-heap-size=${heapMib}`],
  );
  const url = `http://127.0.0.1:${standalone.ports["flood"] ?? 0}`;
  const idleMib = residentMibOf(standalone.pid);
  let mostMib = idleMib;
  let errors = 0;
  for (let from = 0; from < keys; from += keysEach) {
    const answer = await fetch(`${url}/?from=${from}&count=${keysEach}`);
    errors += answer.ok ? Number(await answer.text()) : keysEach;
    mostMib = Math.max(mostMib, residentMibOf(standalone.pid));
  }
  const metrics = await fetch(`${url}/-/metrics`, { headers: { authorization: adminSecret } });
  const kept = /^bytenite_edge_memory_bytes (\d+)$/m.exec(await metrics.text())?.[1];
  return { mib: mostMib - idleMib, errors, keptMib: Number(kept ?? 0) / 2 ** 20 };
};

export const edgeMemory: Figure = {
  name: "edge-memory",
  title: "A million keys of ten thousand tokens through one isolate",
  promise: `no error with V8 limited to ${heapMib} MiB of heap; that limit and the kept answers together under 100 MB.`,
  measure: async (effort) => {
    const keys = effort === "quick" ? 10_000 : 1_000_000;
    // The peak of a worker that keeps nothing is there after a few thousand; fewer keys take off less, if anything.
    const bareKeys = effort === "quick" ? 10_000 : 30_000;
    const nothing = await flood(keepsNothing, bareKeys);
    const edge = await flood(await readFile(builtWorker, "utf8"), keys);
    const overMib = edge.mib - nothing.mib;
    return {
      columns: [
        "keys",
        "errors",
        "heap at most, MiB",
        "answers kept, MiB",
        "process grew by, MiB",
        "more than bare, MiB",
      ],
      rows: [
        {
          name: "edge proxy, defaults, answers of 2 KB",
          cells: {
            keys: `${keys}`,
            errors: `${edge.errors}`,
            "heap at most, MiB": `${heapMib}`,
            "answers kept, MiB": edge.keptMib.toFixed(1),
            "process grew by, MiB": edge.mib.toFixed(0),
            "more than bare, MiB": overMib.toFixed(0),
          },
          promised: edge.errors === 0 && heapMib + edge.keptMib < maxMib && overMib < maxMib,
        },
        {
          name: "a worker that keeps nothing",
          cells: { keys: `${bareKeys}`, errors: `${nothing.errors}`, "process grew by, MiB": nothing.mib.toFixed(0) },
        },
      ],
      notes: [
        `V8 ran with --max-heap-size=${heapMib}; bytes of responses are outside that heap.`,
        "The last column subtracts the peak of a worker that keeps nothing.",
      ],
    };
  },
};
