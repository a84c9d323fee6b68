// Conditional requests of clients (RFC 9110, 13; RFC 9111, 4.3.2).
import { splitList } from "./CacheControl.ts";
import { parseHttpDate } from "./HttpDate.ts";

/** The condition of a request. */
export interface Condition {
  readonly ifNoneMatch: string | null;
  readonly ifModifiedSince: string | null;
}

/**
 * Whether a GET or HEAD with this condition gets 304 (RFC 9110, 13.2.2). If-None-Match takes precedence and is compared
 * weakly. If-Modified-Since is compared with Last-Modified, otherwise with Date, otherwise with the time at which the
 * response was received, in milliseconds (RFC 9111, 4.3.2).
 */
export const isNotModified = (condition: Condition, stored: Headers, receivedMs?: number): boolean => {
  if (condition.ifNoneMatch !== null) return matchesEntityTag(condition.ifNoneMatch, stored.get("etag"));
  const since = parseHttpDate(condition.ifModifiedSince);
  if (since === undefined) return false;
  const modified =
    parseHttpDate(stored.get("last-modified")) ?? parseHttpDate(stored.get("date")) ?? receivedMs ?? Number.NaN;
  return modified <= since;
};

/** Whether If-None-Match lists this entity tag, by weak comparison (RFC 9110, 8.8.3.2). `*` lists every one. */
export const matchesEntityTag = (ifNoneMatch: string, etag: string | null): boolean => {
  if (ifNoneMatch.trim() === "*") return true;
  if (etag === null) return false;
  const opaque = opaqueTag(etag);
  return splitList(ifNoneMatch).some((tag) => opaqueTag(tag) === opaque);
};

/** The part of an entity tag that weak comparison looks at. */
export const opaqueTag = (tag: string): string => (isWeak(tag) ? tag.slice(2) : tag);

/** Whether an entity tag is weak. */
export const isWeak = (tag: string): boolean => tag.startsWith("W/");

/** Fields about content, which a 304 does not have (RFC 9110, 15.4.5). */
const contentFields: ReadonlyArray<string> = [
  "content-encoding",
  "content-language",
  "content-length",
  "content-range",
  "content-type",
];

/** The fields of a 304 in place of a response with these fields. */
export const notModifiedFields = (headers: Headers): Headers => {
  const fields = new Headers(headers);
  for (const name of contentFields) fields.delete(name);
  return fields;
};
