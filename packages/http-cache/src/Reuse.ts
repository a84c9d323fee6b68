// Decides: whether a stored answer may be used for a request, and how (RFC 9111, 4; RFC 5861).
import { currentAgeMs, remainingMs, type Freshness } from "./Freshness.ts";
import type { RequestControl } from "./RequestControl.ts";

/** What to do with a request. */
export type Decision =
  /** Answer from the store. */
  | { readonly action: "hit" }
  /** Answer from the store, although it is stale. `revalidate`: and validate it in the background. */
  | { readonly action: "stale"; readonly revalidate: boolean }
  /** Ask the origin whether the stored answer still holds. `orStale`: if it cannot be asked, the stored answer will do. */
  | { readonly action: "validate"; readonly orStale: boolean; readonly because: "stale" | "request" }
  /** Ask the origin: nothing is stored. */
  | { readonly action: "forward" }
  /** Answer 504: the request takes only what is stored (`only-if-cached`). */
  | { readonly action: "unsatisfiable" };

/** What to do with a request for which an answer of this freshness is stored (undefined: none is). */
export const decide = (request: RequestControl, stored: Freshness | undefined, nowMs: number): Decision => {
  // A request that wants nothing stored gets its own answer: it wants to leave no trace, and to find none.
  const decision =
    stored === undefined || request.noStore ? ({ action: "forward" } as const) : judge(request, stored, nowMs);
  const asksOrigin = decision.action === "forward" || decision.action === "validate";
  return request.onlyIfCached && asksOrigin ? { action: "unsatisfiable" } : decision;
};

const judge = (request: RequestControl, stored: Freshness, nowMs: number): Decision => {
  const ageMs = currentAgeMs(stored, nowMs);
  const leftMs = remainingMs(stored, nowMs);
  const orStale = mayServeOnError(request, stored, nowMs);
  if (stored.alwaysValidate) return { action: "validate", orStale: false, because: "stale" };
  const tooOld = request.maxAge !== undefined && ageMs > request.maxAge * 1000;
  const tooStale = request.minFresh !== undefined && leftMs < request.minFresh * 1000;
  if (request.noCache || tooOld || tooStale) return { action: "validate", orStale, because: "request" };
  if (leftMs > 0) return { action: "hit" };
  if (!stored.neverStale) {
    if (-leftMs < stored.staleWhileRevalidateMs) return { action: "stale", revalidate: true };
    if (request.maxStale !== undefined && -leftMs <= request.maxStale * 1000) {
      return { action: "stale", revalidate: false };
    }
  }
  return { action: "validate", orStale, because: "stale" };
};

/**
 * Whether a stored answer may stand in when the origin answers 500, 502, 503 or 504 or cannot be reached
 * (RFC 5861, 4; RFC 9111, 4.2.4). The request can widen the window, but not past `must-revalidate` or `no-cache`.
 */
export const mayServeOnError = (request: RequestControl, stored: Freshness, nowMs: number): boolean => {
  if (stored.neverStale || stored.alwaysValidate) return false;
  const windowMs = Math.max(stored.staleIfErrorMs, (request.staleIfError ?? 0) * 1000);
  return -remainingMs(stored, nowMs) < windowMs;
};

/**
 * Whether a stored answer may be served stale, however old, because the origin cannot be reached: a cache that is
 * disconnected may, where nothing prohibits it (RFC 9111, 4.2.4).
 */
export const mayServeDisconnected = (stored: Freshness): boolean => !stored.neverStale && !stored.alwaysValidate;

/** Statuses that `stale-if-error` covers (RFC 5861, 4). */
export const errorStatuses: ReadonlySet<number> = new Set([500, 502, 503, 504]);
