// A plain shared cache in front of any origin, for conformance suites: the one object of http-cache, and Range.
import {
  cacheStatus,
  endToEnd,
  httpCache,
  isNotModified,
  parseContentRange,
  parseRange,
  sliceOf,
  withDate,
  type CacheOutcome,
  type CacheRequest,
  type ClientResponse,
  type EvaluateResult,
} from "@bytenite-engines/http-cache";
import type { RequestContext } from "../src/Runtime.ts";
import { Store, type Stored } from "./Store.ts";

const cache = httpCache({
  shared: true,
  targetedFields: ["cdn-cache-control"],
  // The fraction that RFC 9111, 4.2.2 calls typical, for a day at most.
  heuristic: { fraction: 0.1, maxMs: 86_400_000 },
  staleWhenDisconnected: true,
});
const cacheName = "rfc-cache";
const store = new Store();

interface Env {
  readonly UPSTREAM_URL: string;
}

/** A request of a client, with the URL of the origin. */
interface Asked extends CacheRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
}

/** A response for a client, with its body. `stored`: it comes from a stored response, from which a range may be cut. */
interface Answer extends ClientResponse {
  readonly statusText: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly stored: Stored | undefined;
}

type ToForward = Extract<EvaluateResult<Stored>, { readonly send: Headers }>;

export default {
  async fetch(request: Request, env: Env, context: RequestContext): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const { method, headers, body } = request;
    const asked = { url: `${env.UPSTREAM_URL}${pathname}${search}`, method, headers };
    const usable = store.get(asked.url).filter((stored) => holdsRange(stored, headers.get("range")));
    const decision = cache.evaluate(asked, usable, Date.now());
    if (decision.action === "unsatisfiable") return new Response("not stored", decision.response);
    if (decision.action === "fresh" || decision.action === "stale") {
      const { entry, response, outcome } = decision;
      if (decision.action === "stale" && decision.revalidate) {
        context.waitUntil(exchange(asked, decision, null).catch(() => {}));
      }
      return send(asked, answerFrom(entry, response), outcome);
    }
    const answer = await exchange(asked, decision, body).catch(() => undefined);
    const { entry, outcome } = decision;
    const stale = entry && cache.staleIfError(asked, entry, answer, Date.now());
    if (entry !== undefined && stale !== undefined) {
      return send(asked, answerFrom(entry, stale), { ...outcome, detail: "stale-if-error" });
    }
    return answer === undefined
      ? new Response("the origin cannot be reached", { status: 502 })
      : send(asked, answer, outcome);
  },
};

/** Whether a stored response holds what a request asks for: the whole, or a part that it can be cut from. */
const holdsRange = ({ part, bytes }: Stored, rangeField: string | null): boolean => {
  if (part === undefined) return true;
  const range = parseRange(rangeField);
  return (
    rangeField === part.askedRange ||
    (range !== undefined && typeof sliceOf(range, part, bytes.byteLength) === "object")
  );
};

/** Asks the origin, and stores, updates and invalidates accordingly. */
const exchange = async (asked: Asked, decision: ToForward, body: ReadableStream | null): Promise<Answer> => {
  const { method, headers } = asked;
  const requestTimeMs = Date.now();
  const response = await fetch(asked.url, { method, headers: decision.send, body, redirect: "manual" });
  const times = { requestTimeMs, responseTimeMs: Date.now() };
  const { entry } = decision;
  const isHead = method === "HEAD" && response.status === 200;
  if (entry !== undefined && (isHead || (response.status === 304 && decision.action !== "forward"))) {
    const updated = cache.update(entry, asked, response, times);
    if (updated.action === "updated") {
      store.put(updated.entry, headers);
      return answerFrom(updated.entry, updated.response);
    }
    if (updated.action === "remove" || isHead) store.remove(entry);
    if (updated.action === "remove") return answerFrom(entry, updated.response);
    if (!isHead) {
      const unconditional = new Headers(decision.send);
      for (const name of ["if-none-match", "if-modified-since"]) unconditional.delete(name);
      return exchange(asked, { action: "forward", entry, send: unconditional, outcome: {} }, null);
    }
  }
  const bytes = new Uint8Array(await response.arrayBuffer());
  const { urls, groups } = cache.invalidate(asked, response);
  for (const url of urls) store.delete(url);
  store.deleteGroups(groups);

  const askedRange = headers.get("range");
  const stretch = response.status === 206 ? parseContentRange(response.headers.get("content-range")) : undefined;
  const part = stretch === undefined || askedRange === null ? undefined : { ...stretch, askedRange };
  // "A 206 (Partial Content) response MAY be stored as if it were an incomplete 200 (OK) response" (RFC 9111, 3.3).
  const storable = part === undefined ? response : { status: 200, headers: response.headers };
  const result = cache.store(asked, storable, times);
  const { status, statusText } = response;
  if (result.stored) store.put({ ...result.entry, status, statusText, bytes, part }, headers);
  const fields = withDate(endToEnd(response.headers), times.responseTimeMs);
  const condition = {
    ifNoneMatch: headers.get("if-none-match"),
    ifModifiedSince: headers.get("if-modified-since"),
  };
  // The origin was asked with our conditions; those of the client are evaluated here (RFC 9110, 13).
  if (decision.action === "validate" && status === 200 && isNotModified(condition, fields)) {
    return { status: 304, statusText: "", headers: fields, bytes, stored: undefined };
  }
  return { status, statusText, headers: fields, bytes, stored: undefined };
};

const answerFrom = (stored: Stored, response: ClientResponse): Answer => ({
  ...response,
  statusText: response.status === stored.status ? stored.statusText : "",
  bytes: stored.bytes,
  stored,
});

/** Statuses that never have content (RFC 9110, 6.4.1). */
const withoutContent: ReadonlySet<number> = new Set([204, 205, 304]);

const send = ({ method, headers: requested }: Asked, answer: Answer, outcome: CacheOutcome): Response => {
  const { status, statusText, headers, bytes, stored } = answer;
  headers.append("cache-status", cacheStatus(cacheName, outcome));
  const rangeField = requested.get("range");
  const range = parseRange(rangeField);
  const isCut = stored?.part?.askedRange !== rangeField;
  if (stored !== undefined && range !== undefined && isCut && (status === 200 || status === 206)) {
    const { byteLength } = bytes;
    const slice = sliceOf(range, stored.part ?? { first: 0, total: byteLength }, byteLength);
    if (slice === "unsatisfiable") {
      headers.set("content-range", `bytes */${byteLength}`);
      headers.delete("content-length");
      return new Response(null, { status: 416, headers });
    }
    if (slice !== undefined) {
      headers.set("content-range", slice.contentRange);
      headers.set("content-length", `${slice.end - slice.start}`);
      return new Response(bytes.subarray(slice.start, slice.end), { status: 206, headers });
    }
  }
  if (status === 304) headers.delete("content-length");
  const body = method === "HEAD" || withoutContent.has(status) ? null : bytes;
  return new Response(body, { status, statusText, headers });
};
