// Request directives (RFC 9111, 5.2.1) and Pragma (RFC 9111, 5.4).
import { deltaSeconds, isDeltaSeconds, maxDeltaSeconds, parseDirectives } from "./CacheControl.ts";

/** The directives of a request. Times in seconds; undefined where the directive is absent. */
export interface RequestDirectives {
  readonly noStore: boolean;
  readonly noCache: boolean;
  readonly onlyIfCached: boolean;
  readonly noTransform: boolean;
  readonly maxAge: number | undefined;
  /** A malformed `min-fresh` is the largest one. */
  readonly minFresh: number | undefined;
  /** `max-stale` without an argument accepts any staleness. */
  readonly maxStale: number | undefined;
  /** How stale a response may be when validation fails (RFC 5861, 4). */
  readonly staleIfError: number | undefined;
}

/** The directives of a request. `Pragma: no-cache` counts as `no-cache` only where Cache-Control is absent (RFC 9111, 5.4). */
export const requestDirectives = (cacheControl: string | null, pragma: string | null): RequestDirectives => {
  const directives = parseDirectives(
    cacheControl ?? (parseDirectives(pragma).has("no-cache") ? "no-cache" : undefined),
  );
  const minFresh = directives.get("min-fresh");
  return {
    noStore: directives.has("no-store"),
    noCache: directives.has("no-cache"),
    onlyIfCached: directives.has("only-if-cached"),
    noTransform: directives.has("no-transform"),
    maxAge: deltaSeconds(directives, "max-age"),
    minFresh:
      minFresh === undefined || isDeltaSeconds(minFresh) ? deltaSeconds(directives, "min-fresh") : maxDeltaSeconds,
    maxStale: directives.get("max-stale") === true ? maxDeltaSeconds : deltaSeconds(directives, "max-stale"),
    staleIfError: deltaSeconds(directives, "stale-if-error"),
  };
};
