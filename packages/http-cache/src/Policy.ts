// Decides: what kind of cache the rules speak for.

/** How a cache fills in what an answer leaves open. All times in milliseconds. */
export interface Lifetimes {
  /** How long an answer is fresh that says nothing about it. */
  readonly freshMs: number;
  /** How long it may be served stale while it is validated in the background (RFC 5861, 3). */
  readonly staleWhileRevalidateMs: number;
  /** How long it may be served stale when it cannot be validated (RFC 5861, 4). */
  readonly staleIfErrorMs: number;
}

/** A kind of cache. */
export interface CachePolicy {
  /** Shared by users (RFC 9111, 3: `private`, `s-maxage`, `proxy-revalidate` and Authorization matter), or for one user. */
  readonly shared: boolean;
  /** Targeted fields that are meant for this cache, in lower case, the most specific one first (RFC 9213, 2.2). */
  readonly targets: ReadonlyArray<string>;
  /** For answers without explicit freshness; each of the two stale windows also where the answer leaves only it open. */
  readonly defaults?: Lifetimes;
  /** Fraction of the time since Last-Modified that counts as freshness (RFC 9111, 4.2.2), and its limit. Absent: none. */
  readonly heuristic?: { readonly fraction: number; readonly maxMs: number };
}
