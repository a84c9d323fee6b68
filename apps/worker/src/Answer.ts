// Decides: what a client is sent for an entry: the form it asked for, 304, HEAD, age and Cache-Status.
import type { Representation } from "@bytenite-engines/core/wire";
import {
  cacheStatus,
  currentAgeMs,
  isNotModified,
  remainingMs,
  type CacheOutcome,
  type Condition,
} from "@bytenite-engines/http-cache";
import type { Entry } from "./Entry.ts";

/** The name of this cache in Cache-Status. */
export const cacheName = "bytenite-edge";

/** What the client asked for, as far as the answer's shape depends on it. */
export interface Asked {
  readonly representation: Representation;
  readonly head: boolean;
  readonly condition: Condition;
}

/** The answer from a stored entry that nobody had to be asked for. */
export const answerHit = (entry: Entry, asked: Asked, nowMs: number): Response => {
  const { mediaType } = asked.representation;
  const second = Math.floor(nowMs / 1000);
  let ready = entry.prepared;
  if (ready === undefined || ready.second !== second || ready.mediaType !== mediaType) {
    const outcome = { hit: true, ttlMs: remainingMs(entry.freshness, nowMs) };
    ready = { second, mediaType, headers: headersOf(entry, asked, nowMs, outcome) };
    entry.prepared = ready;
  }
  return respond(entry, asked, ready.headers);
};

/** The answer from an entry for which the upstream was asked. */
export const answerForwarded = (entry: Entry, asked: Asked, nowMs: number, outcome: CacheOutcome): Response => {
  const headers = headersOf(entry, asked, nowMs, outcome);
  headers.set("server-timing", `cache;desc="${outcome.detail ?? outcome.forward ?? ""}"`);
  return respond(entry, asked, headers);
};

const headersOf = (entry: Entry, asked: Asked, nowMs: number, outcome: CacheOutcome): Headers => {
  const fields: Record<string, string> = { ...entry.client };
  // Bytes of one form go by several names; the client gets the name it asked for.
  if (entry.format === asked.representation.format) fields["content-type"] = asked.representation.mediaType;
  if (outcome.hit === true || entry.received.some(([name]) => name === "age")) {
    fields["age"] = `${Math.floor(currentAgeMs(entry.freshness, nowMs) / 1000)}`;
  }
  const upstream = fields["cache-status"];
  const own = cacheStatus(cacheName, outcome);
  fields["cache-status"] = upstream === undefined ? own : `${upstream}, ${own}`;
  return new Headers(fields);
};

/** Statuses that never have content (RFC 9110, 6.4.1). */
const withoutContent: ReadonlySet<number> = new Set([204, 205, 304]);

const respond = (entry: Entry, asked: Asked, headers: Headers): Response => {
  const { condition } = asked;
  if (
    entry.status === 200 &&
    (condition.ifNoneMatch !== null || condition.ifModifiedSince !== null) &&
    isNotModified(condition, headers, entry.freshness.responseTimeMs)
  ) {
    const kept = new Headers(headers);
    for (const name of ["content-type", "content-encoding"]) kept.delete(name);
    return new Response(null, { status: 304, headers: kept });
  }
  if (asked.head) {
    // The runtime tells the length of what is sent; of what would be sent it is told here.
    const kept = new Headers(headers);
    kept.set("content-length", `${entry.bytes.byteLength}`);
    return new Response(null, { status: entry.status, headers: kept });
  }
  return new Response(withoutContent.has(entry.status) ? null : entry.bytes, { status: entry.status, headers });
};
