// What a request and an exchange came to.
import type { Answer, Entry } from "./Entry.ts";
import type { Route } from "./Request.ts";
import type { UpstreamFailure } from "./Upstream.ts";

/** What became of a request, in one word. */
export type Result =
  /** Answered here: refused, preflight, 504 for only-if-cached. */
  | "refused"
  | "hit"
  /** Stale, validated in the background. */
  | "stale"
  /** Stale, because the upstream failed. */
  | "stale-if-error"
  | "miss"
  /** Forwarded although a response was stored, mostly to validate that; also where it failed, as the status says. */
  | "validated"
  /** Shared another request's exchange, or its failure. */
  | "collapsed"
  /** Without a (living) token, or not cacheable by its method. */
  | "bypass";

/** A response, and what is logged and counted about it. Has no token. */
export interface RequestOutcome {
  readonly response: Response;
  readonly result: Result;
  /** Undefined: refused before it was known what it means. */
  readonly route?: Route | undefined;
  /** Length of the body; 0 for errors of the proxy, and for streams. */
  readonly bytes: number;
  /** Undefined: it is only needed where a line is logged, or the client gave one. */
  readonly requestId?: string;
  /** The exchange that this request itself had with the upstream. */
  readonly upstream?:
    | {
        readonly status?: number;
        readonly problem?: string;
        readonly attempts: number;
        readonly durationMs: number;
      }
    | undefined;
}

/** What one exchange with the upstream came to, as plain data that requests may share. */
export type Fetched =
  | { readonly failure: UpstreamFailure }
  | {
      readonly answer: Answer;
      /** The stored entry, or the one that was confirmed. */
      readonly entry: Entry | undefined;
      /** The upstream's status; 304 where the entry was confirmed. */
      readonly status: number;
      readonly stored: boolean;
      /** Whether requests that wait for it may have it, too. */
      readonly shared: boolean;
      readonly attempts: number;
      readonly durationMs: number;
    };
