// The whole flow: parse -> identify -> look up -> decide -> answer or fetch -> store -> answer.
import { mediaTypeOf, type Format, type ReadName } from "@bytenite-engines/core/wire";
import {
  cacheStatus,
  endToEnd,
  errorStatuses,
  evaluate,
  hopByHopNames,
  isNotModified,
  parseContentRange,
  parseRange,
  responseDirectives,
  sliceOf,
  timeToLive,
  varyNames,
  withDate,
  type CacheOutcome,
  type CacheRequest,
  type ClientResponse,
  type EvaluateResult,
  type Freshness,
  type HttpCache,
} from "@bytenite-engines/http-cache";
import { adminPrefix, answerAdmin } from "./Admin.ts";
import { maxPerIdentity, type Applicant } from "./Admission.ts";
import { maxBodyBytesPerUser } from "./Body.ts";
import { basePath } from "./Config.ts";
import {
  asDecoded,
  clientControl,
  endpointFields,
  formatIn,
  hasForm,
  inForm,
  isFresh,
  neverStored,
  otherForm,
  schemaDigestIn,
  strongEtag,
  withOtherOf,
  type Answer,
  type Entry,
} from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import { targetedFields, type Isolate } from "./Isolate.ts";
import { isLogged, logLine } from "./Log.ts";
import {
  clientOf,
  parseRequest,
  proxyName,
  refuse,
  RequestId,
  targetOf,
  tooLong,
  tooLongHeader,
  upstreamUrlOf,
  withHop,
  type ParsedRequest,
  type Refusal,
  type Route,
} from "./Request.ts";
import { allowOrigin, respond, respondFromMemory, respondOptions, respondOther, type Recipient } from "./Response.ts";
import type { RequestContext } from "./Runtime.ts";
import { cacheKey, nobody, ownersOf, type Asked } from "./Store.ts";
import { contentOf } from "./Transcoding.ts";
import { outages, type UpstreamAnswer, type UpstreamFailure, type UpstreamProblem, type UpstreamRequest } from "./Upstream.ts";

/** What became of a request, in one word. */
export type Result =
  /** Answered here: refused, preflight, 504 for only-if-cached. */
  | "refused"
  | "hit"
  /** Stale, validated in the background. */
  | "stale"
  /** Stale, because the upstream failed. */
  | "stale-if-error"
  | "miss"
  /** Something was stored, and the upstream was asked about it. */
  | "validated"
  /** Shared another request's exchange. */
  | "collapsed"
  /** Without a (living) token, or not cacheable by its method. */
  | "bypass";

/** A response, and what is logged and counted about it. Nothing of a token is in it. */
export interface RequestOutcome {
  readonly response: Response;
  readonly result: Result;
  /** Undefined: refused before it was known what it means. */
  readonly route?: Route | undefined;
  /** Length of the body; 0 for what the proxy says by itself, and for streams. */
  readonly bytes: number;
  /** The exchange that this request itself had with the upstream. */
  readonly upstream?:
    | {
        readonly status?: number;
        readonly problem?: string;
        readonly attempts: number;
        readonly durationMs: number;
      }
    | undefined;
}

/** What one exchange with the upstream came to, as plain data that requests may share. */
export type Fetched =
  | { readonly failure: UpstreamFailure }
  | {
      readonly answer: Answer;
      /** The stored entry, or the one that was confirmed. */
      readonly entry: Entry | undefined;
      /** Status and fields for the client of another path. */
      readonly other: ClientResponse | undefined;
      /** The upstream's status; 304 where the entry was confirmed. */
      readonly status: number;
      readonly stored: boolean;
      /** Whether requests that wait for it may have it, too. */
      readonly shared: boolean;
      readonly attempts: number;
      readonly durationMs: number;
    };

/** What is stored for a request, in the form that it asks for. */
interface Found {
  readonly entry: Entry;
  /** The entry as it came: `entry`, or the one that it was transcoded from. */
  readonly source: Entry;
}

/** A parsed request with whose entries it may see, and by which rules. */
interface Reader {
  readonly request: ParsedRequest;
  readonly cache: HttpCache;
  /** The request as the rules read it. */
  readonly asRead: CacheRequest & { readonly url: string };
  /** Undefined: the request has no (living) token. */
  readonly identity: Identity | undefined;
  /** Whose entries it may use; undefined: nothing is stored. */
  readonly owner: string | undefined;
}

/** What the cache has decided about a request that the upstream is asked for. */
interface CacheDecision extends Reader {
  /** The entry to be validated. */
  readonly validated: Entry | undefined;
  /** Fields to be sent, by the rules. */
  readonly send: Headers;
  /** Whether something stale can be served instead. */
  readonly orStale: boolean;
}

/** Answers any request. Not a promise where memory has the answer. */
export const handle = (request: Request, isolate: Isolate, context: RequestContext): Response | Promise<Response> => {
  const target = targetOf(request.url);
  if (target.startsWith(adminPrefix)) return answerAdmin(request, target, isolate);
  const { config, now } = isolate;
  const { method, headers } = request;
  const requestId = new RequestId(headers.get("x-request-id"));
  const startedAtMs = now();
  const finish = (outcome: RequestOutcome): Response => finished(outcome, request, target, requestId, startedAtMs, isolate);
  const parsed = method === "OPTIONS" ? undefined : parseRequest(method, headers, target, requestId, config);
  if (parsed === undefined) {
    const response = respondOptions(headers, config.allowedOrigins, config.forwardedPaths.length > 0);
    return finish({ response, result: "refused", bytes: 0 });
  }
  if ("status" in parsed) {
    const response = refuse(parsed, headers.get("accept"), method !== "HEAD");
    return finish({ response, result: "refused", bytes: 0 });
  }
  const outcome = fromMemory(parsed, isolate, context);
  return outcome === undefined ? fromCache(parsed, request, isolate, context).then(finish) : finish(outcome);
};

/** Adds to a response what does not depend on the cache; logs and counts it. */
const finished = (
  outcome: RequestOutcome,
  request: Request,
  target: string,
  requestId: RequestId,
  startedAtMs: number,
  { config, metrics, analytics, now }: Isolate,
): Response => {
  const { response, upstream } = outcome;
  const { status } = response;
  const { method, headers } = request;
  const { colo } = (request as { readonly cf?: { readonly colo?: string } }).cf ?? {};
  const durationMs = now() - startedAtMs;
  if (upstream !== undefined && upstream.attempts > 0) {
    response.headers.append("server-timing", `upstream;dur=${upstream.durationMs}`);
  }
  if (config.allowedOrigins.length > 0 && method !== "OPTIONS") {
    allowOrigin(response.headers, headers.get("origin"), config.allowedOrigins);
  }
  metrics.observe(outcome, method, status, durationMs);
  if (isLogged(config.logLevel, outcome.result, status)) {
    const endedAtMs = startedAtMs + durationMs;
    console.log(logLine({ method, headers, target, outcome, requestId, colo, endedAtMs, durationMs }));
  }
  analytics?.writeDataPoint({
    indexes: [outcome.route?.endpoint ?? "none"],
    blobs: [outcome.result, `${status}`, response.headers.get("content-type") ?? "", upstream?.problem ?? ""],
    doubles: [durationMs, outcome.bytes, upstream?.durationMs ?? 0],
  });
  // A hit that nobody logs has no id.
  if (requestId.isKnown) response.headers.set("x-request-id", requestId.value);
  return response;
};

/** The way of most requests, without waiting for anything: it costs half of what the whole flow does. */
const fromMemory = (request: ParsedRequest, isolate: Isolate, context: RequestContext): RequestOutcome | undefined => {
  const { token, route, representation, control } = request;
  if (route.endpoint === "other") return undefined;
  const identity = token === undefined ? undefined : isolate.identities.recall(token);
  const nowMs = isolate.now();
  if (identity === undefined || identity.expiresAtMs <= nowMs || isolate.store.areNotesDue(identity, nowMs)) {
    return undefined;
  }
  const entry = isolate.store.recall(identity.digest, route, representation.format, nowMs);
  if (entry === undefined || evaluate(control, entry.freshness, nowMs).action !== "fresh") return undefined;
  const recipient = (): Recipient => ({ request, user: identity.digest, budget: isolate.budget, context });
  const response = respondFromMemory(entry, request, nowMs, recipient) ?? refuseRequest(request, tooManyBytes);
  return { response, result: "hit", route, bytes: entry.bytes.byteLength };
};

const fromCache = async (
  request: ParsedRequest,
  { body }: Request,
  isolate: Isolate,
  context: RequestContext,
): Promise<RequestOutcome> => {
  const { route, headers, method } = request;
  const decided = await decide(request, isolate);
  const { reader, decision, chosen } = decided;
  const { cache, asRead, identity, owner } = reader;
  const recipient: Recipient = { request, user: userOf(reader), budget: isolate.budget, context };
  if (decision.action === "unsatisfiable") return refused(recipient, nothingStored, decision.outcome);
  const validated = decision.action === "forward" ? undefined : chosen?.source;
  if (decision.action === "fresh" || decision.action === "stale") {
    if (decision.action === "stale" && decision.revalidate) {
      revalidate({ ...reader, validated, send: decision.send, orStale: true }, isolate, context);
    }
    if (chosen !== undefined) return served(chosen, decision, recipient, isolate);
    return refused(recipient, nothingStored);
  }
  if ([...forwardedFields, "connection"].some((name) => tooLong(headers.get(name)))) {
    return refused(recipient, tooLongHeader);
  }
  const isRead = method === "GET" || method === "HEAD";
  const outcome: CacheOutcome = owner === undefined && isRead ? { forward: "bypass" } : decision.outcome;
  const stale = chosen !== undefined && cache.staleIfError(asRead, chosen.source, undefined, isolate.now()) !== undefined;
  const plan: CacheDecision = { ...reader, validated, send: decision.send, orStale: stale };
  const failing = stale && outcome.forward === "stale" ? isolate.admission.failureOf(applicantOf(plan)) : undefined;
  if (failing !== undefined && chosen !== undefined) {
    // One timeout for each object, not for each request: it is validated in the background.
    if (!failing.isBackingOff) revalidate(plan, isolate, context);
    return servedStale(chosen, undefined, outcome, recipient, isolate);
  }
  const joins = outcome.forward !== "request" && !request.control.noCache && request.control.maxAge !== 0;
  const { fetched, collapsed } = isRead
    ? await fetchShared(plan, joins, isolate, context)
    : { fetched: await write(plan, body, isolate, context), collapsed: false };
  const said = { ...outcome, collapsed };
  const upstream = collapsed ? undefined : upstreamIn(fetched);
  const failed = "failure" in fetched ? outages.has(fetched.failure.problem) : errorStatuses.has(fetched.status);
  if (failed && stale && chosen !== undefined && usableNow(chosen, identity, isolate).length > 0) {
    return { ...servedStale(chosen, fetched, said, recipient, isolate), upstream };
  }
  if ("failure" in fetched) return { ...refused(recipient, unavailable(fetched.failure), said), upstream };
  const response = await respondFetched(plan, fetched, said, recipient, isolate);
  const asked = chosen === undefined ? "miss" : "validated";
  const result: Result = collapsed ? "collapsed" : outcome.forward === "bypass" || !isRead ? "bypass" : asked;
  return { response, result, route, bytes: fetched.answer.bytes.byteLength, upstream };
};

/** What is stored for a request, and what the rules say. Waits for the data centre; changes nothing. */
export const decide = async (
  request: ParsedRequest,
  isolate: Isolate,
): Promise<{
  readonly reader: Reader;
  readonly decision: EvaluateResult<Entry>;
  readonly chosen: Found | undefined;
}> => {
  const { store } = isolate;
  const reader = await readerOf(request, isolate);
  const { cache, asRead, identity, owner } = reader;
  const nowMs = isolate.now();
  // Both are waits for the data centre: they are one wait.
  const isDue = identity !== undefined && owner !== undefined && store.areNotesDue(identity, nowMs);
  const notes = isDue ? store.readNotes(identity, nowMs) : undefined;
  const looked = owner === undefined ? [] : await lookUp(request, identity, owner, nowMs, isolate);
  await notes;
  const found = looked.flatMap((each) => usableNow(each, identity, isolate));
  const decision = cache.evaluate(
    asRead,
    found.map(({ source }) => source),
    nowMs,
  );
  const entry = "entry" in decision ? decision.entry : undefined;
  return { reader, decision, chosen: found.find(({ source }) => source === entry) };
};

/** Whose entries a request may see, and by which rules. */
const readerOf = async (request: ParsedRequest, isolate: Isolate): Promise<Reader> => {
  const { method, headers, route, token } = request;
  const { config, identities, caches } = isolate;
  // A token that Connection lists is for this hop alone (RFC 9110, 7.6.1).
  const isForwarded = token !== undefined && !hopByHopNames(headers).has("authorization");
  const known = isForwarded ? await identities.of(token) : undefined;
  const identity = known !== undefined && known.expiresAtMs > isolate.now() ? known : undefined;
  const isRead = method === "GET" || method === "HEAD";
  const isOther = route.endpoint === "other";
  const isAnonymous = isOther && config.cachesAnonymous && token === undefined;
  const url = upstreamUrlOf(route, config);
  // Of a request for an endpoint the rules read Cache-Control alone: its conditions are about our entity tags.
  const control = headers.get("cache-control");
  const asRead = isOther ? { url, method, headers } : { url, headers: control === null ? {} : { "cache-control": control } };
  return {
    request,
    cache: caches[route.endpoint],
    asRead,
    identity,
    owner: isRead ? (identity?.digest ?? (isAnonymous ? nobody.digest : undefined)) : undefined,
  };
};

/** What is stored for a request: fresh before stale, as it came before one that has to be transcoded. */
const lookUp = async (
  request: ParsedRequest,
  identity: Identity | undefined,
  owner: string,
  nowMs: number,
  { store }: Isolate,
): Promise<ReadonlyArray<Found>> => {
  const { route, representation, control, headers } = request;
  if (route.endpoint === "other") {
    const range = headers.get("range");
    const entries = await store.find(identity, route, "json", nowMs);
    return entries.filter((entry) => holdsRange(entry, range)).map((entry) => ({ entry, source: entry }));
  }
  let stale: ReadonlyArray<Found> = [];
  const { format } = representation;
  for (const stored of control.noTransform ? [format] : [format, otherForm(format)]) {
    for (const source of await store.find(identity, route, stored, nowMs)) {
      if (source.owner !== owner) continue;
      const isMade = source.other === undefined && !hasForm(source, format);
      const entry = await inForm(source, format);
      if (isMade) store.recount(route, source);
      if (entry === undefined) continue;
      if (isFresh(source, nowMs)) return [{ entry, source }];
      if (stale.length === 0) stale = [{ entry, source }];
    }
  }
  return stale;
};

/** Whether a stored answer holds what a request asks for: the whole, or a part that it can be cut from. */
const holdsRange = ({ part, bytes }: Entry, rangeField: string | null): boolean => {
  if (part === undefined) return true;
  const range = parseRange(rangeField);
  return (
    rangeField === part.askedRange ||
    (range !== undefined && typeof sliceOf(range, part, bytes.byteLength) === "object")
  );
};

/** What was found before a wait, as it may be used after it: the token may have expired or been revoked, or it was purged. */
const usableNow = (found: Found, identity: Identity | undefined, { store, now }: Isolate): ReadonlyArray<Found> => {
  if (identity !== undefined && identity.expiresAtMs <= now()) return [];
  const source = store.afterPurges(found.source);
  if (source === undefined) return [];
  return source === found.source ? [found] : [{ source, entry: { ...found.entry, freshness: source.freshness } }];
};

/** Fields of a request for an endpoint that the upstream gets; all others end here. */
const forwardedFields: ReadonlyArray<string> = ["authorization", "baggage", "traceparent", "tracestate", "user-agent"];

/** Names of all that goes upstream with a request for an endpoint and is not in the key. */
const notInKey: ReadonlySet<string> = new Set([
  ...forwardedFields.filter((name) => name !== "authorization"),
  "cache-control",
  "cdn-loop",
  "pragma",
  "via",
  "x-request-id",
]);

/** Fields of a request for another path that end here: credentials that are not in the key, and what is about this hop. */
const notForwarded = /^(?:cookie|host|forwarded|x-forwarded-.*|x-real-ip|true-client-ip|cf-.*|accept-encoding|content-length)$/;

/**
 * What caches on the way to the upstream are asked for: anything that is fresh. Where these two fields are missing or empty the
 * runtime sends `no-cache` in them, because its own cache is switched off. "0" has no meaning in Pragma.
 */
const anyFresh = "max-stale=0";
const noPragma = "0";

/** The fields that go upstream. */
const fieldsFor = ({ request, send, validated }: CacheDecision, deployment: string): Headers => {
  const { headers, route, control, representation, requestId } = request;
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
  // Whatever Connection lists: without these a loop has no end.
  for (const [name, value] of withHop(headers, deployment)) kept.set(name, value);
  kept.set("x-request-id", requestId.value);
  return kept;
};

const userOf = ({ identity, request }: Pick<Reader, "identity" | "request">): string =>
  identity?.digest ?? `client/${clientOf(request.headers)}`;

const applicantOf = ({ request, identity, asRead, orStale }: CacheDecision): Applicant => ({
  owner: identity?.digest,
  client: clientOf(request.headers),
  resource: asRead.url,
  orStale,
});

/** How often a request follows others whose exchange failed, before it sends its own. */
const maxFollowed = 2;

/** The answer, and whether it was another request's exchange. Never rejects. */
const fetchShared = async (
  plan: CacheDecision,
  joins: boolean,
  isolate: Isolate,
  context: RequestContext,
): Promise<{ readonly fetched: Fetched; readonly collapsed: boolean }> => {
  const { request, owner } = plan;
  const { route } = request;
  const { flights, store, now } = isolate;
  const format = formatAsked(plan);
  const key = cacheKey(owner ?? "", route, format);
  const isAlone = owner === undefined || route.endpoint === "other" || request.control.noStore;
  if (isAlone || store.uncacheable(key, now()) !== undefined) {
    return { fetched: await exchange(plan, isolate, context), collapsed: false };
  }
  for (let count = 0; joins && count < maxFollowed; count++) {
    // Asked and joined in one step: of all who wake from a failed leader, the first leads and the rest follow it.
    if (!flights.has(key, owner, now())) break;
    const followed = await flights.follow(key, owner, now());
    if (followed === undefined) break;
    if (!("failure" in followed)) {
      if (followed.shared) return { fetched: followed, collapsed: true };
      return { fetched: await exchange(plan, isolate, context), collapsed: false };
    }
    if (count === maxFollowed - 1) return { fetched: followed, collapsed: true };
  }
  // Another request's exchange may have ended between our look into the store and now.
  const late = joins ? store.recall(owner, route, format, now()) : undefined;
  if (late !== undefined && evaluate(request.control, late.freshness, now()).action === "fresh") {
    const { status } = late;
    const fetched = { answer: late, entry: late, other: undefined, status, stored: true, shared: true };
    return { fetched: { ...fetched, attempts: 0, durationMs: 0 }, collapsed: true };
  }
  return { fetched: await lead(key, owner, plan, isolate, context), collapsed: false };
};

/** Validates an entry in the background; does nothing where that is under way. */
const revalidate = (plan: CacheDecision, isolate: Isolate, context: RequestContext): void => {
  const { owner, request } = plan;
  if (owner === undefined) return;
  const key = cacheKey(owner, request.route, formatAsked(plan));
  if (!isolate.flights.has(key, owner, isolate.now())) void lead(key, owner, plan, isolate, context);
};

const formatAsked = ({ validated, request }: CacheDecision): Format =>
  validated?.askedFormat ?? request.representation.format;

const lead = (
  key: string,
  owner: string,
  plan: CacheDecision,
  isolate: Isolate,
  context: RequestContext,
): Promise<Fetched> =>
  isolate.flights.lead(key, owner, isolate.now(), () => exchange(plan, isolate, context));

/** Asks the upstream, and changes what is stored. It outlives a client that goes away: others may wait for it. */
const exchange = (plan: CacheDecision, isolate: Isolate, context: RequestContext): Promise<Fetched> => {
  const work = exchangeOnce(plan, isolate, context).catch((error: unknown): Fetched => {
    console.error(JSON.stringify({ level: "error", message: "an exchange failed unexpectedly", error: `${error}` }));
    return { failure: { problem: "unreachable", attempts: 1, durationMs: 0 } };
  });
  context.waitUntil(work);
  return work;
};

const exchangeOnce = async (plan: CacheDecision, isolate: Isolate, context: RequestContext): Promise<Fetched> => {
  const { store, upstream, now } = isolate;
  const { request, validated, cache, asRead } = plan;
  if (await isOverLimit(plan, isolate)) return { failure: { problem: "limited", attempts: 0, durationMs: 0 } };
  const asked = store.ask(now());
  const sent = requestOf(plan, null, isolate);
  const result = await upstream.send(sent);
  if ("problem" in result) return { failure: result };
  const isOther = request.route.endpoint === "other";
  const isHead = isOther && request.method === "HEAD" && result.status === 200;
  let last = result;
  try {
    if (validated !== undefined && (isHead || result.status === 304)) {
      const updated = cache.update(validated, asRead, result, result);
      if (updated.action === "mismatch" && !isHead) {
        result.lease.release();
        const headers = new Headers(sent.headers);
        for (const name of ["if-none-match", "if-modified-since"]) headers.delete(name);
        const again = await upstream.send({ ...sent, headers });
        if ("problem" in again) return { failure: again };
        last = again;
      } else if (updated.action === "updated") {
        const entry = confirmed(plan, validated, updated.entry, result, asked, isolate);
        context.waitUntil(store.put(plan.identity, request.route, entry, asked, request.headers, now()));
        if (!isHead) return fetchedFrom(entry, entry, isOther ? updated.response : undefined, result, true, true);
      } else {
        context.waitUntil(store.remove(plan.identity, request.route, asked));
        if (updated.action === "remove" && !isHead) {
          return fetchedFrom(validated, undefined, isOther ? updated.response : undefined, result, false, false);
        }
      }
    }
    return isOther
      ? await receivedOther(plan, last, asked, isolate, context)
      : await received(plan, last, asked, isolate, context);
  } finally {
    last.lease.release();
  }
};

/** What the rate limits say: of a token, and of a client without one. */
const isOverLimit = async ({ identity, request }: CacheDecision, { limits }: Isolate): Promise<boolean> => {
  const limiter = identity === undefined ? limits?.anonymous : limits?.token;
  if (limiter === undefined) return false;
  return !(await limiter.limit({ key: identity?.digest ?? clientOf(request.headers) })).success;
};

const requestOf = (plan: CacheDecision, body: ReadableStream | null, { config, now }: Isolate): UpstreamRequest => {
  const { request, cache, asRead, owner } = plan;
  const isEndpoint = request.route.endpoint !== "other";
  const times = { requestTimeMs: now(), responseTimeMs: now() };
  return {
    ...applicantOf(plan),
    method: isEndpoint ? "GET" : request.method,
    headers: fieldsFor(plan, config.deployment),
    body,
    isEndpoint,
    // What is not stored needs no memory.
    isBuffered: (status, headers) =>
      isEndpoint ||
      (request.method === "POST" && status < 400) ||
      (owner !== undefined && (status === 206 || cache.store(asRead, { status, headers }, times).stored)),
  };
};

/** The validated entry as the upstream has confirmed it. */
const confirmed = (
  { request, identity }: CacheDecision,
  validated: Entry,
  updated: Entry,
  times: UpstreamAnswer,
  { atMs }: Asked,
  { config }: Isolate,
): Entry => {
  const { prepared: _prepared, other: _other, lease: _lease, ...rest } = updated;
  const freshness = within(updated.freshness, identity?.expiresAtMs);
  const { endpoint } = request.route;
  if (endpoint === "other") return { ...rest, freshness, fetchedAtMs: atMs };
  const headers = new Headers(updated.headers as Array<[string, string]>);
  const control = clientControl(updated.status, headers, freshness, config.lifetimes[endpoint].browserMs, times);
  const client = endpointFields(headers, control, Object.fromEntries(validated.client)["etag"]);
  return withOtherOf({ ...rest, freshness, fetchedAtMs: atMs, client, ageMs: ageIn(headers) }, validated);
};

/** No answer is fresh for longer than its token lives (`exp`). */
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

/** Statuses after which the stored entry stays: the upstream did not speak about the resource. */
const aboutTheServer: ReadonlySet<number> = new Set([408, 425, 429]);

/** An answer of an endpoint: stored, or what is stored changes by it. */
const received = async (
  plan: CacheDecision,
  result: UpstreamAnswer,
  asked: Asked,
  isolate: Isolate,
  context: RequestContext,
): Promise<Fetched> => {
  const { request, identity, owner, asRead } = plan;
  const { store, config, now, caches, flights, admission } = isolate;
  const endpoint = request.route.endpoint as ReadName;
  const { status } = result;
  if (status === 206 || status === 304 || status < 200 || status > 599) {
    const { attempts, requestTimeMs, responseTimeMs } = result;
    return { failure: { problem: "unusable", attempts, durationMs: responseTimeMs - requestTimeMs } };
  }
  const headers = withDate(endToEnd(asDecoded(result.headers)), result.responseTimeMs);
  const format = formatIn(headers);
  const askedFormat = formatAsked(plan);
  const bytes = "bytes" in result.body ? result.body.bytes : new Uint8Array();
  const isWhole = "bytes" in result.body;
  const content =
    status === 200 && isWhole
      ? contentOf(endpoint, format, bytes, schemaDigestIn(headers))
      : { isReadable: true, names: null };
  // A success that nobody can read, or in a coding that nobody asked for: passed on, and no news of the resource.
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
  const answer: Answer = {
    status,
    endpoint,
    askedFormat,
    format,
    client: endpointFields(headers, control, etag),
    bytes,
    ...("stream" in result.body ? { stream: result.body.stream } : {}),
    freshness,
    ageMs: ageIn(headers),
    lease: result.lease,
  };
  if (cached !== undefined && freshness !== undefined && owner !== undefined && identity !== undefined) {
    const names = [...(content.names ?? []), ...(request.route.tag === undefined ? [] : [nameIn(request.route.tag)])];
    const isKnown = content.names !== null || status === 404;
    // Without the fields that may not be used again before validation (`no-cache="field"`).
    const client = endpointFields(new Headers(cached.headers as Array<[string, string]>), control, etag);
    const parts = { client, freshness, vary: [], owner, names: isKnown ? names : null, fetchedAtMs: asked.atMs };
    const entry: Entry = { ...cached, ...answer, ...parts };
    context.waitUntil(store.put(identity, request.route, entry, asked, undefined, now()));
    await store.replaceOtherForm(identity, request.route, entry);
    return fetchedFrom(answer, entry, undefined, result, true, true);
  }
  const key = cacheKey(owner ?? "", request.route, askedFormat);
  if (identity !== undefined && status === 401) {
    flights.close(identity.digest);
    context.waitUntil(store.revoke(identity, admission.knows(identity.digest), now()));
  } else if (owner !== undefined && status < 500 && !aboutTheServer.has(status) && !isLost && !request.control.noStore) {
    context.waitUntil(store.remove(identity, request.route, asked));
    const reason = result1?.stored === false ? result1.reason : varies ? "vary" : `status ${status}`;
    if (status < 300 || status === 404) store.noteUncacheable(key, reason, now());
  }
  return fetchedFrom(answer, undefined, undefined, result, false, isWhole && (status >= 400 || isLost));
};

const nameIn = (tag: string): string => tag.split("@", 1)[0] ?? tag;

/** An answer of another path, by the rules alone. */
const receivedOther = async (
  plan: CacheDecision,
  result: UpstreamAnswer,
  asked: Asked,
  isolate: Isolate,
  context: RequestContext,
): Promise<Fetched> => {
  const { request, identity, owner, cache, asRead, validated } = plan;
  const { status, statusText } = result;
  const headers = asDecoded(result.headers);
  const range = request.headers.get("range");
  const stretch = status === 206 ? parseContentRange(headers.get("content-range")) : undefined;
  const part = stretch === undefined || range === null ? undefined : { ...stretch, askedRange: range };
  const bytes = "bytes" in result.body ? result.body.bytes : new Uint8Array();
  const fields = withDate(endToEnd(headers), result.responseTimeMs);
  const answer: Answer = {
    status,
    statusText,
    endpoint: "other",
    askedFormat: "json",
    format: undefined,
    client: [],
    bytes,
    ...("stream" in result.body ? { stream: result.body.stream } : {}),
    freshness: undefined,
    lease: result.lease,
  };
  // "A 206 (Partial Content) response MAY be stored as if it were an incomplete 200 (OK) response" (RFC 9111, 3.3).
  const storable = { status: part === undefined ? status : 200, headers };
  const isWhole = "bytes" in result.body && request.method === "GET";
  const stored = owner === undefined || !isWhole ? undefined : cache.store(asRead, storable, result);
  if (stored?.stored === true && owner !== undefined) {
    const freshness = within(stored.entry.freshness, identity?.expiresAtMs);
    const entry: Entry = { ...answer, ...stored.entry, status, freshness, owner, names: null, fetchedAtMs: asked.atMs, part };
    context.waitUntil(isolate.store.put(identity, request.route, entry, asked, request.headers, isolate.now()));
  } else if (owner !== undefined && (status === 401 || status === 404 || status === 410)) {
    context.waitUntil(isolate.store.remove(identity, request.route, asked));
  }
  // The upstream was asked with our conditions; those of the client are evaluated here (RFC 9110, 13).
  const isUnchanged = validated !== undefined && status === 200 && isNotModified(request.condition, fields);
  const other = { status: isUnchanged ? 304 : status, headers: fields };
  return fetchedFrom(answer, undefined, other, result, stored?.stored === true, false);
};

/** A request with an unsafe method: passed on once, streamed, and what it changed is no longer used for this user. */
const write = async (
  plan: CacheDecision,
  body: ReadableStream | null,
  isolate: Isolate,
  context: RequestContext,
): Promise<Fetched> => {
  const { request, identity, cache, asRead } = plan;
  const { store, upstream, now } = isolate;
  if (await isOverLimit(plan, isolate)) return { failure: { problem: "limited", attempts: 0, durationMs: 0 } };
  const result = await upstream.send(requestOf(plan, body, isolate));
  if ("problem" in result) return { failure: result };
  const { urls, groups } = cache.invalidate(asRead, result);
  const asked = store.ask(now());
  for (const target of urls.flatMap((url) => targetsOf(url, isolate.config.upstreamUrl))) {
    context.waitUntil(store.remove(identity, { endpoint: "other", target }, asked));
  }
  store.removeGroups(identity?.digest ?? nobody.digest, groups);
  if (result.status < 400 && urls.length > 0 && identity !== undefined && isOfEngines(request.route)) {
    isolate.flights.close(identity.digest);
    for (const name of namesChanged(request.route, result)) {
      const scope = { atMs: asked.atMs, hard: true, owners: ownersOf(identity) };
      context.waitUntil(store.purge(name === null ? scope : { ...scope, name, lists: true }));
    }
  }
  const answer: Answer = {
    status: result.status,
    statusText: result.statusText,
    endpoint: "other",
    askedFormat: "json",
    format: undefined,
    client: [],
    bytes: "bytes" in result.body ? result.body.bytes : new Uint8Array(),
    ...("stream" in result.body ? { stream: result.body.stream } : {}),
    freshness: undefined,
    lease: result.lease,
  };
  const headers = withDate(endToEnd(asDecoded(result.headers)), result.responseTimeMs);
  result.lease.release();
  return fetchedFrom(answer, undefined, { status: result.status, headers }, result, false, false);
};

const enginesPath = new RegExp(`^${basePath}/engines(?:/([^/?]+))?`);

const isOfEngines = ({ target }: Route): boolean => enginesPath.test(target);

/** Names of the engines that a write changed, by its path or by its answer; null: unknown, perhaps any. */
const namesChanged = ({ target }: Route, { headers, body }: UpstreamAnswer): ReadonlyArray<string | null> => {
  const tag = enginesPath.exec(target)?.[1];
  if (tag !== undefined) return [nameIn(decodeURIComponent(tag))];
  const { names } =
    "bytes" in body
      ? contentOf("get", formatIn(headers), body.bytes, schemaDigestIn(headers))
      : { names: null };
  return names === null || names.length === 0 ? [null] : names;
};

/** Path and query here of a URL at the upstream: of the base path, and of the origin. */
const targetsOf = (url: string, upstreamUrl: string): ReadonlyArray<string> => {
  const below = url.startsWith(`${upstreamUrl}/`) ? [basePath + url.slice(upstreamUrl.length)] : [];
  return url.startsWith(new URL(upstreamUrl).origin) ? [...below, targetOf(url)] : below;
};

/** The response from what was stored. */
const served = (
  { entry, source }: Found,
  decision: Extract<EvaluateResult<Entry>, { readonly action: "fresh" | "stale" }>,
  recipient: Recipient,
  { now }: Isolate,
): RequestOutcome => {
  const { request } = recipient;
  const { route } = request;
  const { outcome } = decision;
  const result = decision.action === "fresh" ? "hit" : "stale";
  const response =
    route.endpoint === "other"
      ? respondOther(decision.response, entry, source, outcome, isForOneUser(source), recipient)
      : respond({ ...entry, freshness: source.freshness }, now(), outcome, recipient);
  return { response: response ?? refuseRequest(request, tooManyBytes), result, route, bytes: entry.bytes.byteLength };
};

/** The stale response in place of a failure; `fetched`: what failed, where the upstream was asked. */
const servedStale = (
  { entry, source }: Found,
  fetched: Fetched | undefined,
  outcome: CacheOutcome,
  recipient: Recipient,
  { now, caches }: Isolate,
): RequestOutcome => {
  const { request } = recipient;
  const { route } = request;
  const nowMs = now();
  const failed = fetched === undefined || "failure" in fetched ? undefined : fetched;
  const said: CacheOutcome = {
    ...outcome,
    ...(failed === undefined ? {} : { forwardStatus: failed.status }),
    ttlMs: timeToLive(source.freshness, nowMs),
    detail: "stale-if-error",
  };
  void failed?.answer.stream?.cancel();
  let response: Response | undefined;
  if (route.endpoint === "other") {
    const stored = caches.other.staleIfError(request, source, failed?.other, nowMs) ?? { status: 504, headers: new Headers() };
    response = respondOther(stored, entry, source, said, isForOneUser(source), recipient);
  } else {
    response = respond({ ...entry, freshness: source.freshness }, nowMs, said, recipient);
  }
  const problem = fetched !== undefined && "failure" in fetched ? errorTypes[fetched.failure.problem] : undefined;
  if (problem !== undefined) response?.headers.append("proxy-status", `${proxyName}; error=${problem}`);
  const bytes = entry.bytes.byteLength;
  return { response: response ?? refuseRequest(request, tooManyBytes), result: "stale-if-error", route, bytes };
};

const isForOneUser = ({ owner }: Entry): boolean => owner !== nobody.digest;

/** The response from what the upstream said. */
const respondFetched = async (
  plan: CacheDecision,
  fetched: Exclude<Fetched, { readonly failure: unknown }>,
  outcome: CacheOutcome,
  recipient: Recipient,
  isolate: Isolate,
): Promise<Response> => {
  const { request, identity } = plan;
  const { now, store, config } = isolate;
  const { answer, entry, other, status, stored } = fetched;
  const nowMs = now();
  const said: CacheOutcome = {
    ...outcome,
    ...(status === answer.status ? {} : { forwardStatus: status }),
    ...(stored && entry !== undefined ? { stored: true, ttlMs: timeToLive(entry.freshness, nowMs) } : {}),
  };
  let response: Response | undefined;
  if (other === undefined) {
    const { format } = request.representation;
    const made = entry === undefined || hasForm(answer, format) ? answer : await inForm(entry, format);
    if (made === undefined) {
      // The object changed so that its other form cannot be made any more: that form is asked for by itself.
      const alone = await exchange({ ...plan, validated: undefined }, isolate, recipient.context);
      if ("failure" in alone) return refuseRequest(request, unavailable(alone.failure), said);
      return respondFetched({ ...plan, validated: undefined }, alone, outcome, recipient, isolate);
    }
    if (entry !== undefined && made !== answer) store.recount(request.route, entry);
    response = respond(made, nowMs, said, recipient);
  } else {
    const isPrivate = identity !== undefined && !config.cachesAnonymous;
    response = respondOther(other, answer, entry, said, isPrivate, recipient);
  }
  return response ?? refuseRequest(request, tooManyBytes);
};

const upstreamIn = (fetched: Fetched): RequestOutcome["upstream"] =>
  "failure" in fetched
    ? { problem: fetched.failure.problem, attempts: fetched.failure.attempts, durationMs: fetched.failure.durationMs }
    : { status: fetched.status, attempts: fetched.attempts, durationMs: fetched.durationMs };

const refuseRequest = ({ method, headers }: ParsedRequest, refusal: Refusal, outcome?: CacheOutcome): Response => {
  const response = refuse(refusal, headers.get("accept"), method !== "HEAD");
  if (outcome !== undefined) response.headers.append("cache-status", cacheStatus(proxyName, outcome));
  return response;
};

const refused = ({ request }: Recipient, refusal: Refusal, outcome?: CacheOutcome): RequestOutcome => ({
  response: refuseRequest(request, refusal, outcome),
  result: outcome?.forward === undefined ? "refused" : outcome.forward === "bypass" ? "bypass" : "miss",
  route: request.route,
  bytes: 0,
});

const nothingStored: Refusal = {
  status: 504,
  code: "DEADLINE_EXCEEDED",
  message: "no stored response satisfies only-if-cached",
};

/** When to ask again where nobody knows better, in seconds. */
const retryAfterSeconds = 5;

const tooManyBytes: Refusal = {
  status: 503,
  code: "RESOURCE_EXHAUSTED",
  message: `more than ${maxBodyBytesPerUser} bytes of bodies are under way to this user: read them before you ask for more`,
  headers: { "retry-after": `${retryAfterSeconds}` },
  error: "connection_limit_reached",
};

/** Error types of Proxy-Status (RFC 9209, 2.3). */
const errorTypes: Readonly<Record<UpstreamProblem, string>> = {
  unreachable: "connection_terminated",
  "timed-out": "http_response_timeout",
  "cut-short": "http_response_incomplete",
  redirected: "http_protocol_error",
  unusable: "http_protocol_error",
  "known-to-be-down": "destination_unavailable",
  busy: "connection_limit_reached",
  crowded: "connection_limit_reached",
  limited: "http_request_denied",
};

/** 502: no valid answer. 504: none in time. 503: the upstream was not asked, and may be later. 429: the user asks for too much. */
const unavailable = ({ problem, retryAfterMs }: UpstreamFailure): Refusal => {
  const base = {
    error: errorTypes[problem],
    headers: { "retry-after": `${retryAfterMs === undefined ? retryAfterSeconds : Math.ceil(retryAfterMs / 1000)}` },
  };
  switch (problem) {
    case "busy":
      return {
        ...base,
        status: 429,
        code: "RESOURCE_EXHAUSTED",
        message: `this client has ${maxPerIdentity} requests under way to the API behind this proxy, and more that wait; wait for some to end`,
      };
    case "limited":
      return { ...base, status: 429, code: "RESOURCE_EXHAUSTED", message: "too many requests; wait before you send more" };
    case "timed-out":
      return { ...base, status: 504, code: "DEADLINE_EXCEEDED", message: "the API behind this proxy did not answer in time (timed-out)" };
    case "known-to-be-down":
    case "crowded":
      return { ...base, status: 503, code: "UNAVAILABLE", message: `the API behind this proxy cannot be asked now (${problem})` };
    default:
      return { ...base, status: 502, code: "UNAVAILABLE", message: `the API behind this proxy gave no usable answer (${problem})` };
  }
};
