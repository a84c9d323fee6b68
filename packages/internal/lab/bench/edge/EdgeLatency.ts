// Figure: latency of the slowest percent of hits at a fixed rate.
import type { Figure } from "../Figure.ts";
import { quantile, ratioOf, ratios, spreadOf } from "../Statistics.ts";
import { deployedFor, listOf, startEdge, startUpstream } from "./EdgeStack.ts";
import { atRate, Connection } from "./Load.ts";
import { answerBytes, hello } from "./Workers.ts";

/** Largest ratio of the p99 to that of hello. */
const promisedRatio = 2;

export const edgeLatency: Figure = {
  name: "edge-latency",
  title: "Latency of hits at 3,000 requests a second",
  promise: "p99 below twice that of hello.",
  measure: async (effort) => {
    const upstream = await startUpstream();
    await using standalone = await startEdge(deployedFor(upstream.url), { name: "hello", script: hello });
    const request = listOf("bench-token");
    const portOf = (name: string): number => standalone.ports[name] ?? 0;
    // The first answer is none from a cache.
    const first = await Connection.open(portOf("edge"));
    await first.send(request);
    first.close();
    const [peer, own]: readonly [Array<number>, Array<number>] = [[], []];
    const rounds = effort === "quick" ? 3 : 40;
    for (let round = 0; round <= rounds; round++) {
      for (const [name, values, expected] of [
        ["hello", peer, { length: "hello".length }],
        ["edge", own, { length: answerBytes, cacheStatus: "; hit" }],
      ] as const) {
        const latencies = await atRate(portOf(name), request, { status: 200, ...expected }, 3_000, 1_000);
        if (round > 0) values.push(quantile(latencies, 0.99));
      }
    }
    upstream.stop();
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
          promised: { rounds: ratios(own, peer).map((one) => one / promisedRatio), reference: peer },
        },
      ],
      notes: ["Open loop, 64 connections, timed from when each request was due."],
    };
  },
};
