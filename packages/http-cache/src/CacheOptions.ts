// Options of a cache.
import { fieldName } from "./CacheControl.ts";

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
  /**
   * Whether the cache key has the identity of the user, so that a shared cache may store what is for one user: `private`
   * and Authorization do not prevent that; `s-maxage` and `proxy-revalidate` apply. Default: false.
   */
  readonly keyedByUser?: boolean;
  /** Targeted fields that this cache obeys, the most specific one first (RFC 9213, 2.2). Default: none. */
  readonly targetedFields?: ReadonlyArray<string>;
  /**
   * Lifetimes for responses without an explicit expiration time; `staleIfErrorMs` also for those with one and no
   * `stale-if-error`. Default: none.
   */
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

/** Whether the cache may store responses for one user. */
export const storesPrivate = (options: CacheOptions): boolean => !isShared(options) || options.keyedByUser === true;

/** Throws TypeError for options of the wrong type, and RangeError for times and fractions out of range. */
export const checkOptions = (options: CacheOptions): void => {
  for (const name of ["shared", "keyedByUser", "apparentAge", "staleWhenDisconnected"] as const) {
    if (!["boolean", "undefined"].includes(typeof options[name])) throw new TypeError(`${name} must be a boolean`);
  }
  for (const name of ["targetedFields", "processedFields"] as const) {
    const names: unknown = options[name] ?? [];
    const isValid = Array.isArray(names) && names.every((field) => fieldName.test(`${field}`));
    if (!isValid) throw new TypeError(`${name} must be an array of field names`);
  }
  const { defaults = {}, heuristic } = options;
  for (const name of ["freshMs", "staleWhileRevalidateMs", "staleIfErrorMs"] as const) {
    if (defaults[name] !== undefined) checkNumber(`defaults.${name}`, defaults[name], Number.MAX_VALUE);
  }
  if (heuristic === undefined) return;
  checkNumber("heuristic.fraction", heuristic.fraction, 1);
  checkNumber("heuristic.maxMs", heuristic.maxMs, Number.MAX_VALUE);
};

const checkNumber = (name: string, value: unknown, max: number): void => {
  if (typeof value !== "number") throw new TypeError(`${name} must be a number`);
  if (!(value >= 0 && value <= max)) throw new RangeError(`${name} must be from 0 to ${max}, not ${value}`);
};
