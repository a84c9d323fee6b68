// What the Workers runtime gives beyond the web's standards.
import type { Purge } from "./Purge.ts";

/** Lives as long as a request and the work that it leaves. */
export interface RequestContext {
  waitUntil(work: Promise<unknown>): void;
}

/** Another Worker, bound to this one. */
export interface ServiceBinding {
  readonly fetch: typeof fetch;
}

/** A dataset of Analytics Engine. */
export interface AnalyticsDataset {
  writeDataPoint(point: {
    readonly blobs: ReadonlyArray<string>;
    readonly doubles: ReadonlyArray<number>;
    readonly indexes: ReadonlyArray<string>;
  }): void;
}

/** A rate limiting binding. */
export interface RateLimiter {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>;
}

/** The log of purges for all data centres: a Durable Object. */
export interface PurgeLogStub {
  /** Appends; returns the number of the record. */
  append(purge: Purge): Promise<number>;
  /** The records after a number, oldest first. */
  since(number: number): Promise<{ readonly purges: ReadonlyArray<Purge>; readonly last: number }>;
}

/** The part of the Cache API that is used. */
export type EdgeStore = Pick<Cache, "match" | "put" | "delete">;

/** The Cache API of the data centre, where the runtime has one. */
export const dataCentreCache = (): EdgeStore | undefined =>
  typeof caches === "undefined" ? undefined : (caches as CacheStorage & { readonly default?: Cache }).default;
