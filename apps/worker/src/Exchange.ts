// Exchanges with the upstream: requests, coalescing, storage, invalidation.
import { basePath, mediaTypeOf, type Format } from "@bytenite-engines/core/wire";
import {
  endToEnd,
  evaluate,
  isUnsafe,
  parseContentRange,
  timeToLive,
  varyNames,
  withDate,
  type CacheEntry,
  type CacheResponse,
  type Freshness,
} from "@bytenite-engines/http-cache";
import type { Config } from "./Config.ts";
import { forwardedFields, type CacheDecision } from "./Decision.ts";
import {
  asDecoded,
  clientFields,
  formatIn,
  schemaDigestIn,
  strongEtag,
  withOtherOf,
  type Answer,
  type Entry,
} from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import { logError } from "./Log.ts";
import type { Fetched } from "./Outcome.ts";
import { otherRoute, routeOf, targetOf, withHop, type Route } from "./Request.ts";
import { cacheKey, hasValidator, nobody, ownersOf } from "./Store.ts";
import { contentOf } from "./Transcoding.ts";
import type { UpstreamAnswer, UpstreamRequest } from "./Upstream.ts";

/** Forwarded headers that are not in the cache key of an endpoint. */
const notInKey: ReadonlySet<string> = new Set([
  ...forwardedFields.filter((name) => name !== "authorization"),
  "cache-control",
  "cdn-loop",
  "pragma",
  "via",
  "x-forwarded-for",
  "x-request-id",
]);

/** Request headers that are never forwarded: credentials that are not in the key, addresses, and what the runtime sets. */
const notForwarded =
  /^(?:cookie|host|forwarded|x-forwarded-.*|x-real-ip|true-client-ip|cf-.*|accept-encoding|content-length)$/;

/**
 * Lets caches between here and the upstream serve fresh responses. Without these fields the runtime sends `no-cache`, because its own
 * cache is switched off. "0" has no meaning in Pragma.
 */
const anyFresh = "max-stale=0";
const noPragma = "0";

/** The headers of the upstream request. */
const fieldsFor = ({ request, send, validated, requestId, isolate }: CacheDecision): Headers => {
  const { method, headers, route, control, representation } = request;
  const fields = new Headers([...send].filter(([name]) => !notForwarded.test(name)));
  if (route.endpoint !== "other") {
    fields.set("accept", mediaTypeOf(validated?.askedFormat ?? representation.format));
    fields.set("cache-control", control.noStore ? "no-store" : control.noCache ? "no-cache" : anyFresh);
  } else if (!fields.has("cache-control")) {
    fields.set("cache-control", anyFresh);
  }
  if (!fields.has("pragma")) fields.set("pragma", noPragma);
  // "GET is the only method for which range handling is defined" (RFC 9110, 14.2).
  if (method === "HEAD") fields.delete("range");
  const address = headers.get("cf-connecting-ip");
  if (address !== null) fields.set("x-forwarded-for", address);
  // Kept even if Connection lists them: they detect loops.
  for (const [name, value] of withHop(headers, isolate.config.deployment)) fields.set(name, value);
  fields.set("x-request-id", requestId);
  return fields;
};

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
    const fetched = { answer: late, entry: late, status, stored: true, shared: true, attempts: 0, durationMs: 0 };
    return { fetched, collapsed: true };
  }
  return { fetched: await lead(key, owner, plan), collapsed: false };
};

/** Validates an entry in the background, unless that is already running or the resource is backing off. */
export const revalidate = async (plan: CacheDecision): Promise<void> => {
  const { owner, request, isolate, applicant } = plan;
  if (owner === undefined) return;
  const { admission, flights, now } = isolate;
  const key = cacheKey(owner, request.route, formatAsked(plan));
  if (admission.isBackingOff(applicant) || flights.has(key, owner, now())) return;
  const fetched = await lead(key, owner, plan);
  // 429 and an undecodable 200 also leave the stale entry unchanged.
  const isInVain = "failure" in fetched ? fetched.failure.attempts > 0 : !fetched.stored;
  if (isInVain && !admission.isBackingOff(applicant)) admission.backOff(applicant, admission.isFailing(applicant));
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

/** The plan without conditions of ours: the whole answer is wanted. */
export const unconditional = (plan: CacheDecision): CacheDecision => {
  const send = new Headers(plan.send);
  for (const name of ["if-none-match", "if-modified-since"]) send.delete(name);
  return { ...plan, send, validated: undefined };
};

const exchangeOnce = async (plan: CacheDecision): Promise<Fetched> => {
  const { request, identity, validated, selected, cache, asRead, isolate, context } = plan;
  const { store, upstream } = isolate;
  const result = await upstream.send(requestOf(plan, null));
  if ("problem" in result) return { failure: result };
  try {
    const isHead = asRead.method === "HEAD" && result.status === 200;
    const updatable = isHead ? selected : result.status === 304 ? validated : undefined;
    const updated = updatable && cache.update(updatable, asRead, result, result);
    if (updatable === undefined || updated === undefined) return await received(plan, result);
    if (updated.action === "updated") {
      const entry = entryFrom(plan, updated.entry, updatable, result);
      const stored = keep(plan, withOtherOf(entry, updatable), result);
      if (!isHead) return fetchedFrom(entry, entry, result, stored);
    } else if (isHead || updated.action === "remove") {
      context.waitUntil(store.remove(identity, request.route, result.asked));
    }
    if (isHead) return await received(plan, result);
    if (updated.action === "remove") {
      const answer = { ...updatable, client: fieldsOf(plan, updatable.status, updated.response.headers, result) };
      return fetchedFrom(answer, undefined, result, false);
    }
  } finally {
    result.lease.release();
  }
  // A 304 that is about another representation.
  return exchangeOnce(unconditional(plan));
};

const requestOf = (plan: CacheDecision, body: ReadableStream | null): UpstreamRequest => {
  const { request, cache, asRead, owner, context, applicant } = plan;
  const { store, now } = plan.isolate;
  const isEndpoint = request.route.endpoint !== "other";
  const times = { requestTimeMs: now(), responseTimeMs: now() };
  return {
    ...applicant,
    method: isEndpoint ? "GET" : request.method,
    headers: fieldsFor(plan),
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

/** Limits freshness to the lifetime of the token (`exp`). */
const within = (freshness: Freshness, expiresAtMs = Number.POSITIVE_INFINITY): Freshness => {
  const mostMs = Math.max(0, expiresAtMs - freshness.responseTimeMs) + freshness.initialAgeMs;
  return freshness.lifetimeMs <= mostMs ? freshness : { ...freshness, lifetimeMs: mostMs };
};

const ageIn = (headers: Headers): number | undefined => {
  const age = headers.get("age");
  return age === null || !/^[0-9]+$/.test(age) ? undefined : Number(age) * 1000;
};

/** What this cache found about a response. */
interface Stored {
  readonly freshness?: Freshness | undefined;
  readonly etag?: string | undefined;
  readonly isLost?: boolean;
}

/** The fields that clients get of received or stored ones. */
const fieldsOf = (
  { request, identity, isolate }: CacheDecision,
  status: number,
  received: Headers,
  times: UpstreamAnswer,
  rest: Stored = {},
): Answer["client"] => {
  const { endpoint } = request.route;
  const { lifetimes, cachesAnonymous } = isolate.config;
  if (endpoint !== "other") return clientFields(status, received, times, { ...rest, ...lifetimes[endpoint] });
  const isForOneUser = identity !== undefined && !cachesAnonymous;
  const fields = isForOneUser
    ? clientFields(status, received, times)
    : [...received].filter(([name]) => name !== "age");
  return fields.map(([name, value]) => [name, name === "location" ? locationAtProxy(value, isolate.config) : value]);
};

/** An entry of these fields. `answer`: its bytes, and what is known of them. */
const entryFrom = (
  plan: CacheDecision,
  cached: CacheEntry,
  answer: Answer & Pick<Entry, "names" | "part">,
  times: UpstreamAnswer,
): Entry => {
  const { status } = answer;
  const freshness = within(cached.freshness, plan.identity?.expiresAtMs);
  const headers = new Headers(cached.headers as Array<[string, string]>);
  const etag = answer.client.find(([name]) => name === "etag")?.[1];
  return {
    ...answer,
    ...cached,
    status,
    freshness,
    client: fieldsOf(plan, status, headers, times, { freshness, etag }),
    ageMs: ageIn(headers),
    // The key of an endpoint contains the fields that its responses vary by.
    vary: plan.request.route.endpoint === "other" ? cached.vary : [],
    owner: plan.owner ?? nobody.digest,
    fetchedAtMs: times.asked.atMs,
    prepared: undefined,
    other: undefined,
  };
};

/** Stores an entry. False: a later request has changed the object, or a purge lies on the entry. */
const keep = (
  { request, identity, isolate, context }: CacheDecision,
  entry: Entry,
  { asked }: UpstreamAnswer,
): boolean => {
  const put = isolate.store.put(identity, request.route, entry, asked, request.headers, isolate.now());
  if (put !== undefined) context.waitUntil(put);
  return put !== undefined;
};

const fetchedFrom = (
  answer: Answer,
  entry: Entry | undefined,
  { status, attempts, requestTimeMs, responseTimeMs }: UpstreamAnswer,
  stored: boolean,
  shared = true,
): Fetched => ({ answer, entry, status, stored, shared, attempts, durationMs: responseTimeMs - requestTimeMs });

/** After a 401: drops the stored entries of the token, and lets no request join a running exchange. */
const revoke = ({ isolate, context }: CacheDecision, identity: Identity): void => {
  isolate.flights.close(identity.digest);
  context.waitUntil(isolate.store.revoke(identity, isolate.admission.knows(identity.digest), isolate.now()));
};

/** Statuses that say nothing about the resource: the stored entry stays. */
const aboutTheServer: ReadonlySet<number> = new Set([408, 425, 429]);

/** Stores a response, or invalidates entries by it. */
const received = async (plan: CacheDecision, result: UpstreamAnswer): Promise<Fetched> => {
  const { request, identity, owner, cache, asRead, isolate, context } = plan;
  const { store, config, now, caches } = isolate;
  const { route } = request;
  const { endpoint, tag } = route;
  const isEndpoint = endpoint !== "other";
  const { status, body, asked } = result;
  if (isEndpoint && (status === 206 || status === 304 || status < 200 || status > 599)) {
    const { attempts, requestTimeMs, responseTimeMs } = result;
    return { failure: { problem: "unusable", attempts, durationMs: responseTimeMs - requestTimeMs } };
  }
  const headers = withDate(endToEnd(asDecoded(result.headers)), result.responseTimeMs);
  const isWhole = "bytes" in body;
  const format = isEndpoint ? formatIn(headers) : undefined;
  const isOwn = isEndpoint && status === 200;
  const content =
    isOwn && isWhole
      ? contentOf(endpoint, format, body.bytes, schemaDigestIn(headers))
      : { isReadable: true, names: isEndpoint ? [] : null };
  // An undecodable 200, or one in an unrequested coding, is passed on and leaves the stored entry.
  const isLost = isOwn && (headers.has("content-encoding") || !content.isReadable);
  const isNegative = isEndpoint && status === 404 && config.negativeMs > 0;
  const isStorable = isEndpoint ? (isOwn && !isLost) || isNegative : request.method === "GET";
  const part = isEndpoint ? undefined : partIn(status, headers, request.headers);
  // "A 206 (Partial Content) response MAY be stored as if it were an incomplete 200 (OK) response" (RFC 9111, 3.3).
  const storable: CacheResponse = { status: part === undefined ? status : 200, headers };
  const rules = isNegative ? caches.negative : cache;
  const kept = isStorable && isWhole && owner !== undefined ? rules.store(asRead, storable, result) : undefined;
  const varies = isEndpoint && varyNames(headers).some((name) => notInKey.has(name));
  const cached = kept?.stored === true && !varies && (isEndpoint || isUseful(kept.entry)) ? kept.entry : undefined;
  const freshness = cached && within(cached.freshness, identity?.expiresAtMs);
  const etag = isOwn && isWhole ? await strongEtag(body.bytes, format) : undefined;
  const answer = answerOf(plan, headers, result, { freshness, etag, isLost });
  if (cached !== undefined) {
    const names = content.names && [...new Set([...content.names, ...(tag === undefined ? [] : [nameIn(tag)])])];
    const entry = entryFrom(plan, cached, { ...answer, names, part }, result);
    const stored = keep(plan, entry, result);
    if (stored && isEndpoint && identity !== undefined) await store.replaceOtherForm(identity, route, entry);
    return fetchedFrom(answer, entry, result, stored);
  }
  // What it says about the object that is stored.
  const removes = isEndpoint
    ? status < 500 && !aboutTheServer.has(status) && !isLost && !request.control.noStore
    : status === 404 || status === 410;
  if (identity !== undefined && status === 401) {
    revoke(plan, identity);
  } else if (owner !== undefined && removes) {
    context.waitUntil(store.remove(identity, route, asked));
    const reason = kept?.stored === false ? kept.reason : varies ? "vary" : `status ${status}`;
    if (status < 300 || status === 404) store.noteUncacheable(cacheKey(owner, route, formatAsked(plan)), reason, now());
  }
  return fetchedFrom(answer, undefined, result, false, isWhole && (status >= 400 || isLost));
};

/** Of a 206: the part that it is, and the Range of its request. */
const partIn = (status: number, headers: Headers, asked: Headers): Entry["part"] => {
  const stretch = status === 206 ? parseContentRange(headers.get("content-range")) : undefined;
  const askedRange = asked.get("range");
  return stretch === undefined || askedRange === null ? undefined : { ...stretch, askedRange };
};

/** Whether an entry that is not for an endpoint can be used again: fresh, or after validation. */
const isUseful = (entry: CacheEntry): boolean =>
  entry.freshness.explicit || timeToLive(entry.freshness, entry.freshness.responseTimeMs) > 0 || hasValidator(entry);

/** The response as clients get it. */
const answerOf = (plan: CacheDecision, headers: Headers, result: UpstreamAnswer, rest: Stored = {}): Answer => {
  const { status, statusText, body, lease } = result;
  const { endpoint } = plan.request.route;
  return {
    endpoint,
    askedFormat: formatAsked(plan),
    format: endpoint === "other" ? undefined : formatIn(headers),
    client: fieldsOf(plan, status, headers, result, rest),
    freshness: rest.freshness,
    ageMs: ageIn(headers),
    status,
    statusText,
    bytes: "bytes" in body ? body.bytes : new Uint8Array(),
    ...("stream" in body ? { stream: body.stream } : {}),
    lease,
  };
};

const nameIn = (tag: string): string => tag.split("@", 1)[0] ?? tag;

/** Forwards an unsafe method once, streamed, and invalidates what it changed for this user. */
export const write = async (plan: CacheDecision, body: ReadableStream | null): Promise<Fetched> => {
  const { request, identity, cache, asRead, isolate, context } = plan;
  const { store, upstream, now, config, flights } = isolate;
  const result = await upstream.send(requestOf(plan, body));
  // Without a response, or with one of a gateway, the change may have happened.
  const isLost = "problem" in result ? result.attempts > 0 : result.status >= 500;
  const ended = "problem" in result ? { status: isLost ? 200 : 500, headers: new Headers() } : result;
  const { urls, groups } = cache.invalidate(asRead, ended);
  const holder = config.cachesAnonymous ? undefined : identity;
  const asked = store.ask(now());
  for (const target of urls.flatMap((url) => targetsOf(url, config.upstreamUrl))) {
    context.waitUntil(store.remove(holder, otherRoute(target), asked));
  }
  store.removeGroups(holder?.digest ?? nobody.digest, groups);
  const isChange = urls.length > 0 || (isLost && isUnsafe(request.method));
  if (isChange && identity !== undefined && isOfEngines(request.route)) {
    flights.close(identity.digest);
    for (const name of namesChanged(request.route, "problem" in result ? undefined : result)) {
      const scope = { atMs: asked.atMs, hard: !isLost, owners: ownersOf(identity) };
      context.waitUntil(store.purge(name === null ? scope : { ...scope, name, lists: true }));
    }
  }
  if ("problem" in result) return { failure: result };
  if (result.status === 401 && identity !== undefined) revoke(plan, identity);
  const headers = withDate(endToEnd(asDecoded(result.headers)), result.responseTimeMs);
  result.lease.release();
  return fetchedFrom(answerOf(plan, headers, result), undefined, result, false);
};

const enginesPath = new RegExp(`^${basePath}/engines(?:/([^/]+))?`);

/** Whether a write is to engines, as far as its path tells. */
const isOfEngines = ({ path }: Route): boolean => path === undefined || enginesPath.test(path);

/** Names of the engines that a write changed, by its path or response; null if unknown. */
const namesChanged = ({ path }: Route, result: UpstreamAnswer | undefined): ReadonlyArray<string | null> => {
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
  if (!URL.canParse(url) || new URL(url).origin !== new URL(upstreamUrl).origin) return [];
  const below = url.startsWith(`${upstreamUrl}/`) ? [basePath + url.slice(upstreamUrl.length)] : [];
  return [...below, targetOf(new URL(url).href)];
};

/** A Location at the upstream as the same one at the proxy, where that offers it. */
const locationAtProxy = (location: string, { upstreamUrl, forwardedPaths }: Config): string => {
  const targets = targetsOf(location, upstreamUrl);
  return targets.find((target) => !("status" in routeOf("GET", target, forwardedPaths))) ?? location;
};
