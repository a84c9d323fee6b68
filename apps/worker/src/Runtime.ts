// Names what the Workers runtime gives beyond the web's standards.

/** What a request says beside its URL. Read once: each look at a Request costs as much as a look at one of its fields. */
export interface Received {
  readonly method: string;
  readonly headers: Headers;
}

/** What the caller puts into `ctx.props`, which Workers Cache has in its key. */
export interface SealedProps {
  /** Digest of the token that the request carries. */
  readonly owner: string;
}

/** Lives as long as a request and the work it left. */
export interface RequestContext {
  waitUntil(work: Promise<unknown>): void;
  /** Entrypoints of this Worker, to be called with props. */
  readonly exports?: { readonly SealedExchange?: (options: { readonly props: SealedProps }) => Entrypoint };
}

/** An entrypoint, as it is called. */
interface Entrypoint {
  fetch(request: Request): Promise<Response>;
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

/** The Cache API of the data centre, where the runtime has one. */
export const dataCentreCache = (): Cache | undefined =>
  typeof caches === "undefined" ? undefined : (caches as CacheStorage & { readonly default?: Cache }).default;
