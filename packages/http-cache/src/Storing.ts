// Conditions for storing a response (RFC 9111, 3 and 3.5).
import { isShared, storesPrivate, type CacheOptions } from "./CacheOptions.ts";
import { heuristicStatuses } from "./Freshness.ts";
import type { RequestDirectives } from "./RequestDirectives.ts";
import type { ResponseDirectives } from "./ResponseDirectives.ts";
import { varyNames } from "./Vary.ts";

/** A request as far as storing its response depends on it. */
export interface StorableRequest {
  readonly method: string;
  readonly control: RequestDirectives;
  /** Whether it has Authorization. */
  readonly authorized: boolean;
}

/** Why a response is not stored. */
export type StoringRefusal =
  /** The method is not GET. */
  | "method"
  /** The status is interim, 206, 304, 412 or 416: the response is not a representation that another request could get. */
  | "status"
  /** The request has `no-store`. */
  | "request-no-store"
  /** The response has `no-store`, or `must-understand` with a status that this cache does not know. */
  | "no-store"
  /** The response has `private`, and the cache is for several users. */
  | "private"
  /** The request has Authorization, the cache is for several users, and the response does not permit that (RFC 9111, 3.5). */
  | "authorization"
  /** Vary has `*` or an invalid name: no later request would select the response. */
  | "vary"
  /** Nothing in the response makes it cacheable: see the last condition of RFC 9111, 3. */
  | "not-cacheable";

/** Statuses whose caching behaviour is implemented here (RFC 9110, 15): `must-understand` asks for that. */
const understoodStatuses: ReadonlySet<number> = new Set([
  200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 410, 414, 500, 501, 502, 503, 504,
]);

/** Responses to conditions and ranges of one request; parts (206) are not stored without knowledge of Range. */
const neverStored: ReadonlySet<number> = new Set([206, 304, 412, 416]);

/** Why a response may not be stored; undefined: it may. */
export const storingRefusal = (
  request: StorableRequest,
  status: number,
  headers: Headers,
  directives: ResponseDirectives,
  options: CacheOptions,
): StoringRefusal | undefined => {
  if (request.method !== "GET") return "method";
  if (status < 200 || neverStored.has(status)) return "status";
  if (request.control.noStore) return "request-no-store";
  // must-understand overrides no-store where the status is understood (RFC 9111, 5.2.2.3).
  if (directives.mustUnderstand ? !understoodStatuses.has(status) : directives.noStore) return "no-store";
  if (!storesPrivate(options)) {
    if (directives.private) return "private";
    if (request.authorized && !directives.allowsAuthorization) return "authorization";
  }
  if (!isCacheable(status, headers, directives, options)) return "not-cacheable";
  return varyNames(headers).includes("*") ? "vary" : undefined;
};

/** The last condition of RFC 9111, 3. */
const isCacheable = (
  status: number,
  headers: Headers,
  directives: ResponseDirectives,
  options: CacheOptions,
): boolean =>
  directives.public ||
  directives.maxAge !== undefined ||
  (isShared(options) && directives.sMaxage !== undefined) ||
  (storesPrivate(options) && directives.private) ||
  (directives.source === "cache-control" && headers.has("expires")) ||
  heuristicStatuses.has(status);
