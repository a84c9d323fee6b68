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
import { clientHeaders, type Entry } from "./Entry.ts";

/** The name of this cache in Cache-Status. */
export const cacheName = "bytenite-edge";

/** What the client asked for, as far as the answer's shape depends on it. */
export interface Asked {
  readonly representation: Representation;
  readonly head: boolean;
  readonly condition: Condition;
}

/** Header of the last answer from an entry. Age and ttl count seconds, so within one second it is the same. */
interface Prepared {
  readonly second: number;
  readonly mediaType: string;
  readonly headers: Headers;
}

const prepared = new WeakMap<Entry, Prepared>();

/** The answer from a stored entry that nobody had to be asked for. */
export const answerHit = (entry: Entry, asked: Asked, nowMs: number, detail?: string): Response => {
  const { mediaType } = asked.representation;
  const second = Math.floor(nowMs / 1000);
  let ready = detail === undefined ? prepared.get(entry) : undefined;
  if (ready === undefined || ready.second !== second || ready.mediaType !== mediaType) {
    const outcome = {
      hit: true,
      ttlMs: remainingMs(entry.freshness, nowMs),
      ...(detail === undefined ? {} : { detail }),
    };
    ready = { second, mediaType, headers: headersOf(entry, asked, nowMs, outcome) };
    if (detail === undefined) prepared.set(entry, ready);
  }
  return respond(entry, asked, ready.headers);
};

/** The answer from an entry for which the upstream was asked. */
export const answerForwarded = (entry: Entry, asked: Asked, nowMs: number, outcome: CacheOutcome): Response =>
  respond(entry, asked, headersOf(entry, asked, nowMs, outcome));

const headersOf = (entry: Entry, asked: Asked, nowMs: number, outcome: CacheOutcome): Headers => {
  const headers = clientHeaders(entry);
  // Bytes of one form go by several names; the client gets the name it asked for.
  if (entry.format === asked.representation.format) headers.set("content-type", asked.representation.mediaType);
  headers.set("content-length", `${entry.bytes.byteLength}`);
  const ageSeconds = Math.floor(currentAgeMs(entry.freshness, nowMs) / 1000);
  if (outcome.hit === true || entry.headers.has("age")) headers.set("age", `${ageSeconds}`);
  headers.append("cache-status", cacheStatus(cacheName, outcome));
  headers.append("server-timing", `cache;desc="${outcome.hit === true ? "hit" : (outcome.detail ?? outcome.forward)}"`);
  return headers;
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
    for (const name of ["content-type", "content-length", "content-encoding"]) kept.delete(name);
    return new Response(null, { status: 304, headers: kept });
  }
  const body = asked.head || withoutContent.has(entry.status) ? null : entry.bytes;
  return new Response(body, { status: entry.status, headers });
};
