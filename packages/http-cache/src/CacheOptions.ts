// Options of a cache.

/** Lifetimes for responses that name none, in milliseconds. */
export interface Lifetimes {
  /** Freshness lifetime. It applies where RFC 9111, 4.2.2 allows a heuristic one. */
  readonly freshMs: number;
  /** How long a stale response may be served while it is validated in the background (RFC 5861, 3). */
  readonly staleWhileRevalidateMs: number;
  /** How long a stale response may be served when validation fails (RFC 5861, 4). */
  readonly staleIfErrorMs: number;
}

/** What kind of cache the rules apply to. */
export interface CacheOptions {
  /**
   * Whether several users share the cache: `private`, `s-maxage`, `proxy-revalidate` and Authorization then matter
   * (RFC 9111, 3). Default: true.
   */
  readonly shared?: boolean;
  /** Targeted fields that this cache obeys, the most specific one first (RFC 9213, 2.2). Default: none. */
  readonly targetedFields?: ReadonlyArray<string>;
  /** Lifetimes for what a response leaves open. Default: none. */
  readonly defaults?: Partial<Lifetimes>;
  /** Heuristic freshness: this fraction of the time since Last-Modified, at most `maxMs` (RFC 9111, 4.2.2). Default: none. */
  readonly heuristic?: { readonly fraction: number; readonly maxMs: number };
  /**
   * Whether the age of a response is at least the time since its Date (`apparent_age` of RFC 9111, 4.2.3). Switch it off
   * where the clocks of origins are not to be trusted; the age then comes from the Age field alone. Default: true.
   */
  readonly apparentAge?: boolean;
  /**
   * Fields that were applied to the stored body, such as a content coding that `fetch` has decoded. A 304 does not update
   * them (RFC 9111, 3.2). Default: `content-encoding`.
   */
  readonly processedFields?: ReadonlyArray<string>;
  /**
   * Whether a stale response of any age may be served when the origin cannot be reached (RFC 9111, 4.2.4), unless the
   * response forbids it. Default: false.
   */
  readonly staleWhenDisconnected?: boolean;
}

/** Whether the cache is shared. */
export const isShared = (options: CacheOptions): boolean => options.shared !== false;
