// Decides: what a request asks of a cache (RFC 9111, 5.2.1 and 5.4).
import { deltaSeconds, maxDeltaSeconds, parseDirectives } from "./Directives.ts";

/** What a request asks. Times in seconds; undefined where it does not speak of it. */
export interface RequestControl {
  readonly noStore: boolean;
  readonly noCache: boolean;
  readonly onlyIfCached: boolean;
  /** The content is wanted as the origin sends it (RFC 9111, 5.2.1.6). */
  readonly noTransform: boolean;
  readonly maxAge: number | undefined;
  readonly minFresh: number | undefined;
  /** How stale an answer may be; `max-stale` without an argument allows any staleness. */
  readonly maxStale: number | undefined;
  /** How stale an answer may be when a better one cannot be had (RFC 5861, 4). */
  readonly staleIfError: number | undefined;
}

const nothing: RequestControl = {
  noStore: false,
  noCache: false,
  onlyIfCached: false,
  noTransform: false,
  maxAge: undefined,
  minFresh: undefined,
  maxStale: undefined,
  staleIfError: undefined,
};

/** What a request's Cache-Control asks; without that field, `Pragma: no-cache` counts as `no-cache` (RFC 9111, 5.4). */
export const requestControl = (cacheControl: string | null, pragma: string | null): RequestControl => {
  if (cacheControl === null) {
    return pragma !== null && parseDirectives(pragma).has("no-cache") ? { ...nothing, noCache: true } : nothing;
  }
  const directives = parseDirectives(cacheControl);
  return {
    noStore: directives.has("no-store"),
    noCache: directives.has("no-cache"),
    onlyIfCached: directives.has("only-if-cached"),
    noTransform: directives.has("no-transform"),
    maxAge: deltaSeconds(directives, "max-age"),
    minFresh: deltaSeconds(directives, "min-fresh"),
    maxStale: directives.get("max-stale") === true ? maxDeltaSeconds : deltaSeconds(directives, "max-stale"),
    staleIfError: deltaSeconds(directives, "stale-if-error"),
  };
};
