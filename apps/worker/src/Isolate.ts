// What the requests of an isolate share.
import { httpCache, type CacheOptions, type HttpCache } from "@bytenite-engines/http-cache";
import type { ReadName } from "@bytenite-engines/core/wire";
import { Admission } from "./Admission.ts";
import { BodyBudget } from "./Body.ts";
import type { Config } from "./Config.ts";
import { targetedFields } from "./Entry.ts";
import type { Fetched } from "./Outcome.ts";
import { Identities } from "./Identity.ts";
import { Metrics } from "./Metrics.ts";
import { notesInCache, notesInLog, type PurgeLogStub } from "./Purge.ts";
import type { AnalyticsDataset, EdgeStore, RateLimiter } from "./Runtime.ts";
import { SingleFlight } from "./SingleFlight.ts";
import { Memory, Store } from "./Store.ts";
import { Upstream } from "./Upstream.ts";

/** What an isolate gets from the runtime. */
export interface Surroundings {
  readonly config: Config;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly store: EdgeStore | undefined;
  readonly analytics?: AnalyticsDataset | undefined;
  readonly purgeLog?: PurgeLogStub | undefined;
  readonly limits?: { readonly token?: RateLimiter | undefined; readonly anonymous?: RateLimiter | undefined };
  /** Milliseconds since the epoch. In production it moves only when something was waited for. */
  readonly now: () => number;
}

/** Rules by endpoint. */
export type Caches = Readonly<Record<ReadName | "other" | "negative", HttpCache>>;

export interface Isolate extends Omit<Surroundings, "store" | "fetch" | "purgeLog"> {
  readonly identities: Identities;
  readonly caches: Caches;
  readonly store: Store;
  readonly flights: SingleFlight<Fetched>;
  readonly admission: Admission;
  readonly budget: BodyBudget;
  readonly upstream: Upstream;
  readonly metrics: Metrics;
}

/** How much longer than a whole exchange may take its flight can be joined, in milliseconds. */
const flightSlackMs = 1_000;

const cachesOf = ({ lifetimes, negativeMs, cachesAnonymous }: Config): Caches => {
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

export const createIsolate = (surroundings: Surroundings): Isolate => {
  const { config, fetch, now, purgeLog, limits = {} } = surroundings;
  const metrics = new Metrics();
  const edge = config.edgeTier ? surroundings.store : undefined;
  const notes = purgeLog === undefined ? edge && notesInCache(edge) : notesInLog(purgeLog);
  const admission = new Admission(config.deadlineMs, now, (state) => metrics.breaker(state), config.cachesAnonymous);
  const budget = new BodyBudget(now);
  return {
    ...surroundings,
    identities: new Identities(config.identitySecrets),
    caches: cachesOf(config),
    store: new Store(new Memory(config.memoryBytes, config.memoryEntries), edge, notes),
    flights: new SingleFlight(config.deadlineMs + flightSlackMs),
    admission,
    budget,
    upstream: new Upstream({ config, fetch, admission, budget, limits, metrics, now }),
    metrics,
  };
};
