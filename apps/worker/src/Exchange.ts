// Exchanges with the upstream: requests, coalescing, storage, invalidation.
import { basePath, mediaTypeOf, type Format, type ReadName } from "@bytenite-engines/core/wire";
import {
  endToEnd,
  evaluate,
  hopByHopNames,
  isNotModified,
  isUnsafe,
  parseContentRange,
  responseDirectives,
  timeToLive,
  varyNames,
  withDate,
  type ClientResponse,
  type Freshness,
} from "@bytenite-engines/http-cache";
import type { AdmissionRequest } from "./Admission.ts";
import type { CacheDecision, Reader } from "./Decision.ts";
import {
  asDecoded,
  clientControl,
  endpointFields,
  formatIn,
  neverStored,
  schemaDigestIn,
  strongEtag,
  withOtherOf,
  type Answer,
  type Entry,
} from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import { targetedFields } from "./Isolate.ts";
import { logError } from "./Log.ts";
import type { Fetched } from "./Outcome.ts";
import { clientOf, targetOf, tooLong, withHop, type Route } from "./Request.ts";
import { cacheKey, hasValidator, nobody, ownersOf } from "./Store.ts";
import { contentOf } from "./Transcoding.ts";
import type { UpstreamAnswer, UpstreamRequest } from "./Upstream.ts";

/** Request headers that are forwarded for endpoints; all others are dropped. */
export const forwardedFields: ReadonlyArray<string> = [
  "authorization",
  "baggage",
  "traceparent",
  "tracestate",
  "user-agent",
  "x-d1-bookmark",
];

/** Forwarded headers that are not in the cache key. */
const notInKey: ReadonlySet<string> = new Set([
  ...forwardedFields.filter((name) => name !== "authorization"),
  "cache-control",
  "cdn-loop",
  "pragma",
  "via",
  "x-forwarded-for",
  "x-request-id",
]);

/** Request headers dropped for other paths: credentials that are not in the key, and hop-by-hop fields. */
const notForwarded =
  /^(?:cookie|host|forwarded|x-forwarded-.*|x-real-ip|true-client-ip|cf-.*|accept-encoding|content-length)$/;

/**
 * Lets caches between here and the upstream serve fresh responses. Without these fields the runtime sends `no-cache`, because its own
 * cache is switched off. "0" has no meaning in Pragma.
 */
const anyFresh = "max-stale=0";
const noPragma = "0";

/** The headers of the upstream request. */
const fieldsFor = ({ request, send, validated, requestId }: CacheDecision, deployment: string): Headers => {
  const { headers, route, control, representation } = request;
  const kept = new Headers();
  if (route.endpoint === "other") {
    for (const [name, value] of send) if (!notForwarded.test(name)) kept.append(name, value);
    if (!kept.has("cache-control")) kept.set("cache-control", anyFresh);
    if (!kept.has("pragma")) kept.set("pragma", noPragma);
  } else {
    const listed = hopByHopNames(headers);
    for (const name of forwardedFields) {
      const value = listed.has(name) ? null : headers.get(name);
      if (value !== null && !tooLong(value)) kept.set(name, value);
    }
    for (const name of ["if-none-match", "if-modified-since"]) {
      const value = validated === undefined ? null : send.get(name);
      if (value !== null) kept.set(name, value);
    }
    kept.set("accept", mediaTypeOf(validated?.askedFormat ?? representation.format));
    kept.set("cache-control", control.noStore ? "no-store" : control.noCache ? "no-cache" : anyFresh);
    kept.set("pragma", noPragma);
  }
  const address = headers.get("cf-connecting-ip");
  if (address !== null) kept.set("x-forwarded-for", address);
  // Kept even if Connection lists them: they detect loops.
  for (const [name, value] of withHop(headers, deployment)) kept.set(name, value);
  kept.set("x-request-id", requestId);
  return kept;
};

export const userOf = ({ identity, request }: Pick<Reader, "identity" | "request">): string =>
  identity?.digest ?? `client/${clientOf(request.headers)}`;

export const admissionRequestOf = ({ request, identity, asRead, orStale }: CacheDecision): AdmissionRequest => ({
  owner: identity?.digest,
  client: clientOf(request.headers),
  resource: asRead.url,
  orStale,
});

/** How many failed exchanges of others a request waits for before it sends its own. */
const maxFollowed = 2;

/** The response, and whether another request fetched it. Never rejects. */
export const fetchShared = async (
  plan: CacheDecision,
  joins: boolean,
): Promise<{ readonly fetched: Fetched; readonly collapsed: boolean }> => {
  const { request, owner, isolate } = plan;
  const { route } = request;
  const { flights, store, now } = isolate;
  const format = formatAsked(plan);
  const key = cacheKey(owner ?? "", route, format);
  const isAlone = owner === undefined || route.endpoint === "other" || request.control.noStore;
  if (isAlone || store.uncacheable(key, now()) !== undefined) {
    return { fetched: await exchange(plan), collapsed: false };
  }
  for (let left = joins ? maxFollowed : 0; left > 0; left--) {
    // Looked up and joined without an `await` between: after a failed exchange one waiting request starts the next, the others join it.
    if (!flights.has(key, owner, now())) break;
    const followed = await flights.follow(key, owner, now());
    if (followed === undefined) break;
    if (!("failure" in followed)) {
      if (followed.shared) return { fetched: followed, collapsed: true };
      return { fetched: await exchange(plan), collapsed: false };
    }
    if (left === 1) return { fetched: followed, collapsed: true };
  }
  // Another request's exchange may have ended between our look into the store and now.
  const late = joins ? store.recall(owner, route, format, now()) : undefined;
  if (late !== undefined && evaluate(request.control, late.freshness, now()).action === "fresh") {
    const { status } = late;
    const fetched = { answer: late, entry: late, other: undefined, status, stored: true, shared: true };
    return { fetched: { ...fetched, attempts: 0, durationMs: 0 }, collapsed: true };
  }
  return { fetched: await lead(key, owner, plan), collapsed: false };
};

/** Validates an entry in the background, unless that is already running or the resource is backing off. */
export const revalidate = async (plan: CacheDecision): Promise<void> => {
  const { owner, request, isolate } = plan;
  if (owner === undefined) return;
  const { admission, flights, now } = isolate;
  const resource = admissionRequestOf(plan);
  const key = cacheKey(owner, request.route, formatAsked(plan));
  if (admission.isBackingOff(resource) || flights.has(key, owner, now())) return;
  const fetched = await lead(key, owner, plan);
  // 429 and an undecodable 200 also leave the stale entry unchanged.
  const isInVain = "failure" in fetched ? fetched.failure.attempts > 0 : !fetched.stored;
  if (isInVain && !admission.isBackingOff(resource)) admission.backOff(resource, admission.isFailing(resource));
};

const formatAsked = ({ validated, request }: CacheDecision): Format =>
  validated?.askedFormat ?? request.representation.format;

const lead = (key: string, owner: string, plan: CacheDecision): Promise<Fetched> =>
  plan.isolate.flights.lead(key, owner, plan.isolate.now(), () => exchange(plan));

/** Sends the request upstream and updates the store. Continues when the client disconnects, since others may wait for it. */
export const exchange = (plan: CacheDecision): Promise<Fetched> => {
  const work = exchangeOnce(plan).catch((error: unknown): Fetched => {
    logError("an exchange failed unexpectedly", error);
    return { failure: { problem: "unreachable", attempts: 1, durationMs: 0 } };
  });
  plan.context.waitUntil(work);
  return work;
};

const exchangeOnce = async (plan: CacheDecision): Promise<Fetched> => {
  const { request, validated, cache, asRead, context } = plan;
  const { store, upstream, now } = plan.isolate;
  if (await isOverLimit(plan)) return limited;
  const sent = requestOf(plan, null);
  const result = await upstream.send(sent);
  if ("problem" in result) return { failure: result };
  const isOther = request.route.endpoint === "other";
  const isHead = plan.updatedByHead !== undefined && result.status === 200;
  const updatable = isHead ? plan.updatedByHead : result.status === 304 ? validated : undefined;
  let last = result;
  try {
    if (updatable !== undefined) {
      const updated = cache.update(updatable, asRead, result, result);
      if (updated.action === "mismatch" && !isHead) {
        result.lease.release();
        const headers = new Headers(sent.headers);
        for (const name of ["if-none-match", "if-modified-since"]) headers.delete(name);
        const again = await upstream.send({ ...sent, headers });
        if ("problem" in again) return { failure: again };
        last = again;
      } else if (updated.action === "updated") {
        const entry = confirmed(plan, updatable, updated.entry, result);
        const put = store.put(
          plan.identity,
          request.route,
          entry,
          result.asked,
          isOther ? request.headers : undefined,
          now(),
        );
        if (put !== undefined) context.waitUntil(put);
        const other = isOther ? updated.response : undefined;
        if (!isHead) return fetchedFrom(entry, entry, other, result, put !== undefined, true);
      } else {
        context.waitUntil(store.remove(plan.identity, request.route, result.asked));
        if (updated.action === "remove" && !isHead) {
          return fetchedFrom(updatable, undefined, isOther ? updated.response : undefined, result, false, false);
        }
      }
    }
    return await (isOther ? receivedOther(plan, last) : received(plan, last));
  } finally {
    last.lease.release();
  }
};

const limited: Fetched = { failure: { problem: "limited", attempts: 0, durationMs: 0 } };

/** Applies the rate limits of a token, or of a client without one. */
const isOverLimit = async ({ identity, request, isolate }: CacheDecision): Promise<boolean> => {
  const limiter = identity === undefined ? isolate.limits?.anonymous : isolate.limits?.token;
  if (limiter === undefined) return false;
  return !(await limiter.limit({ key: identity?.digest ?? clientOf(request.headers) })).success;
};

const requestOf = (plan: CacheDecision, body: ReadableStream | null): UpstreamRequest => {
  const { request, cache, asRead, owner, context } = plan;
  const { config, store, now } = plan.isolate;
  const isEndpoint = request.route.endpoint !== "other";
  const times = { requestTimeMs: now(), responseTimeMs: now() };
  return {
    ...admissionRequestOf(plan),
    method: isEndpoint ? "GET" : request.method,
    headers: fieldsFor(plan, config.deployment),
    body,
    isEndpoint,
    waitUntil: (work) => context.waitUntil(work),
    ask: () => store.ask(now()),
    // What is not stored needs no memory.
    isBuffered: (status, headers) =>
      isEndpoint ||
      (request.method === "POST" && status < 400) ||
      (owner !== undefined && (status === 206 || cache.store(asRead, { status, headers }, times).stored)),
  };
};

/** The entry updated by a 304. */
const confirmed = (
  { request, identity, isolate }: CacheDecision,
  validated: Entry,
  updated: Entry,
  times: UpstreamAnswer,
): Entry => {
  const { atMs } = times.asked;
  const { prepared: _prepared, other: _other, lease: _lease, ...rest } = updated;
  const freshness = within(updated.freshness, identity?.expiresAtMs);
  const { endpoint } = request.route;
  if (endpoint === "other") return { ...rest, freshness, fetchedAtMs: atMs };
  const headers = new Headers(updated.headers as Array<[string, string]>);
  const control = clientControl(
    updated.status,
    headers,
    freshness,
    isolate.config.lifetimes[endpoint].browserMs,
    times,
  );
  const client = endpointFields(headers, control, Object.fromEntries(validated.client)["etag"]);
  // The cache key contains the fields that the response varies by.
  return withOtherOf({ ...rest, vary: [], freshness, fetchedAtMs: atMs, client, ageMs: ageIn(headers) }, validated);
};

/** Limits freshness to the lifetime of the token (`exp`). */
const within = (freshness: Freshness, expiresAtMs = Number.POSITIVE_INFINITY): Freshness => {
  const mostMs = Math.max(0, expiresAtMs - freshness.responseTimeMs) + freshness.initialAgeMs;
  return freshness.lifetimeMs <= mostMs ? freshness : { ...freshness, lifetimeMs: mostMs };
};

const ageIn = (headers: Headers): number | undefined => {
  const age = headers.get("age");
  return age === null || !/^[0-9]+$/.test(age) ? undefined : Number(age) * 1000;
};

const fetchedFrom = (
  answer: Answer,
  entry: Entry | undefined,
  other: ClientResponse | undefined,
  { status, attempts, requestTimeMs, responseTimeMs }: UpstreamAnswer,
  stored: boolean,
  shared: boolean,
): Fetched => {
  const durationMs = responseTimeMs - requestTimeMs;
  return { answer, entry, other, status, stored, shared, attempts, durationMs };
};

/** After a 401: drops the stored entries of the token, and lets no request join a running exchange. */
const revoke = ({ isolate, context }: CacheDecision, identity: Identity): void => {
  isolate.flights.close(identity.digest);
  context.waitUntil(isolate.store.revoke(identity, isolate.admission.knows(identity.digest), isolate.now()));
};

/** Statuses that say nothing about the resource: the stored entry stays. */
const aboutTheServer: ReadonlySet<number> = new Set([408, 425, 429]);

/** Stores the response of an endpoint, or invalidates entries by it. */
const received = async (plan: CacheDecision, result: UpstreamAnswer): Promise<Fetched> => {
  const { request, identity, owner, asRead, context } = plan;
  const { store, config, now, caches } = plan.isolate;
  const endpoint = request.route.endpoint as ReadName;
  const { status, asked } = result;
  if (status === 206 || status === 304 || status < 200 || status > 599) {
    const { attempts, requestTimeMs, responseTimeMs } = result;
    return { failure: { problem: "unusable", attempts, durationMs: responseTimeMs - requestTimeMs } };
  }
  const headers = withDate(endToEnd(asDecoded(result.headers)), result.responseTimeMs);
  const format = formatIn(headers);
  const askedFormat = formatAsked(plan);
  const bytes = "bytes" in result.body ? result.body.bytes : undefined;
  const isWhole = bytes !== undefined;
  const content =
    status === 200 && isWhole
      ? contentOf(endpoint, format, bytes, schemaDigestIn(headers))
      : { isReadable: true, names: null };
  // An undecodable 200, or one in an unrequested coding, is passed on and leaves the stored entry.
  const isLost = status === 200 && (headers.has("content-encoding") || !content.isReadable);
  const cache = status === 404 && config.negativeMs > 0 ? caches.negative : plan.cache;
  const isCandidate = (status === 200 || cache === caches.negative) && isWhole && !isLost && owner !== undefined;
  const result1 = isCandidate ? cache.store(asRead, { status, headers }, result) : undefined;
  const varies = varyNames(headers).some((name) => notInKey.has(name));
  const cached = result1?.stored === true && !varies ? result1.entry : undefined;
  const freshness = cached === undefined ? undefined : within(cached.freshness, identity?.expiresAtMs);
  const isNoStore = responseDirectives(headers, { targetedFields }).noStore;
  const control = isLost
    ? neverStored
    : clientControl(status, headers, isNoStore ? "no-store" : freshness, config.lifetimes[endpoint].browserMs, result);
  const etag = status === 200 && isWhole ? await strongEtag(bytes, format) : undefined;
  const client = endpointFields(headers, control, etag);
  const answer = answerOf(result, { endpoint, askedFormat, format, client, freshness, ageMs: ageIn(headers) });
  if (cached !== undefined && freshness !== undefined && owner !== undefined && identity !== undefined) {
    const { tag } = request.route;
    const names = [...new Set([...(content.names ?? []), ...(tag === undefined ? [] : [nameIn(tag)])])];
    const isKnown = content.names !== null || status === 404;
    const entry: Entry = {
      ...cached,
      ...answer,
      // Without the fields that may not be used again before validation (`no-cache="field"`).
      client: endpointFields(new Headers(cached.headers as Array<[string, string]>), control, etag),
      freshness,
      vary: [],
      owner,
      names: isKnown ? names : null,
      fetchedAtMs: asked.atMs,
    };
    const put = store.put(identity, request.route, entry, asked, undefined, now());
    if (put !== undefined) {
      context.waitUntil(put);
      await store.replaceOtherForm(identity, request.route, entry);
    }
    return fetchedFrom(answer, entry, undefined, result, put !== undefined, true);
  }
  const key = cacheKey(owner ?? "", request.route, askedFormat);
  if (identity !== undefined && status === 401) {
    revoke(plan, identity);
  } else if (
    owner !== undefined &&
    status < 500 &&
    !aboutTheServer.has(status) &&
    !isLost &&
    !request.control.noStore
  ) {
    context.waitUntil(store.remove(identity, request.route, asked));
    const reason = result1?.stored === false ? result1.reason : varies ? "vary" : `status ${status}`;
    if (status < 300 || status === 404) store.noteUncacheable(key, reason, now());
  }
  return fetchedFrom(answer, undefined, undefined, result, false, isWhole && (status >= 400 || isLost));
};

const otherAnswer = {
  endpoint: "other",
  askedFormat: "json",
  format: undefined,
  client: [],
  freshness: undefined,
} as const;

const answerOf = (
  { status, statusText, body, lease }: UpstreamAnswer,
  rest: Omit<Answer, "status" | "statusText" | "bytes" | "stream" | "lease">,
): Answer => ({
  ...rest,
  status,
  statusText,
  bytes: "bytes" in body ? body.bytes : new Uint8Array(),
  ...("stream" in body ? { stream: body.stream } : {}),
  lease,
});

const nameIn = (tag: string): string => tag.split("@", 1)[0] ?? tag;

/** Stores the response of another path, by http-cache only. */
const receivedOther = async (plan: CacheDecision, result: UpstreamAnswer): Promise<Fetched> => {
  const { request, identity, owner, cache, asRead, validated, isolate, context } = plan;
  const { status, asked } = result;
  const headers = asDecoded(result.headers);
  const range = request.headers.get("range");
  const stretch = status === 206 ? parseContentRange(headers.get("content-range")) : undefined;
  const part = stretch === undefined || range === null ? undefined : { ...stretch, askedRange: range };
  const fields = withDate(endToEnd(headers), result.responseTimeMs);
  const answer = answerOf(result, otherAnswer);
  // "A 206 (Partial Content) response MAY be stored as if it were an incomplete 200 (OK) response" (RFC 9111, 3.3).
  const storable = { status: part === undefined ? status : 200, headers };
  const isWhole = "bytes" in result.body && request.method === "GET";
  const stored = owner === undefined || !isWhole ? undefined : cache.store(asRead, storable, result);
  const isUseful =
    stored?.stored === true &&
    (stored.entry.freshness.explicit ||
      timeToLive(stored.entry.freshness, result.responseTimeMs) > 0 ||
      hasValidator(stored.entry));
  let kept: Entry | undefined;
  if (isUseful && owner !== undefined) {
    const freshness = within(stored.entry.freshness, identity?.expiresAtMs);
    const entry: Entry = {
      ...answer,
      ...stored.entry,
      status,
      freshness,
      owner,
      names: null,
      fetchedAtMs: asked.atMs,
      part,
    };
    const put = isolate.store.put(identity, request.route, entry, asked, request.headers, isolate.now());
    if (put !== undefined) {
      context.waitUntil(put);
      kept = entry;
    }
  } else if (identity !== undefined && status === 401) {
    revoke(plan, identity);
  } else if (owner !== undefined && (status === 404 || status === 410)) {
    context.waitUntil(isolate.store.remove(identity, request.route, asked));
  }
  // The upstream got the proxy's conditions; the client's are evaluated here (RFC 9110, 13).
  const isUnchanged = validated !== undefined && status === 200 && isNotModified(request.condition, fields);
  const other = { status: isUnchanged ? 304 : status, headers: fields };
  return fetchedFrom(answer, kept, other, result, kept !== undefined, false);
};

/** Forwards an unsafe method once, streamed, and invalidates what it changed for this user. */
export const write = async (plan: CacheDecision, body: ReadableStream | null): Promise<Fetched> => {
  const { request, identity, cache, asRead, isolate, context } = plan;
  const { store, upstream, now } = isolate;
  if (await isOverLimit(plan)) return limited;
  const result = await upstream.send(requestOf(plan, body));
  // Without a response, or with one of a gateway, the change may have happened.
  const isLost = "problem" in result ? result.attempts > 0 : result.status >= 500;
  const ended = "problem" in result ? { status: isLost ? 200 : 500, headers: new Headers() } : result;
  const { urls, groups } = cache.invalidate(asRead, ended);
  const holder = isolate.config.cachesAnonymous ? undefined : identity;
  const asked = store.ask(now());
  for (const target of urls.flatMap((url) => targetsOf(url, isolate.config.upstreamUrl))) {
    context.waitUntil(store.remove(holder, { endpoint: "other", target }, asked));
  }
  store.removeGroups(holder?.digest ?? nobody.digest, groups);
  const isChange = urls.length > 0 || (isLost && isUnsafe(request.method));
  if (isChange && identity !== undefined && isOfEngines(request.route)) {
    isolate.flights.close(identity.digest);
    for (const name of namesChanged(request.route, "problem" in result ? undefined : result)) {
      const scope = { atMs: asked.atMs, hard: !isLost, owners: ownersOf(identity) };
      context.waitUntil(store.purge(name === null ? scope : { ...scope, name, lists: true }));
    }
  }
  if ("problem" in result) return { failure: result };
  if (result.status === 401 && identity !== undefined) revoke(plan, identity);
  const headers = withDate(endToEnd(asDecoded(result.headers)), result.responseTimeMs);
  result.lease.release();
  const other = { status: result.status, headers };
  return fetchedFrom(answerOf(result, otherAnswer), undefined, other, result, false, false);
};

const enginesPath = new RegExp(`^${basePath}/engines(?:/([^/]+))?`);

/** The path of a target in the spelling that upstreams take it for: decoded, without empty segments. Undefined: a malformed escape. */
const normalPath = ({ target }: Route): string | undefined => {
  try {
    return decodeURIComponent(target.split("?", 1)[0] ?? "").replaceAll(/\/{2,}/g, "/");
  } catch {
    return undefined;
  }
};

/** Whether a write is to engines, as far as its path tells. */
const isOfEngines = (route: Route): boolean => {
  const path = normalPath(route);
  return path === undefined || enginesPath.test(path);
};

/** Names of the engines that a write changed, by its path or response; null if unknown. */
const namesChanged = (route: Route, result: UpstreamAnswer | undefined): ReadonlyArray<string | null> => {
  const path = normalPath(route);
  if (path === undefined) return [null];
  const tag = enginesPath.exec(path)?.[1];
  if (tag !== undefined) return [nameIn(tag)];
  if (result === undefined || !("bytes" in result.body)) return [null];
  const { headers, body } = result;
  const { names } = contentOf("get", formatIn(headers), body.bytes, schemaDigestIn(headers));
  return names === null || names.length === 0 ? [null] : names;
};

/** Path and query at the proxy of an upstream URL: below the base path, and below the origin. */
const targetsOf = (url: string, upstreamUrl: string): ReadonlyArray<string> => {
  const below = url.startsWith(`${upstreamUrl}/`) ? [basePath + url.slice(upstreamUrl.length)] : [];
  return url.startsWith(new URL(upstreamUrl).origin) ? [...below, targetOf(url)] : below;
};
