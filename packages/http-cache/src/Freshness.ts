// Freshness and age of responses (RFC 9111, 4.2).
import { isDeltaSeconds, maxDeltaSeconds } from "./CacheControl.ts";
import { parseHttpDate } from "./HttpDate.ts";
import { isShared, type CacheOptions } from "./CacheOptions.ts";
import type { ResponseDirectives } from "./ResponseDirectives.ts";

/** When a request was sent and its response received, in milliseconds since the epoch, by the clock of the cache. */
export interface ExchangeTimes {
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
}

/** The freshness of a response as of its receipt. Times in milliseconds. Plain JSON. */
export interface Freshness {
  readonly lifetimeMs: number;
  /** Whether the response has an explicit expiration time. */
  readonly explicit: boolean;
  /** `corrected_initial_age`: the age on receipt. */
  readonly initialAgeMs: number;
  readonly responseTimeMs: number;
  readonly staleWhileRevalidateMs: number;
  readonly staleIfErrorMs: number;
  /** Every use needs validation, fresh or not (`no-cache`). */
  readonly alwaysValidate: boolean;
  /** Stale use is forbidden (`must-revalidate` and, in a shared cache, `proxy-revalidate` and `s-maxage`). */
  readonly neverStale: boolean;
}

/** Heuristically cacheable statuses (RFC 9110, 15.1), without 206. */
export const heuristicStatuses: ReadonlySet<number> = new Set([200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501]);

/** The freshness of a response that was just received. */
export const freshnessOf = (
  status: number,
  headers: Headers,
  directives: ResponseDirectives,
  times: ExchangeTimes,
  options: CacheOptions,
): Freshness => {
  const { defaults } = options;
  const explicitMs = explicitLifetimeMs(headers, directives, times, options);
  const neverStale =
    directives.mustRevalidate ||
    (isShared(options) && (directives.proxyRevalidate || directives.sMaxage !== undefined));
  return {
    lifetimeMs: explicitMs ?? heuristicLifetimeMs(status, headers, directives, times, options),
    explicit: explicitMs !== undefined,
    initialAgeMs: initialAgeMs(headers, times, options),
    responseTimeMs: times.responseTimeMs,
    staleWhileRevalidateMs: neverStale
      ? 0
      : (ms(directives.staleWhileRevalidate) ?? (explicitMs === undefined ? defaults?.staleWhileRevalidateMs : 0) ?? 0),
    staleIfErrorMs: neverStale ? 0 : (ms(directives.staleIfError) ?? defaults?.staleIfErrorMs ?? 0),
    alwaysValidate: directives.noCache,
    neverStale,
  };
};

const ms = (seconds: number | undefined): number | undefined => (seconds === undefined ? undefined : seconds * 1000);

/** The explicit lifetime in milliseconds: `s-maxage` in a shared cache, `max-age`, Expires minus Date (RFC 9111, 4.2.1). */
export const explicitLifetimeMs = (
  headers: Headers,
  directives: ResponseDirectives,
  times: ExchangeTimes,
  options: CacheOptions,
): number | undefined => {
  const seconds = (isShared(options) ? directives.sMaxage : undefined) ?? directives.maxAge;
  if (seconds !== undefined) return seconds * 1000;
  const expires = headers.get("expires");
  if (expires === null || directives.source !== "cache-control") return undefined;
  const at = parseHttpDate(expires, times.responseTimeMs);
  // An invalid date, above all "0", is in the past (RFC 9111, 5.3).
  return at === undefined ? 0 : Math.max(0, at - dateMs(headers, times));
};

/**
 * The heuristic lifetime in milliseconds, where the status or `public` allows one (RFC 9111, 4.2.2): the default of the
 * options, otherwise a fraction of the time since Last-Modified.
 */
export const heuristicLifetimeMs = (
  status: number,
  headers: Headers,
  directives: ResponseDirectives,
  times: ExchangeTimes,
  options: CacheOptions,
): number => {
  if (!heuristicStatuses.has(status) && !directives.public) return 0;
  if (options.defaults?.freshMs !== undefined) return options.defaults.freshMs;
  if (options.heuristic === undefined) return 0;
  const modified = parseHttpDate(headers.get("last-modified"), times.responseTimeMs);
  if (modified === undefined) return 0;
  const sinceMs = dateMs(headers, times) - modified;
  return Math.max(0, Math.min(sinceMs * options.heuristic.fraction, options.heuristic.maxMs));
};

/** `corrected_initial_age` of RFC 9111, 4.2.3, in milliseconds: with `apparent_age` unless the options switch it off. */
export const initialAgeMs = (headers: Headers, times: ExchangeTimes, options: CacheOptions): number => {
  const responseDelayMs = Math.max(0, times.responseTimeMs - times.requestTimeMs);
  const correctedAgeMs = ageValueMs(headers) + responseDelayMs;
  if (options.apparentAge === false) return correctedAgeMs;
  // Date has whole seconds: the fraction of a second at receipt is not age.
  const apparentAgeMs = Math.floor(times.responseTimeMs / 1000) * 1000 - dateMs(headers, times);
  return Math.max(apparentAgeMs, correctedAgeMs);
};

/** The Age field in milliseconds: the first member of a list counts, an invalid one is ignored (RFC 9111, 5.1). */
export const ageValueMs = (headers: Headers): number => {
  const first = headers.get("age")?.split(",")[0]?.trim() ?? "";
  return isDeltaSeconds(first) ? Math.min(Number(first), maxDeltaSeconds) * 1000 : 0;
};

const dateMs = (headers: Headers, times: ExchangeTimes): number =>
  parseHttpDate(headers.get("date"), times.responseTimeMs) ?? times.responseTimeMs;

/**
 * `current_age` of RFC 9111, 4.2.3, in milliseconds. A clock that was set back since the receipt counts as if it had been
 * set forward: what was received in the future has an unknown age, and would otherwise be fresh until then.
 */
export const currentAge = (freshness: Freshness, nowMs: number): number =>
  freshness.initialAgeMs + Math.abs(nowMs - freshness.responseTimeMs);

/** The remaining freshness in milliseconds. Not positive: the response is stale. */
export const timeToLive = (freshness: Freshness, nowMs: number): number =>
  freshness.lifetimeMs - currentAge(freshness, nowMs);

/**
 * When the freshness and the stale windows of a response have passed, in milliseconds since the epoch. Afterwards it is
 * of use only if it has a validator.
 */
export const usableUntil = (freshness: Freshness): number =>
  freshness.responseTimeMs -
  freshness.initialAgeMs +
  freshness.lifetimeMs +
  Math.max(freshness.staleWhileRevalidateMs, freshness.staleIfErrorMs);
