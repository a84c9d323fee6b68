// Figure: cost of a caching decision, compared with http-cache-semantics.
import { createRequire } from "node:module";
import { httpCache } from "@bytenite-engines/http-cache";
import { CachePolicy } from "@bytenite-engines/http-cache/compat";
import type { Figure } from "../Figure.ts";
import { interleaved, type Contender } from "../Rounds.ts";
import { cpuColumns, cpuRows } from "./CallRows.ts";

const require = createRequire(import.meta.url);
// It has no types, and the same methods.
const Peer = require("http-cache-semantics") as typeof CachePolicy;

const peerName = "http-cache-semantics: satisfiesWithoutRevalidation";

/** Of the time of the peer. */
const promisedRatio = 1;

const contenders = (): ReadonlyArray<Contender> => {
  const nowMs = Date.now();
  const request = {
    url: "https://a.example/x",
    method: "GET",
    headers: {
      host: "a.example",
      accept: "application/json",
      "accept-encoding": "gzip, br",
      "cache-control": "max-age=600",
      "user-agent": "example/1.0",
    },
  };
  const response = {
    status: 200,
    headers: {
      "cache-control": "public, max-age=3600, stale-while-revalidate=60",
      "content-type": "application/json",
      date: new Date(nowMs).toUTCString(),
      etag: '"a"',
      "last-modified": new Date(nowMs - 1e9).toUTCString(),
      vary: "Accept",
    },
  };
  const cache = httpCache();
  const result = cache.store(request, response, { requestTimeMs: nowMs, responseTimeMs: nowMs });
  if (!result.stored) throw new Error(`not stored: ${result.reason}`);
  const { entry } = result;
  const ours = new CachePolicy(request, response);
  const theirs = new Peer(request, response);
  return [
    { name: "evaluate", call: async () => cache.evaluate(request, entry, nowMs + 1_000).action },
    {
      name: "evaluate, and the header of the response",
      call: async () => {
        const evaluation = cache.evaluate(request, entry, nowMs + 1_000);
        return "response" in evaluation && evaluation.response;
      },
    },
    { name: "compat: satisfiesWithoutRevalidation", call: async () => ours.satisfiesWithoutRevalidation(request) },
    { name: peerName, call: async () => theirs.satisfiesWithoutRevalidation(request) },
  ];
};

export const cachePolicy: Figure = {
  name: "cache-policy",
  title: "A caching decision",
  promise: `\`evaluate\` of http-cache in at most the time that http-cache-semantics takes to decide the same.`,
  measure: async (effort) => {
    const extent = { rounds: effort === "quick" ? 6 : 40, calls: 5_000, concurrency: 1 };
    const samples = await interleaved(contenders(), extent);
    return {
      columns: cpuColumns,
      rows: cpuRows(samples, peerName, { evaluate: promisedRatio }),
      notes: [
        "Ratios are to http-cache-semantics, which makes response headers with each decision; `evaluate` makes them when read.",
      ],
    };
  },
};
