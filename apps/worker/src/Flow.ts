// The whole flow: parse, identify, look up, decide, fetch, store, answer.
import { requestIdFrom } from "@bytenite-engines/core/wire";
import { cacheStatus, errorStatuses, evaluate, timeToLive, type CacheOutcome } from "@bytenite-engines/http-cache";
import { adminPrefix, answerAdmin } from "./Admin.ts";
import { userOf } from "./Admission.ts";
import { decide, forwardedFields, look, usableNow, type CacheDecision, type Found } from "./Decision.ts";
import { hasForm, inForm, type Entry } from "./Entry.ts";
import { exchange, fetchShared, revalidate, unconditional, write } from "./Exchange.ts";
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
import { allowOrigin, respond, respondFromMemory, respondOptions, type Recipient } from "./Response.ts";
import type { RequestContext } from "./Runtime.ts";
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
  const { route, headers, method, token, control } = request;
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
    return refused(request, unavailable({ problem: "crowded" }));
  }
  const { reader, found } = looked;
  const { cache, asRead, identity, owner } = reader;
  const recipient: Recipient = { request, user: userOf(reader.applicant), budget, context };
  const serve = ({ entry }: Found, result: Result, outcome: CacheOutcome): RequestOutcome => {
    const response = respond(entry, now(), outcome, recipient);
    return { response, result, route, bytes: entry.bytes.byteLength };
  };
  /** A stale response in place of a failure; `fetched` is the failed exchange, undefined if none was tried. */
  const serveStale = (stale: Found, outcome: CacheOutcome, fetched?: Fetched): RequestOutcome => {
    const failed = fetched === undefined || "failure" in fetched ? undefined : fetched;
    void failed?.answer.stream?.cancel();
    const forwarded = failed === undefined ? {} : { forwardStatus: failed.status };
    const ttlMs = timeToLive(stale.source.freshness, now());
    const served = serve(stale, "stale-if-error", { ...outcome, ...forwarded, ttlMs, detail: "stale-if-error" });
    if (fetched !== undefined && "failure" in fetched) {
      const error = errorTypes[fetched.failure.problem];
      served.response.headers.append("proxy-status", `${proxyName}; error=${error}`);
    }
    return served;
  };
  const [first] = found;
  if (first !== undefined && isHit(request, first.source, now())) {
    return serve(first, "hit", { hit: true, ttlMs: timeToLive(first.source.freshness, now()) });
  }
  const { decision, chosen } = decide(reader, found, now());
  const { action } = decision;
  const orStale = chosen !== undefined && cache.staleIfError(asRead, chosen.source, undefined, now()) !== undefined;
  const plan: CacheDecision = {
    ...reader,
    applicant: { ...reader.applicant, orStale: orStale || action === "stale" },
    selected: chosen?.source,
    validated: action === "forward" ? undefined : chosen?.source,
    send: "send" in decision ? decision.send : new Headers(),
    requestId: requestIdFrom(headers.get("x-request-id")),
  };
  if (action === "unsatisfiable") return refused(request, nothingStored, decision.outcome);
  if (chosen !== undefined && (action === "fresh" || action === "stale")) {
    if (action === "stale" && decision.revalidate) context.waitUntil(revalidate(plan));
    return serve(chosen, action === "fresh" ? "hit" : "stale", decision.outcome);
  }
  if ([...forwardedFields, "connection"].some((name) => tooLong(headers.get(name)))) {
    return refused(request, tooLongHeader);
  }
  const isRead = method === "GET" || method === "HEAD";
  const outcome: CacheOutcome = owner === undefined && isRead ? { forward: "bypass" } : decision.outcome;
  const isBackedOff = orStale && outcome.forward === "stale" && route.endpoint !== "other";
  if (isBackedOff && admission.isFailing(plan.applicant)) {
    // One request per object validates in the background, so that not every request waits for a timeout.
    context.waitUntil(revalidate(plan));
    return serveStale(chosen, outcome);
  }
  const joins = outcome.forward !== "request" && !control.noCache && control.maxAge !== 0;
  const { fetched, collapsed } = isRead
    ? await fetchShared(plan, joins)
    : { fetched: await write(plan, body), collapsed: false };
  const cacheOutcome = { ...outcome, collapsed };
  const details = { requestId: plan.requestId, upstream: collapsed ? undefined : upstreamIn(fetched) };
  const failed = "failure" in fetched ? outages.has(fetched.failure.problem) : errorStatuses.has(fetched.status);
  if (failed && orStale && usableNow(chosen, identity, isolate).length > 0) {
    return { ...serveStale(chosen, cacheOutcome, fetched), ...details };
  }
  const exact = "failure" in fetched ? fetched : await inAskedForm(plan, fetched);
  if ("failure" in exact) return { ...refused(request, unavailable(exact.failure), cacheOutcome), ...details };
  const { answer, entry, status } = exact;
  const isStored = exact.stored && entry !== undefined && isolate.store.holds(route, entry);
  const response = respond(
    answer,
    now(),
    {
      ...cacheOutcome,
      ...(status === answer.status ? {} : { forwardStatus: status }),
      ...(isStored ? { stored: true, ttlMs: timeToLive(entry.freshness, now()) } : {}),
    },
    recipient,
  );
  return { response, result: resultOf(cacheOutcome), route, bytes: answer.bytes.byteLength, ...details };
};

/** The result of a request that was answered from upstream, or refused, by its Cache-Status. */
const resultOf = ({ collapsed, forward }: CacheOutcome = {}): Result => {
  if (forward === undefined) return "refused";
  if (collapsed === true) return "collapsed";
  if (forward === "bypass" || forward === "method") return "bypass";
  return forward === "stale" || forward === "request" ? "validated" : "miss";
};

/** A response in the form of the request; where it cannot be transcoded, that form is fetched. */
const inAskedForm = async (plan: CacheDecision, fetched: Exclude<Fetched, { failure: unknown }>): Promise<Fetched> => {
  const { answer, entry } = fetched;
  const { route, representation } = plan.request;
  if (entry === undefined || hasForm(answer, representation.format)) return fetched;
  const made = await inForm(entry, representation.format);
  if (made === undefined) return exchange(unconditional(plan));
  plan.isolate.store.recount(route, entry);
  return { ...fetched, answer: made };
};

const upstreamIn = (fetched: Fetched): RequestOutcome["upstream"] => {
  const { attempts, durationMs } = "failure" in fetched ? fetched.failure : fetched;
  const ended = "failure" in fetched ? { problem: fetched.failure.problem } : { status: fetched.status };
  return { ...ended, attempts, durationMs };
};

const refused = (request: ParsedRequest, refusal: ErrorResponse, outcome?: CacheOutcome): RequestOutcome => {
  const { method, headers, route } = request;
  const response = refuse(refusal, headers.get("accept"), method !== "HEAD");
  if (outcome !== undefined) response.headers.append("cache-status", cacheStatus(proxyName, outcome));
  return { response, result: resultOf(outcome), route, bytes: 0 };
};
