// Decides: how a stored answer is validated, and how a client's own condition is answered (RFC 9111, 4.3; RFC 9110, 13).
import { splitList } from "./Directives.ts";
import { parseHttpDate } from "./HttpDate.ts";

/** The fields that ask the origin whether a stored answer still holds (RFC 9111, 4.3.1). Empty: it cannot be validated. */
export const validatingFields = (stored: Headers): ReadonlyArray<readonly [string, string]> => {
  const fields: Array<readonly [string, string]> = [];
  const etag = stored.get("etag");
  const modified = stored.get("last-modified");
  if (etag !== null) fields.push(["if-none-match", etag]);
  if (modified !== null) fields.push(["if-modified-since", modified]);
  return fields;
};

/** A client's condition. */
export interface Condition {
  readonly ifNoneMatch: string | null;
  readonly ifModifiedSince: string | null;
}

/**
 * Whether a GET or HEAD with this condition is answered 304 (RFC 9110, 13.2.2). If-None-Match counts alone when it is
 * there, by weak comparison. If-Modified-Since is held against Last-Modified, without it against Date (RFC 9111, 4.3.2).
 */
export const isNotModified = (condition: Condition, stored: Headers, receivedMs?: number): boolean => {
  if (condition.ifNoneMatch !== null) return matchesEntityTag(condition.ifNoneMatch, stored.get("etag"));
  const since = parseHttpDate(condition.ifModifiedSince);
  if (since === undefined) return false;
  const modified =
    parseHttpDate(stored.get("last-modified")) ?? parseHttpDate(stored.get("date")) ?? receivedMs ?? Number.NaN;
  return modified <= since;
};

/** Whether one of the entity tags of If-None-Match is this one (weak comparison, RFC 9110, 8.8.3.2); `*` is any. */
export const matchesEntityTag = (ifNoneMatch: string, etag: string | null): boolean => {
  if (ifNoneMatch.trim() === "*") return true;
  if (etag === null) return false;
  const opaque = opaqueTag(etag);
  return splitList(ifNoneMatch).some((tag) => opaqueTag(tag) === opaque);
};

const opaqueTag = (tag: string): string => (tag.startsWith("W/") ? tag.slice(2) : tag);

/**
 * Whether a 304 speaks of this stored answer: one with another entity tag confirms a representation that is not here
 * (RFC 9111, 4.3.4). A 304 without a tag is believed, as it answers a request that named ours.
 */
export const confirms = (update: Headers, stored: Headers): boolean => {
  const confirmed = update.get("etag");
  const ours = stored.get("etag");
  return confirmed === null || ours === null || opaqueTag(confirmed) === opaqueTag(ours);
};

/** Fields of a 304 that never replace stored ones: they describe the (absent) content of the 304 itself (RFC 9111, 3.2). */
const notUpdated: ReadonlySet<string> = new Set([
  "content-length",
  "content-encoding",
  "content-range",
  "content-type",
]);

/**
 * The stored fields, updated with those of a 304 or of a HEAD's answer (RFC 9111, 3.2). `update` holds end-to-end fields
 * only. Content-Type, Content-Encoding and Content-Range stay, so that the stored bytes keep their meaning.
 */
export const freshened = (stored: Headers, update: Headers): Headers => {
  const fields = new Headers(stored);
  // The stored Age is of the stored answer; the 304 has its own, or none.
  fields.delete("age");
  const replaced = new Set<string>();
  for (const [name, value] of update) {
    if (notUpdated.has(name)) continue;
    if (replaced.has(name)) fields.append(name, value);
    else fields.set(name, value);
    replaced.add(name);
  }
  return fields;
};
