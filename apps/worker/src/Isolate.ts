// What the requests of an isolate share.
import { httpCache, type CacheOptions, type HttpCache } from "@bytenite-engines/http-cache";
import type { ReadName } from "@bytenite-engines/core/wire";
import { createAdmission } from "./Admission.ts";
import { createBodyBudget } from "./Body.ts";
import type { Config } from "./Config.ts";
import { targetedFields, type Answer, type EdgeStore, type Entry } from "./Entry.ts";
import { Identities } from "./Identity.ts";
import { Metrics } from "./Metrics.ts";
import { notesInCache, notesInLog, type PurgeLogStub } from "./Purge.ts";
import { createFlights } from "./SingleFlight.ts";
import { createStore, Memory } from "./Store.ts";
import { createUpstream, type UpstreamFailure, type UpstreamOptions } from "./Upstream.ts";

export interface Surroundings extends Pick<UpstreamOptions, "fetch" | "now"> {
  readonly config: Config;
  readonly store: EdgeStore | undefined;
  readonly analytics?: AnalyticsDataset | undefined;
  readonly purgeLog?: PurgeLogStub | undefined;
  readonly limits?: UpstreamOptions["limits"];
}

export interface AnalyticsDataset {
  writeDataPoint(point: Readonly<Record<"blobs" | "doubles" | "indexes", ReadonlyArray<string | number>>>): void;
}

export type Isolate = ReturnType<typeof createIsolate>;

/** What one exchange with the upstream came to, as plain data that requests may share. */
export type Fetched = UpstreamFailure | Exchanged;

export interface Exchanged extends Pick<UpstreamFailure, "attempts" | "durationMs"> {
  readonly answer: Answer;
  /** The stored entry, or the one that was confirmed. */
  readonly entry: Entry | undefined;
  /** The upstream's status; 304 where the entry was confirmed. */
  readonly status: number;
  readonly stored: boolean;
  /** Whether requests that wait for it may have it, too. */
  readonly shared: boolean;
  readonly collapsed?: boolean;
}

/** How much longer than a whole exchange may take its flight can be joined, in milliseconds. */
const flightSlackMs = 1_000;

const cachesOf = ({ lifetimes, negativeMs, cachesAnonymous }: Config) => {
  // Clocks of upstreams can be minutes off: the age comes from Age, not from Date.
  const options: CacheOptions = {
    keyedByUser: true,
    apparentAge: false,
    targetedFields,
    processedFields: ["content-encoding", "content-type"],
  };
  const endpoint = (name: ReadName): HttpCache => httpCache({ ...options, defaults: lifetimes[name] });
  const shared: CacheOptions = {
    targetedFields,
    // The fraction that RFC 9111, 4.2.2 calls typical, for a day at most.
    heuristic: { fraction: 0.1, maxMs: 86_400_000 },
    staleWhenDisconnected: true,
  };
  return {
    list: endpoint("list"),
    get: endpoint("get"),
    status: endpoint("status"),
    negative: httpCache({ ...options, defaults: { freshMs: negativeMs } }),
    other: httpCache(cachesAnonymous ? shared : options),
  };
};

export const createIsolate = ({ config, fetch, now, store: cache, purgeLog, limits = {}, analytics }: Surroundings) => {
  const metrics = new Metrics();
  const edge = config.edgeTier ? cache : undefined;
  const notes = purgeLog === undefined ? edge && notesInCache(edge) : notesInLog(purgeLog);
  const store = createStore(new Memory(config.memoryBytes, config.memoryEntries), edge, notes, now);
  const admission = createAdmission(config.deadlineMs, now, (state) => metrics.breaker(state), config.cachesAnonymous);
  const budget = createBodyBudget(now);
  return {
    config,
    now,
    analytics,
    metrics,
    store,
    admission,
    budget,
    identities: new Identities(config.identitySecrets),
    caches: cachesOf(config),
    flights: createFlights<Fetched>(config.deadlineMs + flightSlackMs, now),
    upstream: createUpstream({ config, fetch, admission, budget, limits, metrics, ask: store.ask, now }),
  };
};
