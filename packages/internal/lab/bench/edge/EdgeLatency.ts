// Figure: what the last percent of hits waits at a fixed rate.
import { readFile } from "node:fs/promises";
import { cacheBackend, startWorkerd } from "@bytenite-engines/test-kit";
import type { Figure } from "../Figure.ts";
import { ratioOf, spreadOf } from "../Statistics.ts";
import { builtWorker, deployedFor, listPath, startUpstream } from "./EdgeStack.ts";
import { atRate, type Expected } from "./Load.ts";
import { answerBytes, hello } from "./Workers.ts";

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
      { name: "edge", script, cache: "cache", variables: deployedFor(upstream.url) },
    ]);
    const expected: Readonly<Record<string, Expected>> = {
      hello: { status: 200, length: "hello".length },
      edge: { status: 200, length: answerBytes, cacheStatus: "; hit" },
    };
    // The first answer is none from a cache.
    await (
      await fetch(`http://127.0.0.1:${standalone.ports["edge"]}${listPath}`, {
        headers: { authorization: "bench-token" },
      })
    ).arrayBuffer();
    const p99s: Record<string, Array<number>> = { hello: [], edge: [] };
    const rounds = effort === "quick" ? 3 : 40;
    for (let round = 0; round <= rounds; round++) {
      for (const [name, values] of Object.entries(p99s)) {
        const right = expected[name];
        if (right === undefined) continue;
        const target = { port: standalone.ports[name] ?? 0, path: listPath, authorization: "bench-token" };
        const latencies = await atRate(target, right, 3_000, 1_000);
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
        "Open loop, 64 connections, timed from when each request was due; every response is checked. One p99 per round of a second.",
        "More than a few milliseconds of hello are pauses of the machine.",
      ],
    };
  },
};
