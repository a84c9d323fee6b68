// Decides: what a world costs in a month, and how much database it wants.
import type { ReadName } from "@bytenite-engines/core/wire";
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

export const cpu: CpuMicroseconds = { memory: 64, dataCentre: 166, exchange: 2_200 };

/** Rows that one answer of the registry reads on D1: the credential, the user, and the engines. */
const rowsRead: Readonly<Record<ReadName, number>> = { list: 23, get: 3, status: 3 };
/** Queries that one answer takes: who asks, and what they get. */
const queriesPerAnswer = 2;

/** Dollars a month, and load on the database. */
export interface Bill {
  readonly requests: number;
  readonly cpu: number;
  /** One line of log for each request, as wrangler.jsonc has it. */
  readonly logs: number;
  readonly d1: number;
  readonly upstreamPerSecond: number;
  readonly d1QueriesPerSecond: number;
  /** Databases that a shard each would need; and whether one with a replica in every region would do. */
  readonly d1Databases: number;
  readonly fitsReplicas: boolean;
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
  const queries = upstreamPerSecond * queriesPerAnswer;
  return {
    requests: costOf(month * (1 + inner), prices.requests),
    cpu: costOf(cpuMs, prices.cpuMilliseconds),
    logs: costOf(month, prices.logEvents),
    d1: costOf(rows, prices.d1RowsRead),
    upstreamPerSecond,
    d1QueriesPerSecond: queries,
    d1Databases: Math.ceil(queries / d1QueriesPerSecond),
    fitsReplicas: queries <= d1Regions * d1QueriesPerSecond,
  };
};
