// Responses to clients: status, fields, body, CORS, preflights.
import { schemaDigestHeader } from "@bytenite-engines/core/wire";
import {
  cacheStatus,
  currentAge,
  isNotModified,
  parseRange,
  sliceOf,
  timeToLive,
  withVary,
  type CacheOutcome,
} from "@bytenite-engines/http-cache";
import { sendBytes, type BodyBudget } from "./Body.ts";
import { ownFields, rangeFor, type Answer, type Entry } from "./Entry.ts";
import { tooManyBytes } from "./Failure.ts";
import { allowedMethods, writeMethods, proxyName, refuse, type ParsedRequest } from "./Request.ts";
import type { RequestContext } from "./Runtime.ts";

/** The recipient of a response. */
export interface Recipient {
  readonly request: ParsedRequest;
  /** The user whose share of bytes in transit it takes. */
  readonly user: string;
  readonly budget: BodyBudget;
  readonly context: RequestContext;
}

/** Statuses that never have content (RFC 9110, 6.4.1). */
const withoutContent: ReadonlySet<number> = new Set([204, 205, 304]);

/** Fields about content, which a 304 does not have (RFC 9110, 15.4.5). */
const contentFields: ReadonlyArray<string> = ["content-encoding", "content-language", "content-length", "content-type"];

/** The response from an entry in memory, which is likely to be used again within the second. */
export const respondFromMemory = (entry: Entry, nowMs: number, recipient: Recipient): Response => {
  const { mediaType } = recipient.request.representation;
  const second = Math.floor(nowMs / 1000);
  let ready = entry.prepared;
  if (ready === undefined || ready.second !== second || ready.mediaType !== mediaType) {
    const outcome = { hit: true, ttlMs: timeToLive(entry.freshness, nowMs) };
    const headers = fieldsOf(entry, recipient.request, nowMs, outcome);
    ready = { second, mediaType, head: new Response(null, { status: entry.status, headers }) };
    entry.prepared = ready;
  }
  return withHead(entry, ready.head, recipient);
};

/** The response to a client, with Cache-Status. */
export const respond = (answer: Answer, nowMs: number, outcome: CacheOutcome, recipient: Recipient): Response => {
  const { status, statusText = "" } = answer;
  return withHead(
    answer,
    { status, statusText, headers: fieldsOf(answer, recipient.request, nowMs, outcome) },
    recipient,
  );
};

const fieldsOf = (
  answer: Answer,
  { representation }: ParsedRequest,
  nowMs: number,
  outcome: CacheOutcome,
): Array<[string, string]> => {
  // A format has several media types; the client gets the one it requested.
  const isNamed = answer.format === representation.format;
  const fields = answer.client.map(([name, value]): [string, string] => [
    name,
    isNamed && name === "content-type" ? representation.mediaType : value,
  ]);
  // Stored responses state their age (RFC 9111, 5.1); so do answers that a cache before the upstream had stored.
  const { freshness, ageMs } = answer;
  const isStored = outcome.hit === true || outcome.detail === "stale-if-error";
  const age = isStored && freshness !== undefined ? currentAge(freshness, nowMs) : ageMs;
  if (age !== undefined) fields.push(["age", `${Math.floor(age / 1000)}`]);
  fields.push(["cache-status", cacheStatus(proxyName, outcome)]);
  if (outcome.hit !== true) fields.push(["server-timing", `cache;desc="${outcome.detail ?? outcome.forward ?? ""}"`]);
  return fields;
};

interface Head {
  readonly status: number;
  readonly statusText: string;
  readonly headers: HeadersInit;
}

/** A response with this head, or what the conditions and the range of the request make of it. */
const withHead = (answer: Answer | Entry, head: Head, recipient: Recipient): Response => {
  const { method, headers: asked, condition } = recipient.request;
  const { bytes } = answer;
  const isRead = method === "GET" || method === "HEAD";
  const hasCondition = condition.ifNoneMatch !== null || condition.ifModifiedSince !== null;
  const stored = answer.endpoint === "other" && "fetchedAtMs" in answer ? answer : undefined;
  const rangeField = stored === undefined ? null : rangeFor(method, asked, stored);
  if (method === "GET" && !hasCondition && rangeField === null) return withBody(answer, head, recipient);
  const headers = new Headers(head.headers);
  const isUnmodified =
    isRead && head.status === 200 && isNotModified(condition, headers, answer.freshness?.responseTimeMs);
  if (isUnmodified || head.status === 304) {
    for (const name of contentFields) headers.delete(name);
    void answer.stream?.cancel();
    return new Response(null, { status: 304, headers });
  }
  const range = stored?.part?.askedRange === rangeField ? undefined : parseRange(rangeField);
  if (range !== undefined && (head.status === 200 || head.status === 206)) {
    const slice = sliceOf(range, stored?.part ?? { first: 0, total: bytes.byteLength }, bytes.byteLength);
    if (slice === "unsatisfiable") {
      headers.set("content-range", `bytes */${bytes.byteLength}`);
      headers.delete("content-length");
      return new Response(null, { status: 416, headers });
    }
    if (slice !== undefined) {
      headers.set("content-range", slice.contentRange);
      headers.set("content-length", `${slice.end - slice.start}`);
      return new Response(bytes.subarray(slice.start, slice.end), { status: 206, headers });
    }
  }
  // The runtime gives the length of what is sent; of what would be sent it is given here.
  const isKnown = answer.endpoint !== "other" && answer.stream === undefined;
  if (method === "HEAD" && isKnown) headers.set("content-length", `${bytes.byteLength}`);
  const { status, statusText } = head;
  return withBody(answer, { status, statusText, headers }, recipient);
};

/** A response with the body, unless it must have none, or the user has too many bytes under way. */
const withBody = (answer: Answer, head: Head, { request, user, budget, context }: Recipient): Response => {
  const { method, headers } = request;
  if (method === "HEAD" || withoutContent.has(head.status)) {
    void answer.stream?.cancel();
    return new Response(null, head);
  }
  if (answer.stream !== undefined) return new Response(answer.stream, head);
  const sent = sendBytes(answer, budget, user);
  if (sent === undefined) return refuse(tooManyBytes, headers.get("accept"));
  if (sent.work !== undefined) context.waitUntil(sent.work);
  return new Response(sent.body, head);
};

/** How long a browser may remember a preflight, in seconds. */
const preflightSeconds = 7_200;

/** Request headers that pages may set. */
const allowedHeaders = [
  "Accept",
  "Authorization",
  "Baggage",
  "Cache-Control",
  "Content-Type",
  "If-Match",
  "If-Modified-Since",
  "If-None-Match",
  "Traceparent",
  "Tracestate",
  "X-Request-Id",
].join(", ");

/** Response headers that pages may read besides the safelisted ones. */
const exposedHeaders = [
  ...ownFields,
  schemaDigestHeader,
  "Cache-Status",
  "Content-Length",
  "Date",
  "ETag",
  "Proxy-Status",
  "Retry-After",
].join(", ");

/** Adds what an allowed origin needs to read a response. For others only Vary: the response depends on Origin. */
export const allowOrigin = (headers: Headers, origin: string | null, allowed: ReadonlyArray<string>): void => {
  if (allowed.length === 0) return;
  headers.set("vary", withVary(headers.get("vary"), ["Origin"]));
  if (origin === null || !allowed.includes(origin)) return;
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-expose-headers", exposedHeaders);
};

/** The response to OPTIONS: a preflight of an allowed origin, else only the methods. */
export const respondOptions = (requested: Headers, allowed: ReadonlyArray<string>, writes: boolean): Response => {
  const methods = writes ? `${allowedMethods}, ${writeMethods}` : allowedMethods;
  const headers = new Headers({ allow: methods, "cache-control": "private, no-store" });
  allowOrigin(headers, requested.get("origin"), allowed);
  if (requested.has("access-control-request-method") && headers.has("access-control-allow-origin")) {
    headers.set("access-control-allow-methods", methods);
    headers.set("access-control-allow-headers", allowedHeaders);
    headers.set("access-control-max-age", `${preflightSeconds}`);
  }
  return new Response(null, { status: 204, headers });
};
