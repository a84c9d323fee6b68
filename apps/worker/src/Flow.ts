// The whole flow: parse, identify, look up, decide, fetch, store, answer.
import {
  errorStatuses,
  cacheStatus,
  evaluate,
  timeToLive,
  type CacheOutcome,
  type EvaluateResult,
} from "@bytenite-engines/http-cache";
import { adminPrefix, answerAdmin } from "./Admin.ts";
import { decide, usableNow, type CacheDecision, type Found } from "./Decision.ts";
import { hasForm, inForm, type Entry } from "./Entry.ts";
import { applicantOf, exchange, fetchShared, forwardedFields, revalidate, userOf, write } from "./Exchange.ts";
import { errorTypes, nothingStored, tooManyBytes, unavailable } from "./Failure.ts";
import type { Isolate } from "./Isolate.ts";
import { isLogged, logLine } from "./Log.ts";
import type { Fetched, RequestOutcome, Result } from "./Outcome.ts";
import {
  parseRequest,
  proxyName,
  refuse,
  RequestId,
  targetOf,
  tooLong,
  tooLongHeader,
  type ParsedRequest,
  type Refusal,
} from "./Request.ts";
import { allowOrigin, respond, respondFromMemory, respondOptions, respondOther, type Recipient } from "./Response.ts";
import type { RequestContext } from "./Runtime.ts";
import { nobody } from "./Store.ts";
import { outages } from "./Upstream.ts";

/** Answers any request. Not a promise where memory has the answer. */
export const handle = (request: Request, isolate: Isolate, context: RequestContext): Response | Promise<Response> => {
  const target = targetOf(request.url);
  if (target.startsWith(adminPrefix)) return answerAdmin(request, target, isolate);
  const { config, now } = isolate;
  const { method, headers } = request;
  const requestId = new RequestId(headers.get("x-request-id"));
  const startedAtMs = now();
  const finish = (outcome: RequestOutcome): Response =>
    finished(outcome, request, target, requestId, startedAtMs, isolate);
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
  const { token } = request;
  const isKnown = (): boolean => {
    const identity = token === undefined ? undefined : isolate.identities.recall(token);
    return identity !== undefined && isolate.admission.knows(identity.digest);
  };
  const decided =
    token === undefined || isKnown()
      ? await decide(request, isolate)
      : await isolate.admission.lookUp(token, isKnown, () => decide(request, isolate));
  if (decided === undefined) {
    const refusal = unavailable({ problem: "crowded", attempts: 0, durationMs: 0 });
    return { response: refuseRequest(request, refusal), result: "refused", route, bytes: 0 };
  }
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
  const stale =
    chosen !== undefined && cache.staleIfError(asRead, chosen.source, undefined, isolate.now()) !== undefined;
  const updatedByHead = method === "HEAD" && route.endpoint === "other" ? chosen?.source : undefined;
  const plan: CacheDecision = { ...reader, validated, updatedByHead, send: decision.send, orStale: stale };
  const isBackedOff = stale && outcome.forward === "stale" && route.endpoint !== "other";
  const failing = isBackedOff ? isolate.admission.failureOf(applicantOf(plan)) : undefined;
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
    const stored = caches.other.staleIfError(request, source, failed?.other, nowMs) ?? {
      status: 504,
      headers: new Headers(),
    };
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
