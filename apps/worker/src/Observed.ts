// Names what is written down about one request, for logs, metrics and Server-Timing. Nothing of a token is in it.
import type { Entry } from "./Entry.ts";
import type { Route } from "./Route.ts";
import type { UpstreamFailure } from "./Upstream.ts";

/** What one exchange with the upstream came to, as plain data that requests may share. */
export type Fetched =
  | {
      readonly entry: Entry;
      /** The upstream's status; 304 where the entry was confirmed. */
      readonly status: number;
      readonly stored: boolean;
      /** 0: what another request had fetched, here or through Workers Cache. */
      readonly attempts: number;
      readonly durationMs: number;
    }
  | { readonly failure: UpstreamFailure };

/** What became of a request, in one word. */
export type Result =
  /** Answered here without a look at the cache: refused, preflight, 504. */
  | "refused"
  | "hit"
  /** Answered stale, validated behind the answer. */
  | "stale"
  /** Answered stale, because the upstream failed. */
  | "stale-if-error"
  | "miss"
  /** Something was stored, and the upstream was asked about it. */
  | "validated"
  /** Shared another request's exchange. */
  | "collapsed"
  /** No token, or an expired one. */
  | "bypass";

export interface Observed {
  result: Result;
  /** Undefined: it was refused before it was known what it means. */
  route: Route | undefined;
  /** Length of the answer's body; 0 for what the proxy says by itself. */
  bytes: number;
  /** The exchange that this request itself had with the upstream. */
  fetched: Fetched | undefined;
}
