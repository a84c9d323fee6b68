// The cache as one object: store, evaluate, update and invalidate.
import { isEntry, entryVersion, type CacheEntry } from "./CacheEntry.ts";
import { checkOptions, type CacheOptions } from "./CacheOptions.ts";
import type { CacheOutcome, ForwardReason } from "./CacheStatus.ts";
import { isNotModified, notModifiedFields } from "./Conditions.ts";
import { currentAge, freshnessOf, timeToLive, type ExchangeTimes, type Freshness } from "./Freshness.ts";
import { fieldValue, toHeaders, type HeaderFields } from "./HeaderFields.ts";
import { endToEnd } from "./HopByHop.ts";
import { parseHttpDate } from "./HttpDate.ts";
import { invalidatedGroups, invalidatedUrls, isUnsafe } from "./Invalidation.ts";
import { requestDirectives, type RequestDirectives } from "./RequestDirectives.ts";
import { responseDirectives } from "./ResponseDirectives.ts";
import { errorStatuses, evaluate, mayServeDisconnected, mayServeOnError } from "./Reuse.ts";
import { updateFields, withDate, withoutWithheld } from "./StoredFields.ts";
import { storingRefusal, type StoringRefusal } from "./Storing.ts";
import { confirms, confirmsByHead, validatingFields } from "./Validation.ts";
import { matchesVary, selectingFields } from "./Vary.ts";

/** A request: `Request`, `IncomingMessage` of Node, or an object like them. `method` defaults to GET. */
export interface CacheRequest {
  /** Absolute, or a path with Host in the headers, as Node has it. */
  readonly url?: string | undefined;
  readonly method?: string | undefined;
  readonly headers: HeaderFields;
}

/** A response: `Response`, `IncomingMessage` of Node, or an object like them. The status defaults to 200. */
export interface CacheResponse {
  readonly status?: number | undefined;
  readonly statusCode?: number | undefined;
  readonly headers: HeaderFields;
}

/** Status and header fields of a response to a client. The body is the stored one; without one for HEAD, 204 and 304. */
export interface ClientResponse {
  readonly status: number;
  readonly headers: Headers;
}

/** The result of `store`. */
export type StoreResult =
  | { readonly stored: true; readonly entry: CacheEntry }
  | { readonly stored: false; readonly reason: StoringRefusal };

/** The result of `evaluate`: what to do with a request. `outcome` is for `cacheStatus`. */
export type EvaluateResult<E extends CacheEntry = CacheEntry> =
  /** Send `response` with the body of `entry`. */
  | { readonly action: "fresh"; readonly entry: E; readonly response: ClientResponse; readonly outcome: CacheOutcome }
  /**
   * Send `response` with the body of `entry`, which is stale. `revalidate`: also validate the entry in the background,
   * by a request with the fields in `send`.
   */
  | {
      readonly action: "stale";
      readonly entry: E;
      readonly response: ClientResponse;
      readonly revalidate: boolean;
      readonly send: Headers;
      readonly outcome: CacheOutcome;
    }
  /** Send the request to the origin with the fields in `send`; give a 304 to `update` and other responses to `store`. */
  | { readonly action: "validate"; readonly entry: E; readonly send: Headers; readonly outcome: CacheOutcome }
  /**
   * Send the request to the origin with the fields in `send`; give the response to `store`, and after an unsafe method to
   * `invalidate`. A 304 is for the client: it responds to the conditions of its request. `entry` is the selected one, if
   * any; it can only be used by `staleIfError`.
   */
  | {
      readonly action: "forward";
      readonly entry: E | undefined;
      readonly send: Headers;
      readonly outcome: CacheOutcome;
    }
  /** Send `response`, which is 504: the request has `only-if-cached` (RFC 9111, 5.2.1.7). */
  | { readonly action: "unsatisfiable"; readonly response: ClientResponse; readonly outcome: CacheOutcome };

/** The result of `update`. */
export type UpdateResult<E extends CacheEntry = CacheEntry> =
  /** Store `entry` in place of the old one; send `response` with its body. */
  | { readonly action: "updated"; readonly entry: E; readonly response: ClientResponse }
  /** Remove the entry: the update forbids to store it. Send `response` with its body. */
  | { readonly action: "remove"; readonly reason: StoringRefusal; readonly response: ClientResponse }
  /**
   * The response is not about this entry (RFC 9111, 4.3.4). After a 304, send the request again without If-None-Match and
   * If-Modified-Since. After a 200 to HEAD, remove the entry, which is stale (RFC 9111, 4.3.5).
   */
  | { readonly action: "mismatch" };

/** What an unsafe request invalidates: entries with these URLs, and entries of this origin in these groups. */
export interface Invalidation {
  readonly urls: ReadonlyArray<string>;
  readonly groups: ReadonlyArray<string>;
}

/** An HTTP cache without storage, network and clock. Times are in milliseconds since the epoch. */
export interface HttpCache {
  /** The entry for a response of the origin, or why it may not be stored (RFC 9111, 3). */
  readonly store: (request: CacheRequest, response: CacheResponse, times: ExchangeTimes) => StoreResult;
  /**
   * What to do with a request of a client, given what is stored under its URL: nothing (undefined or null), one entry, or several that differ
   * by Vary (RFC 9111, 4).
   */
  readonly evaluate: <E extends CacheEntry>(
    request: CacheRequest,
    stored: E | ReadonlyArray<E> | null | undefined,
    nowMs: number,
  ) => EvaluateResult<E>;
  /**
   * Updates an entry from a 304, or from a 200 to HEAD (RFC 9111, 4.3.4 and 4.3.5). `request` is the one of the client, to
   * whose evaluation the fields in `send` belonged. Throws TypeError for another response.
   */
  readonly update: <E extends CacheEntry>(
    entry: E,
    request: CacheRequest,
    response: CacheResponse,
    times: ExchangeTimes,
  ) => UpdateResult<E>;
  /**
   * The stored response in place of an error: `response` is 500, 502, 503 or 504, or undefined where the origin could not
   * be reached (RFC 5861, 4; RFC 9111, 4.2.4). Undefined: the error must be sent.
   */
  readonly staleIfError: (
    request: CacheRequest,
    entry: CacheEntry,
    response: CacheResponse | undefined,
    nowMs: number,
  ) => ClientResponse | undefined;
  /** What to invalidate after a response to a request (RFC 9111, 4.4; RFC 9875): nothing after a safe method or an error. */
  readonly invalidate: (request: CacheRequest, response: CacheResponse) => Invalidation;
}

/** Makes a cache. Throws TypeError for invalid options. */
export const httpCache = (options: CacheOptions = {}): HttpCache => {
  checkOptions(options);

  const store: HttpCache["store"] = (request, response, times) => {
    const fields = withDate(endToEnd(toHeaders(response.headers)), times.responseTimeMs);
    const built = buildEntry(request, statusOf(response), fields, times, options);
    return "reason" in built ? { stored: false, reason: built.reason } : { stored: true, entry: built.entry };
  };

  const update: HttpCache["update"] = <E extends CacheEntry>(
    entry: E,
    request: CacheRequest,
    response: CacheResponse,
    times: ExchangeTimes,
  ): UpdateResult<E> => {
    const status = statusOf(response);
    const isHead = methodOf(request) === "HEAD" && status === 200;
    if (status !== 304 && !isHead) throw new TypeError(`update takes a 304, or a 200 to HEAD, not ${status}`);
    if (!isEntry(entry)) return { action: "mismatch" };
    const stored = storedFields(entry);
    const received = withDate(endToEnd(toHeaders(response.headers)), times.responseTimeMs);
    const confirmed = isHead
      ? confirmsByHead(received, stored)
      : sentFields(request, entry) !== undefined && confirms(received, stored);
    if (!confirmed) return { action: "mismatch" };
    const fields = updateFields(stored, received, options.processedFields);
    // The entry is of a GET for the stored URL, whatever method validated it.
    const get = { headers: request.headers };
    const built = buildEntry(get, entry.status, fields, times, options);
    const { freshness } = built;
    const answer = clientResponse(
      request,
      entry.status,
      fields,
      freshness,
      received.has("age") ? times.responseTimeMs : undefined,
    );
    return "reason" in built
      ? { action: "remove", reason: built.reason, response: answer }
      : { action: "updated", entry: { ...entry, ...built.entry, url: entry.url }, response: answer };
  };

  return {
    store,
    evaluate: evaluateRequest,
    update,
    staleIfError: (request, entry, response, nowMs) => {
      if (!isEntry(entry)) return undefined;
      const directives = directivesOf(request);
      const isError = response === undefined || errorStatuses.has(statusOf(response));
      const isDisconnected = response === undefined && options.staleWhenDisconnected === true;
      const mayServe =
        isError &&
        (mayServeOnError(directives, entry.freshness, nowMs) ||
          (isDisconnected && mayServeDisconnected(entry.freshness)));
      if (!mayServe) return undefined;
      return clientResponse(request, entry.status, storedFields(entry), entry.freshness, nowMs);
    },
    invalidate: (request, response) => {
      const method = methodOf(request);
      const status = statusOf(response);
      const headers = toHeaders(response.headers);
      return {
        urls: isUnsafe(method) ? invalidatedUrls(urlOf(request), status, headers) : [],
        groups: invalidatedGroups(method, status, headers),
      };
    },
  };
};

const evaluateRequest = <E extends CacheEntry>(
  request: CacheRequest,
  stored: E | ReadonlyArray<E> | null | undefined,
  nowMs: number,
): EvaluateResult<E> => {
  const method = methodOf(request);
  const directives = directivesOf(request);
  const noEntries: ReadonlyArray<E> = [];
  const isCached = method === "GET" || method === "HEAD";
  const returned = isCached ? noEntries.concat(stored ?? []) : noEntries;
  const valid = returned.filter(isEntry);
  const entries = entriesFor(request, valid);
  const entry = selectEntry(request, entries);
  // A precondition for the origin only cannot be evaluated here (RFC 9111, 4.3.2).
  const bypasses = hasField(request, originConditions);
  const evaluation = evaluate(directives, bypasses ? undefined : entry?.freshness, nowMs);
  if (evaluation.action === "unsatisfiable") {
    return {
      action: "unsatisfiable",
      response: { status: 504, headers: new Headers() },
      outcome: { detail: "only-if-cached" },
    };
  }
  if (entry === undefined || evaluation.action === "forward") {
    const forward: ForwardReason = !isCached
      ? "method"
      : entry !== undefined
        ? "request"
        : entries.length > 0
          ? "vary-miss"
          : "uri-miss";
    const outcome = valid.length < returned.length ? { forward, detail: "invalid-entry" } : { forward };
    return { action: "forward", entry, send: clientFields(request), outcome };
  }
  const { freshness } = entry;
  if (evaluation.action === "validate") {
    const send = sentFields(request, entry);
    return {
      action: send === undefined ? "forward" : "validate",
      entry,
      send: send ?? clientFields(request),
      outcome: { forward: evaluation.because },
    };
  }
  let built: ClientResponse | undefined;
  const served = {
    entry,
    // Built when it is read: Headers cost more than the whole evaluation.
    get response(): ClientResponse {
      return (built ??= clientResponse(request, entry.status, storedFields(entry), freshness, nowMs));
    },
    outcome: { hit: true, ttlMs: timeToLive(freshness, nowMs) },
  };
  if (evaluation.action === "fresh") return Object.assign(served, { action: "fresh" as const });
  return Object.assign(served, {
    action: "stale" as const,
    revalidate: evaluation.revalidate,
    send: sentFields(request, entry) ?? clientFields(request),
  });
};

const methodOf = (request: CacheRequest): string => request.method ?? "GET";

const statusOf = ({ status, statusCode }: CacheResponse): number => status ?? statusCode ?? 200;

const directivesOf = ({ headers }: CacheRequest): RequestDirectives =>
  requestDirectives(fieldValue(headers, "cache-control"), fieldValue(headers, "pragma"));

/**
 * The absolute URL of a request, without fragment; as it is where it cannot be parsed. A path is not normalized, and what
 * belongs to no host becomes `^`, which no URL has there: a client must not choose the URL of another response.
 */
const urlOf = ({ url = "/", headers }: CacheRequest): string => {
  if (url.startsWith("/")) {
    // A request of HTTP/2 in Node may have `:authority` in place of Host.
    const { ":authority": authority } = headers as Readonly<Record<string, string | undefined>>;
    const host = ((authority ?? fieldValue(headers, "host")) || "localhost").toLowerCase().replace(/:80$/, "");
    return `http://${host.replaceAll(/[^\w.:[\]-]/g, "^")}${url.replaceAll("#", "%23")}`;
  }
  return URL.canParse(url) ? new URL(url).href.replace(/#.*/, "") : url;
};

/** Preconditions that only the origin evaluates (RFC 9111, 4.3.2). */
const originConditions: ReadonlyArray<string> = ["if-match", "if-unmodified-since"];

/** Conditions of a client that are never sent together with our own. */
const otherConditions: ReadonlyArray<string> = [...originConditions, "if-range"];

const hasField = ({ headers }: CacheRequest, names: ReadonlyArray<string>): boolean =>
  names.some((name) => fieldValue(headers, name) !== null);

/** The stored responses to requests for this URL. */
const entriesFor = <E extends CacheEntry>(request: CacheRequest, entries: ReadonlyArray<E>): ReadonlyArray<E> => {
  let url: string | undefined;
  return entries.filter((entry) => entry.url === request.url || entry.url === (url ??= urlOf(request)));
};

/** The most recent of the responses that the request selects (RFC 9111, 4 and 4.1). */
const selectEntry = <E extends CacheEntry>(request: CacheRequest, entries: ReadonlyArray<E>): E | undefined => {
  let selected: E | undefined;
  for (const entry of entries) {
    const isSelected =
      entry.vary.length === 0 || matchesVary(entry.vary, request.headers, storedValue(entry, "content-language"));
    if (isSelected && (selected === undefined || dateOf(entry) >= dateOf(selected))) selected = entry;
  }
  return selected;
};

const storedValue = (entry: CacheEntry, name: string): string | null =>
  entry.headers.find(([field]) => field === name)?.[1] ?? null;

const dateOf = (entry: CacheEntry): number =>
  parseHttpDate(storedValue(entry, "date")) ?? entry.freshness.responseTimeMs;

/** The fields of a request that are for the origin. */
const clientFields = ({ headers }: CacheRequest): Headers => endToEnd(toHeaders(headers));

const storedFields = ({ headers }: CacheEntry): Headers => new Headers(headers as Array<[string, string]>);

/**
 * The fields of a request that validates an entry: those of the client, with the conditions of the entry alone. Undefined:
 * the entry has no validator, or the request has a condition that must not be mixed with ours.
 */
const sentFields = (request: CacheRequest, entry: CacheEntry): Headers | undefined => {
  const conditions = validatingFields(storedFields(entry));
  if (conditions.length === 0 || hasField(request, otherConditions)) return undefined;
  const fields = clientFields(request);
  fields.delete("if-none-match");
  fields.delete("if-modified-since");
  for (const [name, value] of conditions) fields.set(name, value);
  return fields;
};

/** The entry for a response with these fields, or why it may not be stored; and its freshness. */
const buildEntry = (
  request: CacheRequest,
  status: number,
  fields: Headers,
  times: ExchangeTimes,
  options: CacheOptions,
): { readonly freshness: Freshness } & ({ readonly reason: StoringRefusal } | { readonly entry: CacheEntry }) => {
  const directives = responseDirectives(fields, options);
  const freshness = freshnessOf(status, fields, directives, times, options);
  const authorized = fieldValue(request.headers, "authorization") !== null;
  const storable = { method: methodOf(request), control: directivesOf(request), authorized };
  const reason = storingRefusal(storable, status, fields, directives, options);
  if (reason !== undefined) return { reason, freshness };
  const entry: CacheEntry = {
    version: entryVersion,
    url: urlOf(request),
    status,
    headers: [...withoutWithheld(fields, directives.withheldFields)],
    vary: selectingFields(fields, clientFields(request)),
    freshness,
  };
  return { entry, freshness };
};

/**
 * The response to a client from a stored one: 304 where its condition asks for that (RFC 9111, 4.3.2). `ageAtMs`: the time
 * for which Age is computed (RFC 9111, 4); undefined for a response that the origin has just validated.
 */
const clientResponse = (
  request: CacheRequest,
  status: number,
  headers: Headers,
  freshness: Freshness,
  ageAtMs: number | undefined,
): ClientResponse => {
  if (ageAtMs !== undefined) headers.set("age", `${Math.floor(currentAge(freshness, ageAtMs) / 1000)}`);
  const condition = {
    ifNoneMatch: fieldValue(request.headers, "if-none-match"),
    ifModifiedSince: fieldValue(request.headers, "if-modified-since"),
  };
  if (status !== 200 || !isNotModified(condition, headers, freshness.responseTimeMs)) return { status, headers };
  return { status: 304, headers: notModifiedFields(headers) };
};
