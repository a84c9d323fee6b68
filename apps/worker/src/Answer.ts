// Decides: what a client is sent for an entry: the form it asked for, 304, HEAD, age and Cache-Status.
import type { Representation } from "@bytenite-engines/core/wire";
import {
  cacheStatus,
  currentAge,
  isNotModified,
  timeToLive,
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

/** The answer from an entry in memory, which is likely to be used again within the second. */
export const answerFromEntry = (entry: Entry, asked: Asked, nowMs: number): Response => {
  const { mediaType } = asked.representation;
  const second = Math.floor(nowMs / 1000);
  let ready = entry.prepared;
  if (ready === undefined || ready.second !== second || ready.mediaType !== mediaType) {
    const outcome = { hit: true, ttlMs: timeToLive(entry.freshness, nowMs) };
    const headers = fieldsOf(entry, asked, nowMs, outcome);
    ready = { second, mediaType, head: new Response(null, { status: entry.status, headers }) };
    entry.prepared = ready;
  }
  return isPlain(asked) ? new Response(bodyOf(entry), ready.head) : respond(entry, asked, ready.head.headers);
};

/** The answer from an entry, and what was done to have it. */
export const answerWith = (entry: Entry, asked: Asked, nowMs: number, outcome: CacheOutcome): Response =>
  respond(entry, asked, fieldsOf(entry, asked, nowMs, outcome));

const fieldsOf = (entry: Entry, asked: Asked, nowMs: number, outcome: CacheOutcome): Record<string, string> => {
  const fields: Record<string, string> = { ...entry.client };
  // Bytes of one form go by several names; the client gets the name it asked for.
  if (entry.format === asked.representation.format) fields["content-type"] = asked.representation.mediaType;
  // Stored answers tell their age (RFC 9111, 5.1); so do answers that a cache before the upstream had stored.
  const isStored = outcome.hit === true || outcome.detail === "stale-if-error";
  if (isStored || entry.received.some(([name]) => name === "age")) {
    fields["age"] = `${Math.floor(currentAge(entry.freshness, nowMs) / 1000)}`;
  }
  const upstream = fields["cache-status"];
  const own = cacheStatus(cacheName, outcome);
  fields["cache-status"] = upstream === undefined ? own : `${upstream}, ${own}`;
  if (outcome.hit !== true) fields["server-timing"] = `cache;desc="${outcome.detail ?? outcome.forward ?? ""}"`;
  return fields;
};

/** Statuses that never have content (RFC 9110, 6.4.1). */
const withoutContent: ReadonlySet<number> = new Set([204, 205, 304]);

const bodyOf = ({ status, bytes }: Entry): Entry["bytes"] | null => (withoutContent.has(status) ? null : bytes);

const isConditional = ({ condition }: Asked): boolean =>
  condition.ifNoneMatch !== null || condition.ifModifiedSince !== null;

/** Whether the whole answer is wanted, whatever the client has. */
const isPlain = (asked: Asked): boolean => !asked.head && !isConditional(asked);

const respond = (entry: Entry, asked: Asked, fields: Headers | Record<string, string>): Response => {
  const { condition, head } = asked;
  const { status } = entry;
  if (isPlain(asked)) return new Response(bodyOf(entry), { status, headers: fields });
  const headers = new Headers(fields);
  if (isConditional(asked) && status === 200 && isNotModified(condition, headers, entry.freshness.responseTimeMs)) {
    for (const name of ["content-type", "content-encoding"]) headers.delete(name);
    return new Response(null, { status: 304, headers });
  }
  // The runtime tells the length of what is sent; of what would be sent it is told here.
  if (head) headers.set("content-length", `${entry.bytes.byteLength}`);
  return new Response(head ? null : bodyOf(entry), { status, headers });
};
