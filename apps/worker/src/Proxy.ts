// The whole flow on one screen: match -> identity -> key -> look up -> evaluate -> (upstream) -> store -> answer.
import {
  cacheStatus,
  evaluate,
  errorStatuses,
  timeToLive,
  type CacheOutcome,
  type Evaluation,
} from "@bytenite-engines/http-cache";
import { answerFromEntry, answerWith, cacheName } from "./Answer.ts";
import type { Found } from "./EdgeCache.ts";
import { forward, revalidate, type Errand } from "./Forward.ts";
import type { Identity } from "./Identity.ts";
import type { RequestId } from "./Log.ts";
import type { Observed } from "./Observed.ts";
import { refuse, type Refusal } from "./Refusal.ts";
import type { Rooms } from "./Rooms.ts";
import type { Received, RequestContext } from "./Runtime.ts";
import type { UpstreamFailure } from "./Upstream.ts";
import { maxPerIdentity } from "./UpstreamGate.ts";
import { lateRefusal, tokenToForward, visitOf, type Visit } from "./Visit.ts";

/** Answers one request for the API, and writes down what happened. Not a promise where memory has the answer. */
export const answerTo = (
  received: Received,
  target: string,
  requestId: RequestId,
  rooms: Rooms,
  context: RequestContext,
  observed: Observed,
): Response | Promise<Response> => {
  const visit = visitOf(received, target, requestId, rooms.config.deployment);
  if ("status" in visit) return refuse(visit, received.headers.get("accept"), received.method !== "HEAD");
  observed.route = visit.route;
  return answerFromMemory(visit, rooms, observed) ?? answerFromCache(visit, rooms, context, observed);
};

/** The way of most requests, without waiting for anything: it costs half of what the whole flow does. */
const answerFromMemory = (visit: Visit, rooms: Rooms, observed: Observed): Response | undefined => {
  const { token, asked, control, route } = visit;
  const identity = token === undefined ? undefined : rooms.identities.recall(token);
  const nowMs = rooms.now();
  if (identity === undefined || identity.expiresAtMs <= nowMs || rooms.cache.areNotesDue(identity, nowMs)) {
    return undefined;
  }
  const entry = rooms.cache.recall(identity, route, asked.representation.format, nowMs);
  if (entry === undefined || evaluate(control, entry.freshness, nowMs).action !== "fresh") return undefined;
  observed.result = "hit";
  observed.bytes = entry.bytes.byteLength;
  return answerFromEntry(entry, asked, nowMs);
};

const answerFromCache = async (
  visit: Visit,
  rooms: Rooms,
  context: RequestContext,
  observed: Observed,
): Promise<Response> => {
  const { asked, control, route } = visit;
  const { identities, cache } = rooms;
  const token = tokenToForward(visit);
  const identity = token === undefined ? undefined : (identities.recall(token) ?? (await identities.of(token)));
  const nowMs = rooms.now();
  if (identity === undefined || identity.expiresAtMs <= nowMs) return answerUncached(visit, rooms, context, observed);

  // Both are waits for the data centre's cache: they are one wait.
  const notes = cache.areNotesDue(identity, nowMs) ? cache.readNotes(identity, nowMs) : undefined;
  const looked = await cache.find(identity, route, asked.representation.format, nowMs, control.noTransform);
  await notes;
  const found = looked !== undefined && cache.isGone(looked.object, identity) ? undefined : looked;
  const decision = evaluate(control, found?.entry.freshness, nowMs);
  if (decision.action === "unsatisfiable") return refuseVisit(visit, nothingStored, { detail: "only-if-cached" });
  if (found === undefined || decision.action === "forward" || decision.action === "validate") {
    return answerFromUpstream(visit, identity, found, decision, rooms, context, observed);
  }
  observed.result = decision.action === "fresh" ? "hit" : "stale";
  observed.bytes = found.entry.bytes.byteLength;
  if (decision.action === "stale" && decision.revalidate) {
    revalidate(errandOf(visit, identity, found), identity, rooms, context);
  }
  return answerWith(found.entry, asked, nowMs, { hit: true, ttlMs: timeToLive(found.entry.freshness, nowMs) });
};

const answerFromUpstream = async (
  visit: Visit,
  identity: Identity,
  found: Found | undefined,
  decision: Evaluation,
  rooms: Rooms,
  context: RequestContext,
  observed: Observed,
): Promise<Response> => {
  const refusal = lateRefusal(visit);
  if (refusal !== undefined) return refuseVisit(visit, refusal);
  const because = decision.action === "validate" ? decision.because : visit.control.noStore ? "request" : "uri-miss";
  const orStale = decision.action === "validate" && decision.orStale;
  const known = visit.control.noStore ? undefined : found;
  const errand = { ...errandOf(visit, identity, known), orStale, alone: because === "request" || wantsLater(visit) };
  const { fetched, collapsed } = await forward(errand, rooms, context);
  const nowMs = rooms.now();
  observed.result = collapsed ? "collapsed" : because === "uri-miss" ? "miss" : "validated";
  observed.fetched = collapsed ? undefined : fetched;
  const outcome: CacheOutcome = { forward: because, collapsed };
  const failed = "failure" in fetched ? fetched.failure.isOutage : errorStatuses.has(fetched.status);
  if (failed && orStale && found !== undefined && isStillHeld(found, identity, rooms, nowMs)) {
    observed.result = "stale-if-error";
    observed.bytes = found.entry.bytes.byteLength;
    return answerWith(found.entry, visit.asked, nowMs, {
      ...outcome,
      ...("failure" in fetched ? {} : { forwardStatus: fetched.status }),
      ttlMs: timeToLive(found.entry.freshness, nowMs),
      detail: "stale-if-error",
    });
  }
  if ("failure" in fetched) return refuseVisit(visit, unavailable(fetched.failure), outcome);
  const entry = await rooms.cache.inForm(identity, visit.route, fetched.entry, visit.asked.representation.format);
  if (entry === undefined) {
    // The object changed so that its other form cannot be made any more: that form is asked for by itself.
    return answerFromUpstream(visit, identity, undefined, { action: "forward" }, rooms, context, observed);
  }
  observed.bytes = entry.bytes.byteLength;
  return answerWith(entry, visit.asked, nowMs, {
    ...outcome,
    ...(fetched.status === entry.status ? {} : { forwardStatus: fetched.status }),
    ...(fetched.stored ? { stored: true, ttlMs: timeToLive(entry.freshness, nowMs) } : {}),
  });
};

/** Whether only an answer that the upstream gives after the request will do: not one that it was asked for before (RFC 9111, 5.2.1). */
const wantsLater = ({ control }: Visit): boolean => control.noCache || control.maxAge === 0;

/** Whether what was found before a wait may be used after it: the token may have expired, or been turned away, meanwhile. */
const isStillHeld = ({ object }: Found, identity: Identity, { cache }: Rooms, nowMs: number): boolean =>
  identity.expiresAtMs > nowMs && !cache.isGone(object, identity);

/** The answer to a request that the cache has no part in: it has no token, or one that has expired. */
const answerUncached = async (
  visit: Visit,
  rooms: Rooms,
  context: RequestContext,
  observed: Observed,
): Promise<Response> => {
  const refusal = lateRefusal(visit);
  if (refusal !== undefined) return refuseVisit(visit, refusal);
  const { format } = visit.asked.representation;
  const errand: Errand = { visit, identity: undefined, format, stored: undefined, orStale: false, alone: true };
  const { fetched } = await forward(errand, rooms, context);
  observed.result = "bypass";
  observed.fetched = fetched;
  const outcome: CacheOutcome = { forward: "bypass" };
  if ("failure" in fetched) return refuseVisit(visit, unavailable(fetched.failure), outcome);
  observed.bytes = fetched.entry.bytes.byteLength;
  return answerWith(fetched.entry, visit.asked, rooms.now(), outcome);
};

/** What to ask: the stored object to be validated in the form it came in, else the wanted form. */
const errandOf = (visit: Visit, identity: Identity, found: Found | undefined): Errand => ({
  visit,
  identity,
  format: found?.askedFormat ?? visit.asked.representation.format,
  stored: found?.object,
  orStale: found !== undefined,
  alone: false,
});

const refuseVisit = (visit: Visit, refusal: Refusal, outcome?: CacheOutcome): Response => {
  const response = refuse(refusal, visit.headers.get("accept"), !visit.asked.head);
  if (outcome !== undefined) response.headers.append("cache-status", cacheStatus(cacheName, outcome));
  return response;
};

const nothingStored: Refusal = {
  status: 504,
  code: "DEADLINE_EXCEEDED",
  message: "nothing is stored that may be used, and the request takes nothing else (only-if-cached)",
};

/** When to ask again after no answer came and nobody knows better, in seconds. */
const retryAfterSeconds = 5;

const unavailable = (failure: UpstreamFailure): Refusal => {
  const { retryAfterMs, problem } = failure;
  const headers = {
    "retry-after": `${retryAfterMs === undefined ? retryAfterSeconds : Math.ceil(retryAfterMs / 1000)}`,
  };
  return problem === "busy"
    ? {
        status: 429,
        code: "RESOURCE_EXHAUSTED",
        message: `this client has ${maxPerIdentity} requests under way to the API behind this proxy, and more that wait; wait for some to end`,
        headers,
      }
    : {
        status: 503,
        code: "UNAVAILABLE",
        message: `the API behind this proxy cannot answer now (${problem})`,
        headers,
      };
};
