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
  type ClientResponse,
} from "@bytenite-engines/http-cache";
import { sendBytes, type BodyBudget } from "./Body.ts";
import { otherFields, rangeFor, type Answer, type Entry } from "./Entry.ts";
import { tooManyBytes } from "./Failure.ts";
import { allowedMethods, proxyName, refuse, type ParsedRequest } from "./Request.ts";
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

/** The whole is wanted, whatever the client has. */
const isPlain = ({ method, condition }: ParsedRequest): boolean =>
  method !== "HEAD" && condition.ifNoneMatch === null && condition.ifModifiedSince === null;

/** The response from an entry in memory, which is likely to be used again within the second. */
export const respondFromMemory = (entry: Entry, nowMs: number, recipient: Recipient): Response => {
  const { request } = recipient;
  const { mediaType } = request.representation;
  const second = Math.floor(nowMs / 1000);
  let ready = entry.prepared;
  if (ready === undefined || ready.second !== second || ready.mediaType !== mediaType) {
    const outcome = { hit: true, ttlMs: timeToLive(entry.freshness, nowMs) };
    const headers = fieldsOf(entry, request, nowMs, outcome);
    ready = { second, mediaType, head: new Response(null, { status: entry.status, headers }) };
    entry.prepared = ready;
  }
  return isPlain(request)
    ? withBody(entry, ready.head, recipient)
    : respondConditionally(entry, new Headers(ready.head.headers), recipient);
};

/** The response of an endpoint, with Cache-Status. */
export const respond = (answer: Answer, nowMs: number, outcome: CacheOutcome, recipient: Recipient): Response => {
  const headers = fieldsOf(answer, recipient.request, nowMs, outcome);
  return isPlain(recipient.request)
    ? withBody(answer, { status: answer.status, headers }, recipient)
    : respondConditionally(answer, new Headers(headers), recipient);
};

const fieldsOf = (
  answer: Answer,
  { representation }: ParsedRequest,
  nowMs: number,
  outcome: CacheOutcome,
): Array<[string, string]> => {
  const fields = new Map(answer.client);
  // A format has several media types; the client gets the one it requested.
  if (answer.format === representation.format) fields.set("content-type", representation.mediaType);
  // Stored responses state their age (RFC 9111, 5.1); so do answers that a cache before the upstream had stored.
  const { freshness } = answer;
  const isStored = outcome.hit === true || outcome.detail === "stale-if-error";
  if (freshness !== undefined && (isStored || answer.ageMs !== undefined)) {
    fields.set("age", `${Math.floor(currentAge(freshness, nowMs) / 1000)}`);
  } else if (answer.ageMs !== undefined) {
    fields.set("age", `${Math.floor(answer.ageMs / 1000)}`);
  }
  const before = fields.get("cache-status");
  const own = cacheStatus(proxyName, outcome);
  fields.set("cache-status", before === undefined ? own : `${before}, ${own}`);
  if (outcome.hit !== true) fields.set("server-timing", `cache;desc="${outcome.detail ?? outcome.forward ?? ""}"`);
  return [...fields];
};

const respondConditionally = (answer: Answer, headers: Headers, recipient: Recipient): Response => {
  const { method, condition } = recipient.request;
  const { status } = answer;
  if (status === 200 && isNotModified(condition, headers, answer.freshness?.responseTimeMs)) {
    for (const name of ["content-type", "content-encoding"]) headers.delete(name);
    return new Response(null, { status: 304, headers });
  }
  // The runtime gives the length of what is sent; of what would be sent it is given here.
  if (method === "HEAD" && answer.stream === undefined) headers.set("content-length", `${answer.bytes.byteLength}`);
  return withBody(answer, { status, headers }, recipient);
};

/** A response with the body, unless it must have none, or the user has too many bytes under way. */
const withBody = (
  answer: Pick<Answer, "bytes" | "stream" | "lease">,
  head: ResponseInit & { readonly status: number },
  { request: { method, headers }, user, budget, context }: Recipient,
): Response => {
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

/** A response of another path, with the range that the client asks for where it is stored. */
export const respondOther = (
  { status, headers: fields }: ClientResponse,
  answer: Pick<Answer, "bytes" | "stream" | "lease" | "statusText">,
  stored: Entry | undefined,
  outcome: CacheOutcome,
  isForOneUser: boolean,
  recipient: Recipient,
): Response => {
  const headers = new Headers(otherFields(fields, isForOneUser) as Array<[string, string]>);
  headers.append("cache-status", cacheStatus(proxyName, outcome));
  const { method, headers: asked } = recipient.request;
  const rangeField = stored === undefined ? null : rangeFor(method, asked, stored);
  const range = parseRange(rangeField);
  const isCut = stored !== undefined && stored.part?.askedRange !== rangeField;
  if (isCut && range !== undefined && (status === 200 || status === 206)) {
    const { byteLength } = stored.bytes;
    const slice = sliceOf(range, stored.part ?? { first: 0, total: byteLength }, byteLength);
    if (slice === "unsatisfiable") {
      headers.set("content-range", `bytes */${byteLength}`);
      headers.delete("content-length");
      return new Response(null, { status: 416, headers });
    }
    if (slice !== undefined) {
      headers.set("content-range", slice.contentRange);
      headers.set("content-length", `${slice.end - slice.start}`);
      return new Response(stored.bytes.subarray(slice.start, slice.end), { status: 206, headers });
    }
  }
  if (status === 304) headers.delete("content-length");
  const statusText = stored !== undefined && status !== stored.status ? "" : (answer.statusText ?? "");
  return withBody(answer, { status, statusText, headers }, recipient);
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
  "Age",
  schemaDigestHeader,
  "Cache-Status",
  "Content-Length",
  "Date",
  "ETag",
  "Proxy-Status",
  "Retry-After",
  "Server-Timing",
  "X-Request-Id",
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
  const methods = writes ? `${allowedMethods}, POST, PUT, PATCH, DELETE` : allowedMethods;
  const headers = new Headers({ allow: methods, "cache-control": "private, no-store" });
  allowOrigin(headers, requested.get("origin"), allowed);
  if (requested.has("access-control-request-method") && headers.has("access-control-allow-origin")) {
    headers.set("access-control-allow-methods", methods);
    headers.set("access-control-allow-headers", allowedHeaders);
    headers.set("access-control-max-age", `${preflightSeconds}`);
  }
  return new Response(null, { status: 204, headers });
};
