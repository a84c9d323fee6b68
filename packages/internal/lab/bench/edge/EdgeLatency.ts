// Figure: what the last percent of hits waits at a fixed rate.
import { readFile } from "node:fs/promises";
import { cacheBackend, startWorkerd } from "@bytenite-engines/test-kit";
import type { Figure } from "../Figure.ts";
import { ratioOf, spreadOf } from "../Statistics.ts";
import { builtWorker, freshFor, listPath, startUpstream } from "./EdgeStack.ts";
import { atRate } from "./Load.ts";
import { hello } from "./Workers.ts";

/** Largest ratio of the p99 to that of hello. */
const promisedRatio = 2;

export const edgeLatency: Figure = {
  name: "edge-latency",
  title: "Latency of hits at 3,000 requests a second",
  promise: "p99 below twice that of hello.",
  measure: async (effort) => {
    const script = await readFile(builtWorker, "utf8");
    const upstream = await startUpstream();
    await using standalone = await startWorkerd([
      { name: "cache", script: cacheBackend },
      { name: "hello", script: hello },
      { name: "edge", script, cache: "cache", variables: freshFor(upstream.url) },
    ]);
    const p99s: Record<string, Array<number>> = { hello: [], edge: [] };
    const rounds = effort === "quick" ? 3 : 40;
    for (let round = 0; round <= rounds; round++) {
      for (const [name, values] of Object.entries(p99s)) {
        const target = { port: standalone.ports[name] ?? 0, path: listPath, authorization: "bench-token" };
        const latencies = await atRate(target, 3_000, 1_000);
        if (round > 0) values.push(latencies[Math.floor(latencies.length * 0.99)] ?? Number.NaN);
      }
    }
    upstream.stop();
    const { hello: peer = [], edge: own = [] } = p99s;
    const ratio = ratioOf(own, peer);
    return {
      columns: ["p99 ms", "ratio", "range"],
      rows: [
        { name: "workerd, hello", cells: { "p99 ms": spreadOf(peer).median.toFixed(2) } },
        {
          name: "edge proxy, hit of 10 KB",
          cells: {
            "p99 ms": spreadOf(own).median.toFixed(2),
            ratio: ratio.median.toFixed(2),
            range: `${ratio.lower.toFixed(2)}-${ratio.upper.toFixed(2)}`,
          },
          promised: { excess: ratio.median / promisedRatio, least: ratio.lower / promisedRatio, reference: peer },
        },
      ],
      notes: [
        "Open loop, 64 connections, from when each request was due. Each round of a second has a p99 of its own.",
        "A p99 shows every stop of the machine first: where that of hello is more than a few milliseconds, it is the machine's.",
      ],
    };
  },
};
