// Decides: whether an answer may be stored (RFC 9111, 3 and 3.5).
import { heuristicStatuses } from "./Freshness.ts";
import type { CachePolicy } from "./Policy.ts";
import type { RequestControl } from "./RequestControl.ts";
import type { ResponseControl } from "./ResponseControl.ts";
import { varyNames } from "./Vary.ts";

/** A request as far as storing its answer is concerned. */
export interface StorableRequest {
  readonly method: string;
  readonly control: RequestControl;
  /** Whether it carries Authorization. */
  readonly authorized: boolean;
}

/** Status codes whose meaning for caches this cache knows (RFC 9110, 15); asked of 206, 304 and `must-understand`. */
export const understoodStatuses: ReadonlySet<number> = new Set([
  200, 203, 204, 300, 301, 302, 303, 307, 308, 400, 401, 403, 404, 405, 406, 410, 414, 500, 501, 502, 503, 504,
]);

/** Why an answer may not be stored, in one word, or undefined when it may be. */
export const storingRefusal = (
  request: StorableRequest,
  status: number,
  headers: Headers,
  control: ResponseControl,
  policy: CachePolicy,
): string | undefined => {
  if (request.method !== "GET") return "method";
  if (status < 200 || status === 206 || status === 304) return "status";
  if (request.control.noStore) return "request-no-store";
  // must-understand overrides no-store, but only for those who know the status (RFC 9111, 5.2.2.3).
  if (control.mustUnderstand ? !understoodStatuses.has(status) : control.noStore) return "no-store";
  if (policy.shared && control.private) return "private";
  if (policy.shared && request.authorized && !allowsAuthorized(control)) return "authorization";
  if (varyNames(headers).includes("*")) return "vary";
  if (!isCacheable(status, headers, control, policy)) return "not-cacheable";
  return undefined;
};

/** Whether a shared cache may store an answer to a request with Authorization (RFC 9111, 3.5). */
const allowsAuthorized = (control: ResponseControl): boolean =>
  control.public || control.mustRevalidate || control.sMaxage !== undefined;

/** The last condition of RFC 9111, 3: something in the answer makes it cacheable. */
const isCacheable = (status: number, headers: Headers, control: ResponseControl, policy: CachePolicy): boolean =>
  control.public ||
  (control.private && !policy.shared) ||
  control.maxAge !== undefined ||
  (policy.shared && control.sMaxage !== undefined) ||
  (control.source === "cache-control" && headers.has("expires")) ||
  heuristicStatuses.has(status);
