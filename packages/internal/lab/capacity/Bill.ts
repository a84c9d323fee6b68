// Monthly cost and database size of a scenario.
import type { ReadName } from "@bytenite-engines/core/wire";
import { readFileSync } from "node:fs";
import { costOf, d1QueriesPerSecond, d1Regions, prices } from "./Prices.ts";
import type { Simulated, Stretch } from "./Simulation.ts";

const secondsPerMonth = 30 * 24 * 3_600;

/**
 * Processor time of the proxy for one request, in microseconds: a hit in memory and one in the Cache API as
 * `pnpm bench edge-hits` measures them; what is more for an exchange with the upstream as `pnpm capacity` measures it.
 */
export interface CpuMicroseconds {
  readonly memory: number;
  readonly dataCentre: number;
  readonly exchange: number;
}

/** The microseconds of a row of `pnpm bench edge-hits`, as BENCHMARKS.md has them. */
const benchmarked = (row: string): number => {
  const line = benchmarks.split("\n").find((line) => line.startsWith(`| ${row}`));
  const us = Number(line?.split("|")[2]);
  if (!(us > 0)) throw new Error(`BENCHMARKS.md has no time for the row ${row}`);
  return us;
};

const benchmarks = readFileSync(new URL("../../../../BENCHMARKS.md", import.meta.url), "utf8");

/** As the page on capacity has it from the last run. */
const measuredExchangeUs = Number(
  /of an upstream request ([\d,]+) µs more/
    .exec(readFileSync(new URL("../../../../docs/capacity.md", import.meta.url), "utf8"))?.[1]
    ?.replaceAll(",", ""),
);

export const cpu: CpuMicroseconds = {
  memory: benchmarked("edge proxy, hit in memory (ratio to the map)"),
  dataCentre: benchmarked("edge proxy, hit in the Cache API, decrypted"),
  exchange: measuredExchangeUs,
};

/** Rows that one answer of the registry reads on D1: five for the credential and its user, and those of the engines. */
export const rowsRead: Readonly<Record<ReadName, number>> = { list: 26, get: 6, status: 6 };
/** Queries that one answer of the registry takes: who asks, and what they get. */
const queriesOfAnswer = 2;

/**
 * Milliseconds for which an isolate of the registry looks credentials up in copies; then it asks the primary once. Its isolates are taken
 * to be as many as those of the proxy.
 */
const credentialsBehindMs = Number(
  /credentialsBehindMs = ([\d_]+)/
    .exec(readFileSync(new URL("../../../../apps/registry/src/D1Driver.ts", import.meta.url), "utf8"))?.[1]
    ?.replaceAll("_", ""),
);

/** Dollars a month, and load on the database. */
export interface Bill {
  readonly requests: number;
  readonly cpu: number;
  /** A line of log for each request, as LOG=all writes them; as deployed there are lines for errors alone. */
  readonly logs: number;
  /** Such lines a day. */
  readonly logLinesPerDay: number;
  /** A data point for each request, where ANALYTICS is bound. */
  readonly analytics: number;
  readonly d1: number;
  readonly upstreamPerSecond: number;
  readonly d1QueriesPerSecond: number;
  /** Those of them that only the primary answers. */
  readonly d1PrimaryPerSecond: number;
  /** Databases that a shard each would need, without replicas, and with one in every region. */
  readonly d1Databases: number;
  readonly d1Replicated: number;
}

export const billOf = ({ scenario }: Simulated, stretch: Stretch): Bill => {
  const month = scenario.perSecond * secondsPerMonth;
  const share = (count: number): number => count / Math.max(stretch.requests, 1);
  const { became, upstream, upstreamBy } = stretch;
  const inMemory = share(became.memory);
  const cpuMs =
    (month * (inMemory * cpu.memory + (1 - inMemory) * cpu.dataCentre + share(upstream) * cpu.exchange)) / 1_000;
  // A call of the cached entrypoint may count like a request, whether it is a hit or not.
  const inner = scenario.workersCache ? share(became["workers-cache"] + became.fetched) : 0;
  const rows = Object.entries(upstreamBy).reduce(
    (sum, [endpoint, count]) => sum + month * share(count) * rowsRead[endpoint as ReadName],
    0,
  );
  const upstreamPerSecond = scenario.perSecond * share(upstream);
  const queries = upstreamPerSecond * queriesOfAnswer;
  const isolates = scenario.dataCentres * scenario.isolates;
  const primary = Math.min(upstreamPerSecond, isolates / (credentialsBehindMs / 1_000));
  const ofCopies = queries - primary;
  return {
    requests: costOf(month * (1 + inner), prices.requests),
    cpu: costOf(cpuMs, prices.cpuMilliseconds),
    logs: costOf(month, prices.logEvents),
    logLinesPerDay: scenario.perSecond * 24 * 3_600,
    analytics: costOf(month, prices.analyticsPoints),
    d1: costOf(rows, prices.d1RowsRead),
    upstreamPerSecond,
    d1QueriesPerSecond: queries,
    d1PrimaryPerSecond: primary,
    d1Databases: Math.ceil(queries / d1QueriesPerSecond),
    // The primary is asked for engines, too, by those who are nearest to it.
    d1Replicated: Math.ceil((primary + ofCopies / d1Regions) / d1QueriesPerSecond),
  };
};
