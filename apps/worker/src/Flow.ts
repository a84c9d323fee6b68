// The whole flow: parse, identify, look up, decide, fetch, store, answer.
import { requestIdFrom } from "@bytenite-engines/core/wire";
import { cacheStatus, errorStatuses, evaluate, timeToLive, type CacheOutcome } from "@bytenite-engines/http-cache";
import { adminPrefix, answerAdmin } from "./Admin.ts";
import { decide, look, usableNow, type CacheDecision, type Found } from "./Decision.ts";
import { hasForm, inForm, type Entry } from "./Entry.ts";
import { admissionRequestOf, exchange, fetchShared, forwardedFields, revalidate, userOf, write } from "./Exchange.ts";
import { errorTypes, nothingStored, unavailable } from "./Failure.ts";
import type { Isolate } from "./Isolate.ts";
import { isLogged, logLine } from "./Log.ts";
import type { Fetched, RequestOutcome, Result } from "./Outcome.ts";
import {
  parseRequest,
  proxyName,
  refuse,
  targetOf,
  tooLong,
  tooLongHeader,
  type ParsedRequest,
  type ErrorResponse,
} from "./Request.ts";
import { allowOrigin, respond, respondFromMemory, respondOptions, respondOther, type Recipient } from "./Response.ts";
import type { RequestContext } from "./Runtime.ts";
import { nobody } from "./Store.ts";
import { outages } from "./Upstream.ts";

/** A received request. Its fields are read once, since getters of `Request` are slow. */
interface Received {
  readonly request: Request;
  readonly method: string;
  readonly headers: Headers;
  readonly target: string;
  readonly startedAtMs: number;
}

/** Answers any request; synchronously on a hit in memory. */
export const handle = (request: Request, isolate: Isolate, context: RequestContext): Response | Promise<Response> => {
  const target = targetOf(request.url);
  if (target.startsWith(adminPrefix)) return answerAdmin(request, target, isolate);
  const { method, headers } = request;
  const received = { request, method, headers, target, startedAtMs: isolate.now() };
  const outcome = answer(received, isolate, context);
  return outcome instanceof Promise
    ? outcome.then((settled) => finish(settled, received, isolate))
    : finish(outcome, received, isolate);
};

const answer = (
  { request, method, headers, target }: Received,
  isolate: Isolate,
  context: RequestContext,
): RequestOutcome | Promise<RequestOutcome> => {
  const { allowedOrigins, forwardedPaths } = isolate.config;
  if (method === "OPTIONS") {
    const response = respondOptions(headers, allowedOrigins, forwardedPaths.length > 0);
    return { response, result: "refused", bytes: 0 };
  }
  const parsed = parseRequest(method, headers, target, isolate.config);
  if ("status" in parsed) {
    return { response: refuse(parsed, headers.get("accept"), method !== "HEAD"), result: "refused", bytes: 0 };
  }
  return fromMemory(parsed, isolate, context) ?? fromCache(parsed, request, isolate, context);
};

/** Adds headers that do not depend on the cache; logs and counts the response. */
const finish = (
  outcome: RequestOutcome,
  { request, method, headers, target, startedAtMs }: Received,
  { config, metrics, analytics, now }: Isolate,
): Response => {
  const { response, result, upstream } = outcome;
  const { status } = response;
  const durationMs = now() - startedAtMs;
  if (upstream !== undefined && upstream.attempts > 0) {
    response.headers.append("server-timing", `upstream;dur=${upstream.durationMs}`);
  }
  if (config.allowedOrigins.length > 0 && method !== "OPTIONS") {
    allowOrigin(response.headers, headers.get("origin"), config.allowedOrigins);
  }
  metrics.observe(outcome, method, status, durationMs);
  const isInLog = isLogged(config.logLevel, result, status);
  const given = headers.get("x-request-id");
  // Hits that are not logged get no id of their own.
  const requestId = outcome.requestId ?? (given !== null || isInLog ? requestIdFrom(given) : undefined);
  if (requestId !== undefined) response.headers.set("x-request-id", requestId);
  if (isInLog) {
    const { colo } = (request as { readonly cf?: { readonly colo?: string } }).cf ?? {};
    const endedAtMs = startedAtMs + durationMs;
    console.log(logLine({ method, headers, target, outcome, requestId, colo, endedAtMs, durationMs }));
  }
  analytics?.writeDataPoint({
    indexes: [outcome.route?.endpoint ?? "none"],
    blobs: [result, `${status}`, response.headers.get("content-type") ?? "", upstream?.problem ?? ""],
    doubles: [durationMs, outcome.bytes, upstream?.durationMs ?? 0],
  });
  return response;
};

const isHit = ({ control, route }: ParsedRequest, { freshness }: Entry, nowMs: number): boolean =>
  route.endpoint !== "other" && evaluate(control, freshness, nowMs).action === "fresh";

/** A hit in memory, the most frequent case: synchronous, at half the cost of the whole flow. Undefined on a miss. */
const fromMemory = (request: ParsedRequest, isolate: Isolate, context: RequestContext): RequestOutcome | undefined => {
  const { token, route, representation } = request;
  const { store, budget } = isolate;
  if (token === undefined || route.endpoint === "other") return undefined;
  const identity = isolate.identities.recall(token);
  const nowMs = isolate.now();
  if (identity === undefined || identity.expiresAtMs <= nowMs || store.areNotesDue(identity, nowMs)) return undefined;
  const entry = store.recall(identity.digest, route, representation.format, nowMs);
  if (entry === undefined || !isHit(request, entry, nowMs)) return undefined;
  const response = respondFromMemory(entry, nowMs, { request, user: identity.digest, budget, context });
  return { response, result: "hit", route, bytes: entry.bytes.byteLength };
};

const fromCache = async (
  request: ParsedRequest,
  { body }: Request,
  isolate: Isolate,
  context: RequestContext,
): Promise<RequestOutcome> => {
  const { route, headers, method, token } = request;
  const { now, admission, budget } = isolate;
  const isKnown = (): boolean => {
    const identity = token === undefined ? undefined : isolate.identities.recall(token);
    return identity !== undefined && admission.knows(identity.digest);
  };
  const looked =
    token === undefined || isKnown()
      ? await look(request, isolate, context)
      : await admission.lookUp(token, isKnown, () => look(request, isolate, context));
  if (looked === undefined) {
    return refused(request, unavailable({ problem: "crowded", attempts: 0, durationMs: 0 }));
  }
  const { reader, found } = looked;
  const { cache, asRead, identity, owner } = reader;
  const recipient: Recipient = { request, user: userOf(reader), budget, context };
  const nowMs = now();
  const [first] = found;
  if (first !== undefined && isHit(request, first.source, nowMs)) return served(first, "hit", nowMs, recipient);
  const { decision, chosen } = decide(reader, found, nowMs);
  if (decision.action === "unsatisfiable") return refused(request, nothingStored, decision.outcome);
  const requestId = requestIdFrom(headers.get("x-request-id"));
  const send = "send" in decision ? decision.send : new Headers();
  const common = { ...reader, send, requestId };
  const validated = decision.action === "forward" ? undefined : chosen?.source;
  if (decision.action === "fresh" || decision.action === "stale") {
    if (decision.action === "stale" && decision.revalidate) {
      context.waitUntil(revalidate({ ...common, validated, orStale: true }));
    }
    if (chosen === undefined) return refused(request, nothingStored);
    const result = decision.action === "fresh" ? "hit" : "stale";
    if (route.endpoint !== "other") return served(chosen, result, nowMs, recipient);
    const { entry, source } = chosen;
    const response = respondOther(decision.response, entry, source, decision.outcome, isForOneUser(source), recipient);
    return { response, result, route, bytes: entry.bytes.byteLength };
  }
  if ([...forwardedFields, "connection"].some((name) => tooLong(headers.get(name)))) {
    return refused(request, tooLongHeader);
  }
  const isRead = method === "GET" || method === "HEAD";
  const outcome: CacheOutcome = owner === undefined && isRead ? { forward: "bypass" } : decision.outcome;
  const orStale = chosen !== undefined && cache.staleIfError(asRead, chosen.source, undefined, now()) !== undefined;
  const updatedByHead = method === "HEAD" && route.endpoint === "other" ? chosen?.source : undefined;
  const plan: CacheDecision = { ...common, validated, updatedByHead, orStale };
  const isBackedOff = orStale && outcome.forward === "stale" && route.endpoint !== "other";
  if (isBackedOff && chosen !== undefined && admission.isFailing(admissionRequestOf(plan))) {
    // One request per object validates in the background, so that not every request waits for a timeout.
    context.waitUntil(revalidate(plan));
    return servedStale(chosen, undefined, outcome, recipient, isolate);
  }
  const joins = outcome.forward !== "request" && !request.control.noCache && request.control.maxAge !== 0;
  const { fetched, collapsed } = isRead
    ? await fetchShared(plan, joins)
    : { fetched: await write(plan, body), collapsed: false };
  const cacheOutcome = { ...outcome, collapsed };
  const details = { requestId, upstream: collapsed ? undefined : upstreamIn(fetched) };
  const failed = "failure" in fetched ? outages.has(fetched.failure.problem) : errorStatuses.has(fetched.status);
  if (failed && orStale && chosen !== undefined && usableNow(chosen, identity, isolate).length > 0) {
    return { ...servedStale(chosen, fetched, cacheOutcome, recipient, isolate), ...details };
  }
  if ("failure" in fetched) return { ...refused(request, unavailable(fetched.failure), cacheOutcome), ...details };
  const response = await respondFetched(plan, fetched, cacheOutcome, recipient);
  const forwarded = chosen === undefined ? "miss" : "validated";
  const result: Result = collapsed ? "collapsed" : outcome.forward === "bypass" || !isRead ? "bypass" : forwarded;
  return { response, result, route, bytes: fetched.answer.bytes.byteLength, ...details };
};

const served = ({ entry }: Found, result: Result, nowMs: number, recipient: Recipient): RequestOutcome => {
  const outcome = { hit: true, ttlMs: timeToLive(entry.freshness, nowMs) };
  const response = respond(entry, nowMs, outcome, recipient);
  return { response, result, route: recipient.request.route, bytes: entry.bytes.byteLength };
};

/** A stale response in place of a failure. `fetched` is the failed exchange, undefined if none was tried. */
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
  const cacheOutcome: CacheOutcome = {
    ...outcome,
    ...(failed === undefined ? {} : { forwardStatus: failed.status }),
    ttlMs: timeToLive(source.freshness, nowMs),
    detail: "stale-if-error",
  };
  void failed?.answer.stream?.cancel();
  const stored =
    route.endpoint === "other" ? caches.other.staleIfError(request, source, failed?.other, nowMs) : undefined;
  const response =
    stored === undefined
      ? respond(entry, nowMs, cacheOutcome, recipient)
      : respondOther(stored, entry, source, cacheOutcome, isForOneUser(source), recipient);
  const problem = fetched !== undefined && "failure" in fetched ? errorTypes[fetched.failure.problem] : undefined;
  if (problem !== undefined) response.headers.append("proxy-status", `${proxyName}; error=${problem}`);
  return { response, result: "stale-if-error", route, bytes: entry.bytes.byteLength };
};

const isForOneUser = ({ owner }: Entry): boolean => owner !== nobody.digest;

const respondFetched = async (
  plan: CacheDecision,
  fetched: Exclude<Fetched, { readonly failure: unknown }>,
  outcome: CacheOutcome,
  recipient: Recipient,
): Promise<Response> => {
  const { request, identity } = plan;
  const { now, store, config } = plan.isolate;
  const { answer: received, entry, other, status, stored } = fetched;
  const nowMs = now();
  const cacheOutcome: CacheOutcome = {
    ...outcome,
    ...(status === received.status ? {} : { forwardStatus: status }),
    ...(stored && entry !== undefined && store.holds(request.route, entry)
      ? { stored: true, ttlMs: timeToLive(entry.freshness, nowMs) }
      : {}),
  };
  if (other !== undefined) {
    const isPrivate = identity !== undefined && !config.cachesAnonymous;
    const confirmed = status === 304 ? entry : undefined;
    return respondOther(other, received, confirmed, cacheOutcome, isPrivate, recipient);
  }
  const { format } = request.representation;
  const made = entry === undefined || hasForm(received, format) ? received : await inForm(entry, format);
  if (made === undefined) {
    // The object can no longer be transcoded: fetch the requested format itself.
    const exact = await exchange({ ...plan, validated: undefined });
    if ("failure" in exact) return refuseRequest(request, unavailable(exact.failure), cacheOutcome);
    return respondFetched({ ...plan, validated: undefined }, exact, outcome, recipient);
  }
  if (entry !== undefined && made !== received) store.recount(request.route, entry);
  return respond(made, nowMs, cacheOutcome, recipient);
};

const upstreamIn = (fetched: Fetched): RequestOutcome["upstream"] => {
  const { attempts, durationMs } = "failure" in fetched ? fetched.failure : fetched;
  const ended = "failure" in fetched ? { problem: fetched.failure.problem } : { status: fetched.status };
  return { ...ended, attempts, durationMs };
};

const refuseRequest = (
  { method, headers }: ParsedRequest,
  refusal: ErrorResponse,
  outcome?: CacheOutcome,
): Response => {
  const response = refuse(refusal, headers.get("accept"), method !== "HEAD");
  if (outcome !== undefined) response.headers.append("cache-status", cacheStatus(proxyName, outcome));
  return response;
};

const refused = (request: ParsedRequest, refusal: ErrorResponse, outcome?: CacheOutcome): RequestOutcome => ({
  response: refuseRequest(request, refusal, outcome),
  result: outcome?.forward === undefined ? "refused" : outcome.forward === "bypass" ? "bypass" : "miss",
  route: request.route,
  bytes: 0,
});
