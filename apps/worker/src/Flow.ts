// The whole flow: parse, identify, look up, decide, fetch, store, answer.
import { basePath, formatOf, mediaTypeOf, requestIdFrom, schemaDigestHeader } from "@bytenite-engines/core/wire";
import type { Format } from "@bytenite-engines/core/wire";
import { cacheStatus, endToEnd, errorStatuses, evaluate, responseDirectives } from "@bytenite-engines/http-cache";
import { hasValidator, parseContentRange, timeToLive, varyNames, withDate } from "@bytenite-engines/http-cache";
import type { CacheEntry, CacheOutcome, Freshness } from "@bytenite-engines/http-cache";
import { adminPrefix, answerAdmin } from "./Admin.ts";
import type { Config } from "./Config.ts";
import { decide, forwardedFields, isServedAfterFailure, look, usableNow, type Plan, type Reader } from "./Decision.ts";
import { asDecoded, clientFields, fieldIn, formOf, hasForm, namesOf, strongEtag } from "./Entry.ts";
import { notPassedOn, targetedFields, type Answer, type Entry, type OwnFields } from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import type { Exchanged, Fetched, Isolate } from "./Isolate.ts";
import { isLogged, logError, logLine, type Received, type RequestOutcome, type Result } from "./Log.ts";
import type { Purge } from "./Purge.ts";
import { badRequest, otherRoute, parseRequest, proxyName, refusal, refuse, routeOf } from "./Request.ts";
import { targetOf, tooLong, tooLongHeader, withHop } from "./Request.ts";
import type { ErrorResponse, ParsedRequest, RequestContext } from "./Request.ts";
import { allowOrigin, respond, respondFromMemory, respondOptions } from "./Response.ts";
import { cacheKey, nobody } from "./Store.ts";
import { isOutage, proxyStatusOf, unavailable, type UpstreamAnswer, type UpstreamRequest } from "./Upstream.ts";

/** Answers any request; synchronously on a hit in memory. */
export const handle = (request: Request, isolate: Isolate, runtime: Pick<RequestContext, "waitUntil">) => {
  const target = targetOf(request.url);
  const context = { waitUntil: runtime.waitUntil.bind(runtime), isGone: () => request.signal.aborted };
  if (target.startsWith(adminPrefix)) return answerAdmin(request, target, isolate, context);
  const { method, headers } = request;
  const { allowedOrigins, forwardedPaths } = isolate.config;
  const startedAtMs = isolate.now();
  const finished = (outcome: RequestOutcome): Response =>
    finish(outcome, { request, method, headers, target, startedAtMs }, isolate);
  if (method === "OPTIONS") {
    const response = respondOptions(headers, allowedOrigins, forwardedPaths.length > 0);
    return finished({ response, result: "refused", bytes: 0 });
  }
  const parsed = parseRequest(method, headers, target, isolate.config);
  if ("status" in parsed) return finished(refused(request, parsed));
  const hit = fromMemory(parsed, startedAtMs, isolate, context);
  return hit === undefined ? fromCache(parsed, request.body, isolate, context).then(finished) : finished(hit);
};

/** Adds headers that do not depend on the cache; logs and counts the response. */
const finish = (made: RequestOutcome, received: Received, isolate: Isolate): Response => {
  const { config, metrics, analytics, now } = isolate;
  const { method, headers, startedAtMs } = received;
  const { response, result, route, upstream } = made;
  const { status } = response;
  const bytes = bytesSent(made, method, status);
  const outcome = bytes === made.bytes ? made : { ...made, bytes };
  const durationMs = now() - startedAtMs;
  if (upstream !== undefined && upstream.attempts > 0) {
    response.headers.append("server-timing", `upstream;dur=${upstream.durationMs}`);
  }
  allowOrigin(response, headers, config.allowedOrigins);
  metrics.observe(outcome, status, durationMs);
  const isInLog = isLogged(config.logLevel, result, status);
  const given = headers.get("x-request-id");
  // Hits that are not logged get no id of their own.
  const requestId = made.requestId ?? (given !== null || isInLog ? requestIdFrom(given) : undefined);
  if (requestId !== undefined) response.headers.set("x-request-id", requestId);
  if (isInLog) console.log(logLine(received, outcome, requestId, durationMs));
  analytics?.writeDataPoint({
    indexes: [route?.endpoint ?? "none"],
    blobs: [result, `${status}`, response.headers.get("content-type") ?? "", upstream?.problem ?? ""],
    doubles: [durationMs, bytes, upstream?.durationMs ?? 0],
  });
  return response;
};

/** Bytes of the body that is sent: none without content, and of a part only its own. */
const bytesSent = ({ response, bytes }: RequestOutcome, method: string, status: number): number => {
  if (method === "HEAD" || status === 304 || status === 416) return 0;
  return status === 206 ? Number(response.headers.get("content-length") ?? bytes) : bytes;
};

const isHit = ({ control, route }: ParsedRequest, { freshness }: Entry, nowMs: number): boolean =>
  route.endpoint !== "other" && evaluate(control, freshness, nowMs).action === "fresh";

/** A hit in memory, the most frequent case: synchronous, at half the cost of the whole flow. Undefined on a miss. */
const fromMemory = (request: ParsedRequest, nowMs: number, isolate: Isolate, context: RequestContext) => {
  const { token, route, representation, control } = request;
  const { store, budget, identities } = isolate;
  if (token === undefined || control.noTransform) return undefined;
  const identity = identities.recall(token);
  // An entry is fresh no longer than its token is valid.
  if (identity === undefined || store.areNotesDue(identity, nowMs)) return undefined;
  const latest = store.recall(identity.digest, identity, route, nowMs);
  const entry = latest && formOf(latest, representation.format);
  if (entry === undefined || !isHit(request, entry, nowMs)) return undefined;
  const response = respondFromMemory(entry, nowMs, { request, user: identity.digest, budget, context });
  return { response, result: "hit" as const, route, bytes: entry.bytes.byteLength };
};

const fromCache = async (request: ParsedRequest, body: Request["body"], isolate: Isolate, context: RequestContext) => {
  const { route, headers, isRead, token, control } = request;
  const { now, admission, identities, store } = isolate;
  const isKnown = (bearer: string): boolean => admission.knows(identities.recall(bearer)?.digest);
  const lookUp = (): Promise<Reader> => look(request, isolate, context);
  const reader = token === undefined ? await lookUp() : await admission.lookUp(token, isKnown, lookUp);
  if (reader === undefined) return refused(request, unavailable({ problem: "crowded" }));
  const [first] = reader.found;
  if (first !== undefined && isHit(request, first, now())) {
    return serve(reader, first, "hit", { hit: true, ttlMs: timeToLive(first.freshness, now()) });
  }
  const plan = decide(reader);
  const { decision, selected, applicant, requestId } = plan;
  const { action, outcome: decided } = decision;
  if (action === "unsatisfiable") return refused(request, nothingStored, decided);
  if (action === "fresh" || action === "stale") {
    if (action === "stale" && decision.revalidate) context.waitUntil(revalidate(plan));
    return serve(reader, decision.entry, action === "fresh" ? "hit" : "stale", decided);
  }
  if ([...forwardedFields, "connection"].some((name) => tooLong(headers.get(name)))) {
    return refused(request, tooLongHeader);
  }
  if (!isRead && Number(headers.get("content-length")) > Number.MAX_SAFE_INTEGER) return refused(request, tooLongBody);
  const outcome: CacheOutcome = reader.owner === undefined && isRead ? { forward: "bypass" } : decided;
  const stale = applicant.orStale ? selected : undefined;
  if (stale !== undefined && isServedAfterFailure(plan)) {
    // One request per object validates in the background, so that not every request waits for a timeout.
    context.waitUntil(revalidate(plan));
    return serveStale(reader, stale, outcome);
  }
  const joins = outcome.forward !== "request" && !control.noCache && control.maxAge !== 0;
  const fetched = isRead ? await fetchShared(plan, joins) : await write(plan, body);
  const { collapsed = false, attempts, durationMs } = fetched;
  const cacheOutcome = { ...outcome, collapsed };
  const ended = "problem" in fetched ? { problem: fetched.problem } : { status: fetched.status };
  const details = { requestId, upstream: collapsed ? undefined : { ...ended, attempts, durationMs } };
  const failed = "problem" in fetched ? isOutage(fetched.problem) : errorStatuses.has(fetched.status);
  if (failed && stale !== undefined && usableNow(stale, reader.identity, isolate) !== undefined) {
    return { ...serveStale(reader, stale, cacheOutcome, fetched), ...details };
  }
  const exact = "problem" in fetched ? fetched : await inAskedForm(plan, fetched);
  if ("problem" in exact) return { ...refused(request, unavailable(exact), cacheOutcome), ...details };
  const { answer, entry, status } = exact;
  const isStored = exact.stored && entry !== undefined && store.holds(route, entry);
  const full: CacheOutcome = {
    ...cacheOutcome,
    ...(status !== answer.status && { forwardStatus: status }),
    ...(isStored && { stored: true, ttlMs: timeToLive(entry.freshness, now()) }),
  };
  const response = respond(answer, now(), full, reader);
  return { response, result: resultOf(cacheOutcome), route, bytes: answer.bytes.byteLength, ...details };
};

const serve = (reader: Reader, entry: Entry, result: Result, outcome: CacheOutcome): RequestOutcome => {
  const { route, representation } = reader.request;
  const served = formOf(entry, representation.format) ?? entry;
  const response = respond(served, reader.isolate.now(), outcome, reader);
  return { response, result, route, bytes: served.bytes.byteLength };
};

/** A stale response in place of a failure; `failed` is the exchange, undefined if none was tried. */
const serveStale = (reader: Reader, stale: Entry, outcome: CacheOutcome, failed?: Fetched): RequestOutcome => {
  const ttlMs = timeToLive(stale.freshness, reader.isolate.now());
  const status = failed !== undefined && "status" in failed ? { forwardStatus: failed.status } : {};
  const served = serve(reader, stale, "stale-if-error", { ...outcome, ttlMs, detail: "stale-if-error", ...status });
  if (failed === undefined) return served;
  if ("status" in failed) void failed.answer.stream?.cancel();
  else served.response.headers.append("proxy-status", proxyStatusOf(failed.problem)["proxy-status"]);
  return served;
};

/** The result of a request that was answered from upstream, or refused, by its Cache-Status. */
const resultOf = ({ collapsed, forward }: CacheOutcome = {}): Result => {
  if (forward === undefined) return "refused";
  if (collapsed === true) return "collapsed";
  if (forward === "bypass" || forward === "method") return "bypass";
  return forward === "stale" || forward === "request" ? "validated" : "miss";
};

/** A response in the form of the request; where it cannot be transcoded, that form is fetched. */
const inAskedForm = async (plan: Plan, fetched: Exchanged): Promise<Fetched> => {
  const { answer, entry } = fetched;
  const { route, representation } = plan.request;
  if (entry === undefined || hasForm(answer, representation.format)) return fetched;
  const made = await plan.isolate.store.asForm(route, entry, representation.format);
  return made === undefined ? exchange(unconditional(plan)) : { ...fetched, answer: made };
};

const tooLongBody = badRequest("the body is too long", 413);
const nothingStored = refusal(504, "DEADLINE_EXCEEDED", "no stored response satisfies only-if-cached");

type Refusable = Pick<ParsedRequest, "method" | "headers"> & Pick<RequestOutcome, "route">;

const refused = ({ method, headers, route }: Refusable, reason: ErrorResponse, outcome?: CacheOutcome) => {
  const response = refuse(reason, headers.get("accept"), method !== "HEAD");
  if (outcome !== undefined) response.headers.append("cache-status", cacheStatus(proxyName, outcome));
  return { response, result: resultOf(outcome), route, bytes: 0 } satisfies RequestOutcome;
};

/** Forwarded headers that are not in the cache key of an endpoint. */
const notInKey =
  /^(?:baggage|cache-control|cdn-loop|pragma|traceparent|tracestate|user-agent|via|x-d1-bookmark|x-forwarded-for|x-request-id)$/;

/** Request headers that are never forwarded: credentials that are not in the key, addresses, and what the runtime sets. */
const notForwarded =
  /^(?:cookie|host|forwarded|x-forwarded-.*|x-real-ip|true-client-ip|cf-.*|accept-encoding|content-length)$/;

// Lets caches between here and the upstream serve fresh responses. Without these fields the runtime sends `no-cache`, because its own
// cache is switched off. "0" has no meaning in Pragma.
const anyFresh = "max-stale=0";

const fieldsFor = ({ request, send, validated, requestId, isolate }: Plan): Headers => {
  const { method, headers, route, control, representation } = request;
  const fields = new Headers([...send].filter(([name]) => !notForwarded.test(name)));
  if (route.endpoint !== "other") {
    fields.set("accept", mediaTypeOf(validated?.askedFormat ?? representation.format));
    fields.set("cache-control", control.noStore ? "no-store" : control.noCache ? "no-cache" : anyFresh);
  } else if (!fields.has("cache-control")) {
    fields.set("cache-control", anyFresh);
  }
  if (!fields.has("pragma")) fields.set("pragma", "0");
  // "GET is the only method for which range handling is defined" (RFC 9110, 14.2).
  if (method === "HEAD") fields.delete("range");
  const address = headers.get("cf-connecting-ip");
  if (address !== null) fields.set("x-forwarded-for", address);
  // Kept even if Connection lists them: they detect loops.
  for (const [name, value] of withHop(headers, isolate.config.deployment)) fields.set(name, value);
  fields.set("x-request-id", requestId);
  return fields;
};

const maxFollowed = 2; // how many failed exchanges of others a request waits for before it sends its own

/** The response, perhaps of another request's exchange. Never rejects. */
const fetchShared = async (plan: Plan, joins: boolean): Promise<Fetched> => {
  const { request, owner, isolate } = plan;
  const { route, control } = request;
  const { flights, store, now } = isolate;
  const format = formatAsked(plan);
  if (owner === undefined || route.endpoint === "other" || control.noStore) return exchange(plan);
  if (store.uncacheable(owner, route) !== undefined) return exchange(plan);
  const key = cacheKey(owner, route, format);
  for (let left = joins ? maxFollowed : 0; left > 0; left--) {
    // Looked up and joined without an `await` between: after a failed exchange one waiting request starts the next, the others join it.
    const joined = flights.follow(key, owner);
    const followed = joined && (await joined);
    if (followed === undefined) break;
    const isFailure = "problem" in followed;
    if (!isFailure && !followed.shared) return exchange(plan);
    if (!isFailure || left === 1) return { ...followed, collapsed: true };
  }
  // Another request's exchange may have ended between our look into the store and now.
  const late = joins ? store.recall(owner, plan.identity, route, now()) : undefined;
  if (late !== undefined && hasForm(late, format) && isHit(request, late, now())) {
    const known = { entry: late, status: late.status, stored: true, shared: true, attempts: 0, durationMs: 0 };
    return { ...known, answer: late, collapsed: true };
  }
  return flights.lead(key, owner, () => exchange(plan));
};

/** Validates an entry in the background, unless that is already running or the resource is backing off. */
const revalidate = async (plan: Plan): Promise<void> => {
  const { owner, request, isolate, applicant } = plan;
  if (owner === undefined) return;
  const { admission, flights } = isolate;
  const key = cacheKey(owner, request.route, formatAsked(plan));
  if (admission.isBackingOff(applicant) || flights.has(key, owner)) return;
  const fetched = await flights.lead(key, owner, () => exchange(plan));
  if ("answer" in fetched) void fetched.answer.stream?.cancel();
  // 429 and an undecodable 200 also leave the stale entry unchanged.
  const isInVain = "problem" in fetched ? fetched.attempts > 0 : !fetched.stored;
  if (isInVain && !admission.isBackingOff(applicant)) admission.backOff(applicant, admission.isFailing(applicant));
};

const formatAsked = ({ validated, request }: Plan): Format => validated?.askedFormat ?? request.representation.format;

/** Sends the request upstream and updates the store. Continues when the client disconnects, since others may wait for it. */
const exchange = (plan: Plan): Promise<Fetched> => {
  const work = exchangeOnce(plan).catch((error: unknown): Fetched => {
    logError("an exchange failed unexpectedly", error);
    return { problem: "unreachable", attempts: 1, durationMs: 0 };
  });
  plan.context.waitUntil(work);
  return work;
};

/** The plan without conditions of ours: the whole answer is wanted. */
const unconditional = (plan: Plan): Plan => {
  const send = new Headers(plan.send);
  for (const name of ["if-none-match", "if-modified-since"]) send.delete(name);
  return { ...plan, send, validated: undefined };
};

const exchangeOnce = async (plan: Plan): Promise<Fetched> => {
  const { request, identity, validated, selected, cache, asRead, isolate, context } = plan;
  const { store, upstream } = isolate;
  const result = await upstream.send(requestOf(plan, null));
  if ("problem" in result) return result;
  try {
    const isHead = asRead.method === "HEAD" && result.status === 200;
    const updatable = isHead ? selected : result.status === 304 ? validated : undefined;
    const updated = updatable && cache.update(updatable, asRead, result, result);
    if (updatable === undefined || updated === undefined) return await received(plan, result);
    if (updated.action === "updated") {
      const entry = entryFrom(plan, updated.entry, updatable, result);
      const stored = store.put(identity, request, entry, result.asked, context);
      if (!isHead) return { ...result, answer: entry, entry, stored, shared: true };
    } else if (isHead || updated.action === "remove") {
      context.waitUntil(store.remove(identity, request.route, result.asked));
    }
    if (isHead) return await received(plan, result);
    if (updated.action === "remove") {
      const client = fieldsOf(plan, updatable.status, updated.response.headers, result);
      return { ...result, answer: { ...updatable, client }, entry: undefined, stored: false, shared: true };
    }
  } finally {
    result.lease.release();
  }
  // A 304 that is about another representation.
  return exchangeOnce(unconditional(plan));
};

const requestOf = (plan: Plan, body: Request["body"]): UpstreamRequest => {
  const { request, cache, asRead, owner, context, applicant, isolate } = plan;
  const { method, route, headers: sent } = request;
  const isEndpoint = route.endpoint !== "other";
  const times = { requestTimeMs: isolate.now(), responseTimeMs: isolate.now() };
  return {
    ...applicant,
    method: isEndpoint ? "GET" : method,
    headers: fieldsFor(plan),
    body,
    length: sent.get("content-length"),
    isEndpoint,
    waitUntil: (work) => context.waitUntil(work),
    // What is neither stored nor read needs no memory.
    isBuffered: (status, headers) => {
      if (isEndpoint) return true;
      if (owner === undefined || status === 206) return owner !== undefined;
      const kept = cache.store(asRead, { status, headers }, times);
      return kept.stored && isUseful(kept.entry);
    },
  };
};

/** Limits freshness to the lifetime of the token (`exp`). */
const within = (freshness: Freshness, expiresAtMs = Number.POSITIVE_INFINITY): Freshness => {
  const mostMs = Math.max(0, expiresAtMs - freshness.responseTimeMs) + freshness.initialAgeMs;
  return { ...freshness, lifetimeMs: Math.min(freshness.lifetimeMs, mostMs) };
};

const fieldsOf = (plan: Plan, status: number, headers: Headers, times: UpstreamAnswer, own?: Partial<OwnFields>) => {
  const { request, identity, isolate } = plan;
  const { endpoint } = request.route;
  const { config } = isolate;
  const isForOneUser = identity !== undefined && !config.cachesAnonymous;
  const ofEndpoint = endpoint === "other" ? undefined : { ...own, ...config.lifetimes[endpoint] };
  return (ofEndpoint || isForOneUser ? clientFields(status, headers, times, ofEndpoint) : [...headers])
    .filter(([name]) => !notPassedOn.test(name))
    .map(([name, value]) => [name, name === "location" ? locationAtProxy(value, config) : value] as const);
};

/** `answer`: the bytes of the entry, and what is known of them. */
const entryFrom = (
  plan: Plan,
  cached: CacheEntry,
  answer: Answer & Pick<Entry, "names" | "part">,
  times: UpstreamAnswer,
): Entry => {
  const { status } = answer;
  const freshness = within(cached.freshness, plan.identity?.expiresAtMs);
  const headers = new Headers(cached.headers as Array<[string, string]>);
  const etag = fieldIn(answer.client, "etag");
  return {
    ...answer,
    ...cached,
    status,
    freshness,
    client: fieldsOf(plan, status, headers, times, { freshness, etag }),
    // The key of an endpoint contains the fields that its responses vary by.
    vary: plan.request.route.endpoint === "other" ? cached.vary : [],
    owner: plan.owner ?? nobody,
    fetchedAtMs: times.asked.atMs,
    prepared: undefined,
    other: undefined,
  };
};

/** Purges what is stored of the user, and lets no request join a running exchange. */
const purgeOwn = (plan: Plan, identity: Identity, isAccepted: boolean, scope: Omit<Purge, "owners">): void => {
  const { admission, flights, store } = plan.isolate;
  flights.close(identity.digest);
  plan.context.waitUntil(store.purgeOwn(identity, isAccepted || admission.knows(identity.digest), scope));
};

/** Statuses that say nothing new about the resource: the stored entry stays. */
const silent: ReadonlySet<number> = new Set([304, 408, 412, 416, 425, 429]);

const received = async (plan: Plan, result: UpstreamAnswer): Promise<Fetched> => {
  const { request, identity, owner, cache, asRead, isolate, context } = plan;
  const { store, config, caches } = isolate;
  const { route } = request;
  const { endpoint, tag } = route;
  const isEndpoint = endpoint !== "other";
  const { status, statusText, body, lease, attempts, durationMs } = result;
  if (isEndpoint && status === 304) return { problem: "unusable", attempts, durationMs };
  const headers = withDate(endToEnd(asDecoded(result.headers)), result.responseTimeMs);
  const isWhole = body.stream === undefined;
  const isOwn = isEndpoint && status === 200;
  const format = isEndpoint ? formatOf(headers.get("content-type")) : undefined;
  const digest = headers.get(schemaDigestHeader);
  const contained = isOwn && isWhole ? namesOf(endpoint, format, body.bytes, digest) : isEndpoint ? [] : null;
  // An undecodable 200, or one in an unrequested coding, is passed on and leaves the stored entry.
  const isLost = isOwn && (headers.has("content-encoding") || contained === undefined);
  const isNegative = isEndpoint && status === 404 && config.negativeMs !== 0;
  const isStorable = isEndpoint ? (isOwn && !isLost) || isNegative : request.method === "GET";
  const stretch = status === 206 ? parseContentRange(headers.get("content-range")) : undefined;
  const askedRange = request.headers.get("range");
  const part = stretch === undefined || askedRange === null ? undefined : { ...stretch, askedRange };
  // "A 206 (Partial Content) response MAY be stored as if it were an incomplete 200 (OK) response" (RFC 9111, 3.3).
  const storable = { status: part === undefined ? status : 200, headers };
  const rules = isNegative ? caches.negative : cache;
  const kept = isStorable && isWhole && owner !== undefined ? rules.store(asRead, storable, result) : undefined;
  const varies = isEndpoint && varyNames(headers).some((name) => notInKey.test(name));
  const cached = kept?.stored === true && !varies && (isEndpoint || isUseful(kept.entry)) ? kept.entry : undefined;
  const freshness = cached && within(cached.freshness, identity?.expiresAtMs);
  const etag = isOwn && isWhole ? await strongEtag(body.bytes, format) : undefined;
  const client = fieldsOf(plan, status, headers, result, { freshness, etag, isLost });
  const form = { endpoint, askedFormat: formatAsked(plan), format };
  const answer: Answer = { ...body, ...form, status, statusText, lease, client, freshness };
  if (cached !== undefined) {
    const names = contained && [...new Set(tag === undefined ? contained : [...contained, nameIn(tag)])];
    const entry = entryFrom(plan, cached, { ...answer, names: names ?? null, part }, result);
    const stored = store.put(identity, request, entry, result.asked, context);
    return { ...result, answer, entry, stored, shared: true };
  }
  const isNews = !request.control.noStore && (isEndpoint ? !isLost : request.method === "GET" || status >= 400);
  if (identity !== undefined && status === 401) {
    purgeOwn(plan, identity, false, { atMs: store.purgeTime(), hard: true });
  } else if (owner !== undefined && isNews && status < 500 && !silent.has(status)) {
    const reason = kept?.stored === false ? kept.reason : varies ? "vary" : `status ${status}`;
    const isUncacheable = status < 300 || status === 404;
    context.waitUntil(store.remove(identity, route, result.asked, isUncacheable ? reason : undefined));
  }
  const isShareable = status >= 400 || (isLost && !responseDirectives(headers, { targetedFields }).noStore);
  return { ...result, answer, entry: undefined, stored: false, shared: isWhole && isShareable };
};

/** Whether an entry that is not for an endpoint can be used again: fresh, or after validation. A cookie is shared only where that is said. */
const isUseful = ({ freshness, headers }: CacheEntry): boolean =>
  freshness.explicit || (hasValidator({ headers }) && fieldIn(headers, "set-cookie") === undefined);

const nameIn = (tag: string): string => tag.replace(/@.*/s, "");

/** Forwards an unsafe method once, streamed, and invalidates what it changed for this user. */
const write = async (plan: Plan, body: Request["body"]): Promise<Fetched> => {
  const { request, identity, cache, asRead, isolate, context } = plan;
  const { store, upstream, config } = isolate;
  const result = await upstream.send(requestOf(plan, body));
  if ("problem" in result && result.attempts === 0) return result;
  // Without a response, or with one of a gateway, the change may have happened.
  const isLost = "problem" in result || result.status >= 500;
  const isGone = "status" in result && request.method === "DELETE" && [404, 410].includes(result.status);
  const ended = "problem" in result || isGone ? { status: 200, headers: new Headers() } : result;
  const { urls } = cache.invalidate(asRead, ended);
  const asked = store.ask();
  for (const target of urls.flatMap((url) => targetsOf(url, config.upstreamUrl))) {
    context.waitUntil(store.remove(config.cachesAnonymous ? undefined : identity, otherRoute(target), asked));
  }
  const isChange = urls.length > 0 || isLost;
  // A path that cannot be decoded may be one of engines.
  const engine = enginesPath.exec(request.route.path ?? `${basePath}/engines`);
  if (isChange && identity !== undefined && engine !== null) {
    const name = engine[1] === undefined ? {} : { name: nameIn(engine[1]) };
    purgeOwn(plan, identity, !isLost && !isGone, { atMs: asked.atMs, hard: !isLost, ...name });
  }
  if ("problem" in result) return result;
  result.lease.release();
  return received(plan, result);
};

/** The path of all engines, which an upload has, or of one by its tag. */
const enginesPath = new RegExp(`^${basePath}/engines(?:/([^/]+))?`);

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
