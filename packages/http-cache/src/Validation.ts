// Validation of stored responses (RFC 9111, 4.3).
import type { CacheEntry } from "./CacheEntry.ts";
import { isWeak, opaqueTag } from "./Conditions.ts";
import { parseHttpDate } from "./HttpDate.ts";

/** The condition fields that validate a stored response (RFC 9111, 4.3.1). Empty: it has no validator. */
export const validatingFields = (stored: Headers): ReadonlyArray<readonly [string, string]> => {
  const fields: Array<readonly [string, string]> = [];
  const etag = stored.get("etag");
  const modified = stored.get("last-modified");
  if (etag !== null) fields.push(["if-none-match", etag]);
  if (modified !== null) fields.push(["if-modified-since", modified]);
  return fields;
};

/** Whether a stored response can be validated: it has an entity tag or a date of modification (RFC 9110, 8.8). */
export const hasValidator = ({ headers }: Pick<CacheEntry, "headers">): boolean =>
  headers.some(([name]) => name === "etag" || name === "last-modified");

/**
 * Whether a 304 is about this stored response, so that it updates it (RFC 9111, 4.3.4). A strong entity tag must be the
 * stored one. Otherwise every validator of the 304 must correspond to a stored one. A 304 without validators is about the
 * stored response if the request carried the stored validators and no other condition, which is what the caller must
 * have sent.
 */
export const confirms = (notModified: Headers, stored: Headers): boolean => {
  const etag = notModified.get("etag");
  const modified = notModified.get("last-modified");
  const storedTag = stored.get("etag");
  const storedModified = stored.get("last-modified");
  if (etag !== null && !isWeak(etag)) return etag === storedTag;
  if (etag !== null && (storedTag === null || opaqueTag(etag) !== opaqueTag(storedTag))) return false;
  if (modified !== null) return storedModified !== null && isSameDate(modified, storedModified);
  return storedTag !== null || storedModified !== null;
};

/**
 * Whether a 200 to HEAD shows that the stored response still holds: its ETag, Last-Modified and Content-Length, as far as
 * it has them, are the stored ones (RFC 9111, 4.3.5).
 */
export const confirmsByHead = (head: Headers, stored: Headers): boolean =>
  ["etag", "last-modified", "content-length"].every((name) => {
    const value = head.get(name);
    return value === null || value === stored.get(name);
  });

const isSameDate = (one: string, other: string): boolean => {
  const ms = parseHttpDate(one);
  return ms === undefined ? one === other : ms === parseHttpDate(other);
};
