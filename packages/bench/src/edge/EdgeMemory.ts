// Figure: how much memory an isolate takes when keys and tokens never end.
import { readFile } from "node:fs/promises";
import type { Figure } from "../Figure.ts";
import { builtWorker, listOf } from "./EdgeStack.ts";
import { Connection, residentMibOf } from "./Load.ts";
import { startWorkerd } from "./Standalone.ts";
import { cacheBackend, upstream } from "./Workers.ts";

/** Heap that V8 may use in the run, in MiB. What does not fit ends the run; production ends an isolate at 128 in all. */
const heapMib = 64;
/** Most that heap and kept answers may take together, in MiB: 100 MB. */
const maxMib = 100e6 / 2 ** 20;

/** Asks the upstream like the proxy does, and keeps nothing: what the runtime itself makes of such a load. */
const keepsNothing = `export default {
  async fetch(request, env) {
    const answer = await env.UPSTREAM.fetch(request.url, { headers: request.headers });
    return new Response(await answer.arrayBuffer());
  },
};`;

const adminSecret = "a-secret-of-the-bench";

/** Sends each key once, of so many tokens; what the process grew by, and how many answers were not 200. */
const flood = async (script: string, keys: number): Promise<{ mib: number; errors: number; keptMib: number }> => {
  await using standalone = await startWorkerd(
    [
      { name: "cache", script: cacheBackend(false) },
      { name: "upstream", script: upstream(2_000) },
      {
        name: "edge",
        script,
        cache: "cache",
        services: { UPSTREAM: "upstream" },
        variables: {
          UPSTREAM_URL: "http://upstream.invalid/v1/dev",
          LIST_FRESH_SECONDS: "600",
          ADMIN_SECRET: adminSecret,
        },
      },
    ],
    [`--max-heap-size=${heapMib}`],
  );
  const port = standalone.ports["edge"] ?? 0;
  const idleMib = residentMibOf(standalone.pid);
  const connections = await Connection.openMany(port, 32);
  let next = 0;
  let mostMib = idleMib;
  let errors = 0;
  await Promise.all(
    connections.map(async (connection) => {
      while (next < keys) {
        const key = next++;
        const status = await connection.send(listOf(`token-${key % 10_000}`, `?pagination.offset=${key}`));
        if (status !== 200) errors += 1;
        if (key % 5_000 === 0) mostMib = Math.max(mostMib, residentMibOf(standalone.pid));
      }
    }),
  );
  for (const connection of connections) connection.close();
  const metrics = await fetch(`http://127.0.0.1:${port}/-/metrics`, { headers: { authorization: adminSecret } });
  const kept = /^bytenite_edge_memory_bytes (\d+)$/m.exec(await metrics.text())?.[1];
  return { mib: mostMib - idleMib, errors, keptMib: Number(kept ?? 0) / 2 ** 20 };
};

export const edgeMemory: Figure = {
  name: "edge-memory",
  title: "A million keys of ten thousand tokens through one isolate",
  promise: "under 100 MB.",
  measure: async (effort) => {
    const keys = effort === "quick" ? 30_000 : 1_000_000;
    const edge = await flood(await readFile(builtWorker, "utf8"), keys);
    const nothing = await flood(keepsNothing, keys);
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
          holds: edge.errors === 0 && heapMib + edge.keptMib < maxMib && overMib < maxMib,
        },
        {
          name: "a worker that keeps nothing",
          cells: { keys: `${keys}`, errors: `${nothing.errors}`, "process grew by, MiB": nothing.mib.toFixed(0) },
        },
      ],
      notes: [
        `V8 ran with --max-heap-size=${heapMib}: an isolate that needed more would have ended the run. The bytes of answers lie outside of that heap and are counted by the proxy.`,
        "workerd alone gives memory back late: a worker that keeps nothing grows too, is shown beside, and its peak is taken off in the last column. Peaks of the resident set of the whole process, looked at every 5,000 requests.",
      ],
    };
  },
};
