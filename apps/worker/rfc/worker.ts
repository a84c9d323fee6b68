// A plain shared cache in front of any origin, for conformance suites only: the rules of http-cache and nothing else.
import {
  cacheStatus,
  confirms,
  currentAge,
  evaluate,
  endToEnd,
  errorStatuses,
  updateFields,
  freshnessOf,
  invalidatedGroups,
  invalidatedUrls,
  isNotModified,
  isUnsafe,
  mayServeDisconnected,
  parseContentRange,
  parseRange,
  timeToLive,
  requestDirectives,
  responseDirectives,
  selectingFields,
  sliceOf,
  storingRefusal,
  validatingFields,
  type CacheOutcome,
  type CacheOptions,
  type RequestDirectives,
} from "@bytenite-engines/http-cache";
import type { RequestContext } from "../src/Runtime.ts";
import { Store, type Stored } from "./Store.ts";

/** The fraction that RFC 9111, 4.2.2 calls typical, for a day at most. */
const heuristic = { fraction: 0.1, maxMs: 86_400_000 };
/** A shared cache at the edge. No default lifetimes. */
const policy: CacheOptions = { shared: true, targetedFields: ["cdn-cache-control"], heuristic };
const cacheName = "rfc-cache";
const store = new Store();

interface Env {
  readonly UPSTREAM_URL: string;
}

/** A request on its way through the flow. */
interface Visit {
  readonly request: Request;
  readonly url: string;
  readonly control: RequestDirectives;
}

export default {
  async fetch(request: Request, env: Env, context: RequestContext): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const url = `${env.UPSTREAM_URL}${pathname}${search}`;
    const control = requestDirectives(request.headers.get("cache-control"), request.headers.get("pragma"));
    const visit = { request, url, control };
    if (request.method !== "GET" && request.method !== "HEAD") return throughUnsafe(visit);

    const found = store.select(url, request.headers).find((stored) => answerable(stored, request));
    const decision = evaluate(control, found?.freshness, Date.now());
    if (decision.action === "unsatisfiable") return new Response("not stored", { status: 504 });
    if (found !== undefined && (decision.action === "fresh" || decision.action === "stale")) {
      if (decision.action === "stale" && decision.revalidate) context.waitUntil(exchange(visit, found).catch(() => {}));
      return answer(visit, found, { hit: true });
    }
    const forward = found !== undefined ? "stale" : store.has(url) ? "vary-miss" : "uri-miss";
    const fetched = await exchange(visit, found).catch(() => undefined);
    if (found !== undefined && decision.action === "validate") {
      const isDisconnected = fetched === undefined && mayServeDisconnected(found.freshness);
      const isCovered = decision.orStale && (fetched === undefined || errorStatuses.has(fetched.status));
      if (isDisconnected || isCovered) return answer(visit, found, { forward, detail: "stale-if-error" });
    }
    return fetched === undefined
      ? new Response("the origin gave no answer", { status: 502 })
      : answer(visit, fetched, { forward });
  },
};

/** Whether a stored answer holds what the request asks for: the whole, or a part that it can be cut from. */
const answerable = (stored: Stored, request: Request): boolean => {
  const rangeField = request.headers.get("range");
  if (stored.part === undefined) return true;
  if (rangeField === null) return false;
  const range = parseRange(rangeField);
  return (
    rangeField === stored.part.askedRange ||
    (range !== undefined && typeof sliceOf(range, stored.part, stored.bytes.byteLength) === "object")
  );
};

/** Asks the origin; stores what may be stored; a 304 gives the stored answer back, made fresh. */
const exchange = async (visit: Visit, stored: Stored | undefined): Promise<Stored> => {
  const { request, url, control } = visit;
  const headers = endToEnd(request.headers);
  const conditions = stored === undefined || stored.part !== undefined ? [] : validatingFields(stored.headers);
  for (const [name, value] of conditions) headers.set(name, value);
  const requestTimeMs = Date.now();
  const response = await fetch(url, { method: request.method, headers, redirect: "manual" });
  const responseTimeMs = Date.now();
  const validated = response.status === 304 && conditions.length > 0 ? stored : undefined;
  const received = endToEnd(response.headers);
  if (validated !== undefined && !confirms(received, validated.headers)) return exchange(visit, undefined);
  const fields = validated === undefined ? received : updateFields(validated.headers, received);
  const status = validated?.status ?? response.status;
  const bytes = validated?.bytes ?? new Uint8Array(await response.arrayBuffer());
  const responseRules = responseDirectives(fields, policy);
  const partOfWhole = status === 206 ? parseContentRange(fields.get("content-range")) : undefined;
  const askedRange = request.headers.get("range");
  const fetched: Stored = {
    url,
    status,
    statusText: validated?.statusText ?? response.statusText,
    headers: fields,
    bytes,
    freshness: freshnessOf(status, fields, responseRules, { requestTimeMs, responseTimeMs }, policy),
    selecting: selectingFields(fields, request.headers),
    part: partOfWhole === undefined || askedRange === null ? undefined : { ...partOfWhole, askedRange },
  };
  const storable = { method: request.method, control, authorized: request.headers.has("authorization") };
  // A part is stored by the same conditions as the whole (RFC 9111, 3.3).
  const statusToStore = fetched.part === undefined ? status : 200;
  if (storingRefusal(storable, statusToStore, fields, responseRules, policy) === undefined) {
    for (const name of responseRules.withheldFields) fields.delete(name);
    store.put(fetched, request.headers);
  }
  return fetched;
};

const throughUnsafe = async ({ request, url }: Visit): Promise<Response> => {
  const { method, body } = request;
  const response = await fetch(url, { method, headers: endToEnd(request.headers), body, redirect: "manual" });
  if (isUnsafe(method)) {
    for (const each of invalidatedUrls(url, response.status, response.headers)) store.delete(each);
    store.deleteGroups(invalidatedGroups(method, response.status, response.headers));
  }
  const headers = endToEnd(response.headers);
  headers.append("cache-status", cacheStatus(cacheName, { forward: "method" }));
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
};

/** Statuses that never have content (RFC 9110, 6.4.1). */
const withoutContent: ReadonlySet<number> = new Set([204, 205, 304]);

const answer = ({ request }: Visit, stored: Stored, outcome: CacheOutcome): Response => {
  const nowMs = Date.now();
  const headers = new Headers(stored.headers);
  const ttlMs = timeToLive(stored.freshness, nowMs);
  headers.append("cache-status", cacheStatus(cacheName, { ...outcome, ...(outcome.hit === true ? { ttlMs } : {}) }));
  if (outcome.hit === true || outcome.detail !== undefined) {
    headers.set("age", `${Math.floor(currentAge(stored.freshness, nowMs) / 1000)}`);
  }
  const condition = {
    ifNoneMatch: request.headers.get("if-none-match"),
    ifModifiedSince: request.headers.get("if-modified-since"),
  };
  const { status, statusText } = stored;
  if (status === 200 && isNotModified(condition, headers, stored.freshness.responseTimeMs)) {
    headers.delete("content-length");
    return new Response(null, { status: 304, headers });
  }
  const rangeField = request.headers.get("range");
  const range = parseRange(rangeField);
  const isPart = stored.part !== undefined;
  if (
    range !== undefined &&
    outcome.hit === true &&
    (status === 200 || isPart) &&
    stored.part?.askedRange !== rangeField
  ) {
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
  const body = request.method === "HEAD" || withoutContent.has(status) ? null : stored.bytes;
  return new Response(body, { status, statusText, headers });
};
