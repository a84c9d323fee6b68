// What the Workers runtime gives beyond the web's standards.

/** Lives as long as a request and the work that it leaves. */
export interface RequestContext {
  waitUntil(work: Promise<unknown>): void;
}

export interface ServiceBinding {
  readonly fetch: typeof fetch;
}

export interface AnalyticsDataset {
  writeDataPoint(point: {
    readonly blobs: ReadonlyArray<string>;
    readonly doubles: ReadonlyArray<number>;
    readonly indexes: ReadonlyArray<string>;
  }): void;
}

export interface RateLimiter {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>;
}

/** The part of the Cache API that is used. */
export type EdgeStore = Pick<Cache, "match" | "put" | "delete">;
