// Responses to clients: status, fields, body, CORS, preflights.
import { schemaDigestHeader } from "@bytenite-engines/core/wire";
import { cacheStatus, currentAge, isNotModified, timeToLive, type CacheOutcome } from "@bytenite-engines/http-cache";
import { notModifiedFields, parseRange, rangeFor, sliceOf, withVary } from "@bytenite-engines/http-cache";
import { maxBodyBytesPerUser, minCountedBytes, sendBytes } from "./Body.ts";
import type { Reader } from "./Decision.ts";
import { fieldIn, ownFields, type Answer, type Entry } from "./Entry.ts";
import { allowedMethods, proxyName, proxyStatus, refusal, refuse, writeMethods } from "./Request.ts";
import type { ParsedRequest } from "./Request.ts";
import { retryAfterSeconds } from "./Upstream.ts";

/** `user`: whose share of bytes in transit it takes. */
export type Recipient = Pick<Reader, "request" | "user" | "budget" | "context">;

const tooManyBytes = refusal(
  503,
  "RESOURCE_EXHAUSTED",
  `too many bytes of bodies are under way (at most ${maxBodyBytesPerUser} to one user): read those that you asked for, then try again`,
  { "retry-after": `${retryAfterSeconds}`, ...proxyStatus("connection_limit_reached") },
);

/** Statuses that never have content (RFC 9110, 6.4.1). */
const withoutContent: ReadonlySet<number> = new Set([204, 205, 304]);

/** The response from an entry in memory, which is likely to be used again within the second. */
export const respondFromMemory = (entry: Entry, nowMs: number, recipient: Recipient): Response => {
  const { mediaType } = recipient.request.representation;
  const second = Math.floor(currentAge(entry.freshness, nowMs) / 1000);
  let ready = entry.prepared;
  if (ready?.second !== second || ready.mediaType !== mediaType) {
    const outcome = { hit: true, ttlMs: timeToLive(entry.freshness, nowMs) };
    // A response without a body: status and fields are taken from it as they are.
    ready = { second, mediaType, head: new Response(null, { status: entry.status }) };
    addFields(ready.head.headers, entry, recipient.request, nowMs, outcome);
    entry.prepared = ready;
  }
  return withHead(entry, ready.head, recipient);
};

export const respond = (answer: Answer, nowMs: number, outcome: CacheOutcome, recipient: Recipient): Response => {
  const { status, statusText = "" } = answer;
  const fill = (headers: Headers): void => addFields(headers, answer, recipient.request, nowMs, outcome);
  return withHead(answer, { status, statusText, fill }, recipient);
};

const addFields = (
  headers: Headers,
  { client, format, freshness }: Answer,
  { representation }: ParsedRequest,
  nowMs: number,
  outcome: CacheOutcome,
): void => {
  // Stored responses state their age (RFC 9111, 5.1); others the one that the upstream stated.
  const isStored = freshness !== undefined && (outcome.hit === true || outcome.detail === "stale-if-error");
  for (const [name, value] of client) {
    if (isStored && name === "age") continue;
    // A format has several media types; the client gets the one it requested.
    const isNamed = name === "content-type" && format === representation.format;
    headers.append(name, isNamed ? representation.mediaType : value);
  }
  if (isStored) headers.append("age", `${Math.floor(currentAge(freshness, nowMs) / 1000)}`);
  headers.append("cache-status", cacheStatus(proxyName, outcome));
  if (outcome.hit !== true) headers.append("server-timing", `cache;desc="${outcome.detail ?? outcome.forward ?? ""}"`);
};

/** `fill` adds the fields to the response itself, one by one: the runtime copies `Headers`, and takes longer still for a list. */
type Head = Pick<ResponseInit, "status" | "statusText" | "headers"> & { fill?: (headers: Headers) => void };

const made = (body: BodyInit | null, head: Head): Response => {
  const response = new Response(body, head);
  head.fill?.(response.headers);
  return response;
};

/** A response with this head, or what the conditions and the range of the request make of it. */
const withHead = (answer: Answer | Entry, head: Head, recipient: Recipient): Response => {
  const { method, isRead, headers: asked, condition } = recipient.request;
  const { status, bytes, stream, endpoint, freshness } = answer;
  const stored = endpoint === "other" && "fetchedAtMs" in answer ? answer : undefined;
  const rangeField = stored === undefined ? null : rangeFor(method, asked, fieldIn(stored.headers, "etag"));
  const isConditional = condition.ifNoneMatch !== null || condition.ifModifiedSince !== null;
  if (method === "GET" && !isConditional && rangeField === null) return withBody(answer, head, recipient);
  const { headers, statusText } = made(null, head);
  const isUnmodified = isRead && status === 200 && isNotModified(condition, headers, freshness?.responseTimeMs);
  if (isUnmodified || status === 304) {
    void stream?.cancel();
    return new Response(null, { status: 304, headers: notModifiedFields(headers) });
  }
  const isCut = (status === 200 || status === 206) && stored?.part?.askedRange !== rangeField;
  const range = isCut ? parseRange(rangeField) : undefined;
  const slice = range && sliceOf(range, stored?.part ?? { first: 0, total: bytes.byteLength }, bytes.byteLength);
  if (slice === "unsatisfiable") {
    headers.set("content-range", `bytes */${bytes.byteLength}`);
    headers.delete("content-length");
    return new Response(null, { status: 416, headers });
  }
  if (slice !== undefined) {
    headers.set("content-range", slice.contentRange);
    headers.set("content-length", `${slice.end - slice.start}`);
    const part = bytes.subarray(slice.start, slice.end);
    return withBody(answer, { status: 206, statusText: "Partial Content", headers }, recipient, part);
  }
  // The runtime gives the length of what is sent; of what would be sent it is given here.
  const isLengthKnown = endpoint !== "other" && stream === undefined;
  if (method === "HEAD" && isLengthKnown) headers.set("content-length", `${bytes.byteLength}`);
  return withBody(answer, { status, statusText, headers }, recipient);
};

/** A response with the body or a part of it, unless it must have none, or the user has too many bytes under way. */
const withBody = (answer: Answer, head: Head, { request, user, budget, context }: Recipient, part = answer.bytes) => {
  // The runtime takes no body for a client that went before the response was made, and does not cancel it either.
  const isForNobody = (part.byteLength >= minCountedBytes || answer.stream !== undefined) && context.isGone();
  if (request.method === "HEAD" || withoutContent.has(answer.status) || isForNobody) {
    void answer.stream?.cancel();
    return made(null, head);
  }
  if (answer.stream !== undefined) return made(answer.stream, head);
  const sent = sendBytes(answer, part, budget, user);
  if (sent === undefined) return refuse(tooManyBytes, request.headers.get("accept"));
  if (sent.ended !== undefined) context.waitUntil(sent.ended);
  return made(sent.stream ?? sent.bytes, head);
};

const preflightSeconds = 7_200; // how long a browser may remember a preflight, in seconds

const allowedHeaders =
  "Accept, Authorization, Baggage, Cache-Control, Content-Type, If-Match, If-Modified-Since, If-None-Match, Traceparent, Tracestate, X-Request-Id";

/** Response headers that pages may read besides the safelisted ones. */
const exposedHeaders = `Age, ${schemaDigestHeader}, Cache-Status, Content-Length, Date, ETag, Proxy-Status, Retry-After, ${ownFields}`;

/** Adds what an allowed origin needs to read a response. For others only Vary: the response depends on Origin. */
export const allowOrigin = (
  response: Pick<Response, "headers">,
  requested: Headers,
  allowed: ReadonlyArray<string>,
): void => {
  // The first look at the fields of a response costs a hit a hundredth.
  if (allowed.length === 0) return;
  const { headers } = response;
  headers.set("vary", withVary(headers.get("vary"), ["Origin"]));
  const origin = requested.get("origin");
  if (origin === null || !allowed.includes(origin)) return;
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-expose-headers", exposedHeaders);
};

/** The response to OPTIONS: a preflight of an allowed origin, else only the methods. */
export const respondOptions = (requested: Headers, allowed: ReadonlyArray<string>, writes: boolean): Response => {
  const methods = writes ? `${allowedMethods}, ${writeMethods}` : allowedMethods;
  const headers = new Headers({ allow: methods, "cache-control": "private, no-store" });
  allowOrigin({ headers }, requested, allowed);
  if (requested.has("access-control-request-method") && headers.has("access-control-allow-origin")) {
    headers.set("access-control-allow-methods", methods);
    headers.set("access-control-allow-headers", allowedHeaders);
    headers.set("access-control-max-age", `${preflightSeconds}`);
  }
  return new Response(null, { status: 204, headers });
};
