// Decides: how long an answer is fresh, and how old it is (RFC 9111, 4.2).
import { maxDeltaSeconds } from "./Directives.ts";
import { parseHttpDate } from "./HttpDate.ts";
import type { CachePolicy } from "./Policy.ts";
import type { ResponseControl } from "./ResponseControl.ts";

/** When a request was sent and its answer received, in milliseconds since the epoch, by this cache's clock. */
export interface ExchangeTimes {
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
}

/** Everything about an answer's freshness that does not change while it is stored. Times in milliseconds. */
export interface Freshness {
  readonly lifetimeMs: number;
  /** Whether the answer named its lifetime itself. */
  readonly explicit: boolean;
  /** Its age when it was received (`corrected_initial_age`). */
  readonly initialAgeMs: number;
  readonly responseTimeMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** Never to be used without validation, fresh or not (`no-cache`). */
  readonly alwaysValidate: boolean;
  /** Never to be used stale (`must-revalidate` and, in a shared cache, `proxy-revalidate` and `s-maxage`). */
  readonly neverStale: boolean;
}

/** Statuses that may be given heuristic freshness (RFC 9110, 15.1), as far as whole answers go. */
export const heuristicStatuses: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);

/** The freshness of an answer that was just received. */
export const freshnessOf = (
  status: number,
  headers: Headers,
  control: ResponseControl,
  times: ExchangeTimes,
  policy: CachePolicy,
): Freshness => {
  const explicitMs = explicitLifetimeMs(headers, control, times, policy);
  const { defaults } = policy;
  const lifetimeMs = explicitMs ?? defaults?.freshMs ?? heuristicLifetimeMs(status, headers, control, times, policy);
  const neverStale =
    control.mustRevalidate || (policy.shared && (control.proxyRevalidate || control.sMaxage !== undefined));
  return {
    lifetimeMs,
    explicit: explicitMs !== undefined,
    initialAgeMs: initialAgeMs(headers, times),
    responseTimeMs: times.responseTimeMs,
    staleWhileRevalidateMs: neverStale
      ? 0
      : (ms(control.staleWhileRevalidate) ?? defaults?.staleWhileRevalidateMs ?? 0),
    staleIfErrorMs: neverStale ? 0 : (ms(control.staleIfError) ?? defaults?.staleIfErrorMs ?? 0),
    alwaysValidate: control.noCache,
    neverStale,
  };
};

const ms = (seconds: number | undefined): number | undefined => (seconds === undefined ? undefined : seconds * 1000);

/** The lifetime that an answer names: `s-maxage` in a shared cache, `max-age`, Expires minus Date (RFC 9111, 4.2.1). */
export const explicitLifetimeMs = (
  headers: Headers,
  control: ResponseControl,
  times: ExchangeTimes,
  policy: CachePolicy,
): number | undefined => {
  const seconds = (policy.shared ? control.sMaxage : undefined) ?? control.maxAge;
  if (seconds !== undefined) return seconds * 1000;
  const expires = headers.get("expires");
  if (expires === null || control.source !== "cache-control") return undefined;
  const at = parseHttpDate(expires, times.responseTimeMs);
  // An invalid date, above all "0", means a time in the past (RFC 9111, 5.3).
  return at === undefined ? 0 : Math.max(0, at - dateMs(headers, times));
};

/** A fraction of the time since the last modification, where the policy and the status allow it (RFC 9111, 4.2.2). */
export const heuristicLifetimeMs = (
  status: number,
  headers: Headers,
  control: ResponseControl,
  times: ExchangeTimes,
  policy: CachePolicy,
): number => {
  if (policy.heuristic === undefined || !(heuristicStatuses.has(status) || control.public)) return 0;
  const modified = parseHttpDate(headers.get("last-modified"), times.responseTimeMs);
  if (modified === undefined) return 0;
  const sinceMs = dateMs(headers, times) - modified;
  return Math.max(0, Math.min(sinceMs * policy.heuristic.fraction, policy.heuristic.maxMs));
};

/** The age of an answer when it was received: `corrected_initial_age` of RFC 9111, 4.2.3. */
export const initialAgeMs = (headers: Headers, times: ExchangeTimes): number => {
  // Date has whole seconds; the fraction of the second in which an answer came is not age.
  const apparentAgeMs = Math.max(0, Math.floor(times.responseTimeMs / 1000) * 1000 - dateMs(headers, times));
  const responseDelayMs = Math.max(0, times.responseTimeMs - times.requestTimeMs);
  return Math.max(apparentAgeMs, ageValueMs(headers) + responseDelayMs);
};

/** The Age field: the first member of a list counts, what is no whole number is ignored (RFC 9111, 5.1). */
export const ageValueMs = (headers: Headers): number => {
  const first = headers.get("age")?.split(",", 1)[0]?.trim() ?? "";
  return /^[0-9]+$/.test(first) ? Math.min(Number(first), maxDeltaSeconds) * 1000 : 0;
};

const dateMs = (headers: Headers, times: ExchangeTimes): number =>
  parseHttpDate(headers.get("date"), times.responseTimeMs) ?? times.responseTimeMs;

/** The age of a stored answer now (`current_age` of RFC 9111, 4.2.3). A clock that went back makes nothing younger. */
export const currentAgeMs = (freshness: Freshness, nowMs: number): number =>
  freshness.initialAgeMs + Math.max(0, nowMs - freshness.responseTimeMs);

/** How long an answer is still fresh, in milliseconds; negative: for how long it has been stale. */
export const remainingMs = (freshness: Freshness, nowMs: number): number =>
  freshness.lifetimeMs - currentAgeMs(freshness, nowMs);

/** The latest moment at which a stored answer can still be of use, in milliseconds since the epoch, stale windows included. */
export const uselessAfterMs = (freshness: Freshness): number =>
  freshness.responseTimeMs -
  freshness.initialAgeMs +
  freshness.lifetimeMs +
  Math.max(freshness.staleWhileRevalidateMs, freshness.staleIfErrorMs);
