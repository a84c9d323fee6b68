// What the requests of an isolate share.
import { httpCache, type CacheOptions, type HttpCache } from "@bytenite-engines/http-cache";
import type { ReadName } from "@bytenite-engines/core/wire";
import { createAdmission } from "./Admission.ts";
import { createBodyBudget } from "./Body.ts";
import type { Config } from "./Config.ts";
import { targetedFields, type Answer, type EdgeStore, type Entry } from "./Entry.ts";
import { createIdentities } from "./Identity.ts";
import { createMetrics } from "./Log.ts";
import { notesInCache, notesInLog, type PurgeLogStub } from "./Purge.ts";
import { createMemory, createStore, inTime } from "./Store.ts";
import { createUpstream, type UpstreamAnswer, type UpstreamFailure, type UpstreamOptions } from "./Upstream.ts";

export interface Surroundings extends Pick<UpstreamOptions, "fetch" | "now" | "limits"> {
  readonly config: Config;
  readonly store: EdgeStore | undefined;
  readonly analytics?: AnalyticsDataset | undefined;
  readonly purgeLog?: (() => PurgeLogStub) | undefined;
}

export interface AnalyticsDataset {
  writeDataPoint(point: Readonly<Record<"blobs" | "doubles" | "indexes", ReadonlyArray<string | number>>>): void;
}

export type Isolate = ReturnType<typeof createIsolate>;

/** What one exchange with the upstream came to, as plain data that requests may share. */
export type Fetched = UpstreamFailure | Exchanged;

export interface Exchanged extends Pick<UpstreamAnswer, "status" | "attempts" | "durationMs"> {
  readonly answer: Answer;
  readonly entry: Entry | undefined; // the stored entry, or the one that was confirmed
  readonly stored: boolean;
  readonly shared: boolean; // whether requests that wait for it may have it, too
  readonly collapsed?: boolean;
}

const flightSlackMs = 1_000; // how much longer than a whole exchange may take its flight can be joined, in milliseconds

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

// Native promises of plain data that never reject, in a map of the isolate: nothing that belongs to one request is touched by
// another. Timers of finished requests never fire, so an old flight is recognized by its start: those older than `maxAgeMs` are not
// joined, and a follower waits at most as long.
const createFlights = <A>(maxAgeMs: number, now: () => number) => {
  const flights = new Map<string, { owner: string; startedAtMs: number; promise: Promise<A> }>();
  const flightOf = (key: string, owner: string) => {
    const flight = flights.get(key);
    return flight?.owner === owner && now() - flight.startedAtMs <= maxAgeMs ? flight : undefined;
  };
  return {
    has: (key: string, owner: string): boolean => flightOf(key, owner) !== undefined,
    /** Undefined: there is none. The result is undefined where it took too long. */
    follow: (key: string, owner: string): Promise<A | undefined> | undefined => {
      const flight = flightOf(key, owner);
      return flight && inTime(maxAgeMs, flight.promise);
    },
    /** Starts work that others may join. It must not reject; the caller also passes the promise to waitUntil. */
    lead: (key: string, owner: string, work: () => Promise<A>): Promise<A> => {
      const promise = work().finally(() => {
        // Only its owner removes a flight: a later leader may have taken the place.
        if (flights.get(key)?.promise === promise) flights.delete(key);
      });
      flights.set(key, { owner, startedAtMs: now(), promise });
      return promise;
    },
    /** Prevents joining the running flights of an owner, or all: their results may be outdated. Those already joined get them. */
    close: (owner?: string): void => {
      for (const [key, flight] of flights) if (owner === undefined || flight.owner === owner) flights.delete(key);
    },
  };
};

export const createIsolate = ({ config, fetch, now, store: cache, purgeLog, limits, analytics }: Surroundings) => {
  const metrics = createMetrics();
  const edge = config.edgeTier ? cache : undefined;
  const near = edge && notesInCache(edge);
  const notes = purgeLog === undefined ? near : notesInLog(purgeLog);
  const store = createStore(createMemory(config.memoryBytes, config.memoryEntries), edge, notes, now, near);
  const onChange = (state: string): void => metrics.count("breaker_changes_total", `{state="${state}"}`);
  const admission = createAdmission(config.deadlineMs, now, onChange, config.cachesAnonymous);
  const budget = createBodyBudget(now);
  return {
    config,
    now,
    analytics,
    metrics,
    store,
    admission,
    budget,
    identities: createIdentities(config.identitySecrets),
    caches: cachesOf(config),
    flights: createFlights<Fetched>(config.deadlineMs + flightSlackMs, now),
    upstream: createUpstream({ config, fetch, admission, budget, limits, metrics, ask: store.ask, now }),
  };
};
