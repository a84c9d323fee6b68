// Reuse of stored responses, fresh or stale (RFC 9111, 4; RFC 5861).
import { currentAge, timeToLive, type Freshness } from "./Freshness.ts";
import type { RequestDirectives } from "./RequestDirectives.ts";

/** How a cache handles a request. */
export type Evaluation =
  /** Serve the stored response. */
  | { readonly action: "fresh" }
  /** Serve the stored response although it is stale. `revalidate`: validate it in the background. */
  | { readonly action: "stale"; readonly revalidate: boolean }
  /** Validate the stored response. `orStale`: it may be served if validation fails. */
  | { readonly action: "validate"; readonly orStale: boolean; readonly because: "stale" | "request" }
  /** Forward the request. */
  | { readonly action: "forward" }
  /** Respond 504: the request has `only-if-cached`, and no stored response satisfies it. */
  | { readonly action: "unsatisfiable" };

/** How a cache handles a request. `stored`: freshness of the selected response; undefined without one. `nowMs`: epoch. */
export const evaluate = (request: RequestDirectives, stored: Freshness | undefined, nowMs: number): Evaluation => {
  const evaluation: Evaluation =
    stored === undefined || request.noStore ? { action: "forward" } : evaluateStored(request, stored, nowMs);
  const needsOrigin = evaluation.action === "forward" || evaluation.action === "validate";
  return request.onlyIfCached && needsOrigin ? { action: "unsatisfiable" } : evaluation;
};

const evaluateStored = (request: RequestDirectives, stored: Freshness, nowMs: number): Evaluation => {
  const ageMs = currentAge(stored, nowMs);
  const freshForMs = timeToLive(stored, nowMs);
  const orStale = mayServeOnError(request, stored, nowMs);
  if (stored.alwaysValidate) return { action: "validate", orStale: false, because: "stale" };
  const isTooOld = request.maxAge !== undefined && ageMs > request.maxAge * 1000;
  const isTooStale = request.minFresh !== undefined && freshForMs < request.minFresh * 1000;
  if (request.noCache || isTooOld || isTooStale) return { action: "validate", orStale, because: "request" };
  if (freshForMs > 0) return { action: "fresh" };
  // "Unless the max-stale request directive is also present, the client does not wish to receive a stale response"
  // (RFC 9111, 5.2.1.1).
  const takesStale = request.maxAge === undefined || request.maxStale !== undefined;
  if (takesStale && !stored.neverStale) {
    if (-freshForMs < stored.staleWhileRevalidateMs) return { action: "stale", revalidate: true };
    if (request.maxStale !== undefined && -freshForMs <= request.maxStale * 1000) {
      return { action: "stale", revalidate: false };
    }
  }
  return { action: "validate", orStale, because: "stale" };
};

/**
 * Whether a stored response may be served when the origin responds 500, 502, 503 or 504 or cannot be reached
 * (RFC 5861, 4; RFC 9111, 4.2.4): it is fresh, or within the window of the response or of the request, and neither
 * `must-revalidate` nor `no-cache` forbids it.
 */
export const mayServeOnError = (request: RequestDirectives, stored: Freshness, nowMs: number): boolean => {
  const staleForMs = -timeToLive(stored, nowMs);
  if (staleForMs < 0) return !stored.alwaysValidate;
  const windowMs = Math.max(stored.staleIfErrorMs, (request.staleIfError ?? 0) * 1000);
  return mayServeDisconnected(stored) && staleForMs < windowMs;
};

/** Whether a disconnected cache may serve a stored response, however stale (RFC 9111, 4.2.4). */
export const mayServeDisconnected = (stored: Freshness): boolean => !stored.neverStale && !stored.alwaysValidate;

/** Statuses that `stale-if-error` covers (RFC 5861, 4). */
export const errorStatuses: ReadonlySet<number> = new Set([500, 502, 503, 504]);
