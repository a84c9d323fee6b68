// Requests to the upstream: attempts, retries, redirects and bodies.
import { decideRetry, defaultRetryPolicy, retryAfterMs, retryCost } from "@bytenite-engines/core/wire";
import type { RetryBudget, RetrySituation } from "@bytenite-engines/core/wire";
import { errorStatuses } from "@bytenite-engines/http-cache";
import { maxPerIdentity, userOf, type Admission, type Applicant, type Ending } from "./Admission.ts";
import { emptyBody, readBody, streamBody, watchBody } from "./Body.ts";
import type { Body, BodyBudget, Bytes, Lease } from "./Body.ts";
import type { Config } from "./Config.ts";
import type { Metrics } from "./Log.ts";
import { badRequest, proxyStatus, refusal, unsafePath, type ErrorResponse } from "./Request.ts";
import type { Asked } from "./Store.ts";

export interface UpstreamRequest extends Applicant {
  readonly method: string;
  readonly headers: Headers;
  readonly body: ReadableStream<Bytes> | null;
  readonly length: string | null; // Content-Length of the body, if the client said it
  /** Whether it may be sent again, and whether its redirects are followed: it is for an endpoint. */
  readonly isEndpoint: boolean;
  /** Whether the body of such an answer is read as a whole where it is short enough; else it is streamed. */
  readonly isBuffered: (status: number, headers: Headers) => boolean;
  readonly waitUntil: (work: Promise<unknown>) => void;
}

/** An answer. `lease` holds the bytes of the body; the caller has to release it. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: Body;
  readonly lease: Lease;
  readonly asked: Asked; // the place of its attempt in the order of requests
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
  readonly durationMs: number;
  readonly attempts: number;
}

export interface UpstreamFailure {
  readonly problem: UpstreamProblem;
  readonly attempts: number;
  readonly durationMs: number;
  readonly retryAfterMs?: number | undefined; // how long asking again is pointless, where that is known
  readonly collapsed?: boolean;
}

/**
 * By problem: the status, the error type of Proxy-Status (RFC 9209, 2.3), and the ending of its request. `unusable`: a status that no
 * whole answer can have. `broken-off`: by the client. `busy`: the user has as many requests as it may, `crowded`: all unknown tokens have.
 */
const problems = {
  unreachable: [502, "connection_terminated", "unanswered"],
  "broken-off": [400, "http_request_error", "unsent"],
  "timed-out": [504, "http_response_timeout", "unanswered"],
  "cut-short": [502, "http_response_incomplete", "failed"],
  redirected: [502, "http_protocol_error", "answered"],
  unusable: [502, "http_protocol_error", "answered"],
  "known-to-be-down": [503, "destination_unavailable", "answered"],
  busy: [429, "connection_limit_reached", "answered"],
  crowded: [503, "connection_limit_reached", "answered"],
  limited: [429, "http_request_denied", "answered"],
} as const;

export type UpstreamProblem = keyof typeof problems;

/** Problems that are no outage: no stale entry is served in their place. */
const notOutages: ReadonlySet<UpstreamProblem> = new Set(["redirected", "unusable", "limited"]);
export const isOutage = (problem: UpstreamProblem): boolean => !notOutages.has(problem);
export const retryAfterSeconds = 5;
const tooManyRequests = `this client has ${maxPerIdentity} requests at the upstream, and more waiting; wait for some to end`;
export const proxyStatusOf = (problem: UpstreamProblem) => proxyStatus(problems[problem][1]);

export const unavailable = (failure: Pick<UpstreamFailure, "problem" | "retryAfterMs">): ErrorResponse => {
  const { problem, retryAfterMs = retryAfterSeconds * 1000 } = failure;
  const [status] = problems[problem];
  if (status === 400) return badRequest("the body of the request was broken off");
  const headers = { "retry-after": `${Math.ceil(retryAfterMs / 1000)}`, ...proxyStatusOf(problem) };
  const tooMany = problem === "busy" ? tooManyRequests : "too many requests; wait before you send more";
  if (status === 429) return refusal(429, "RESOURCE_EXHAUSTED", tooMany, headers);
  if (status === 504)
    return refusal(504, "DEADLINE_EXCEEDED", "the upstream did not respond in time (timed-out)", headers);
  if (status === 503) return refusal(503, "UNAVAILABLE", `the upstream is unavailable (${problem})`, headers);
  return refusal(502, "UNAVAILABLE", `the upstream sent no valid response (${problem})`, headers);
};

const maxAttempts = 3; // requests for one answer, at most. The client of the proxy retries too: more would multiply
/** Largest pause before a retry, and longest hint of the upstream that is waited out, in milliseconds. */
const maxDelayMs = 1_000;
const policy = { ...defaultRetryPolicy, maxDelayMs, maxRetryAfterMs: maxDelayMs };
const maxRedirects = 3;
const minUploadRate = 1_000; // bytes a second of a request's body that takes longer than an attempt: a slower one holds a place of others
const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const maxErrorBytes = 64 * 1024; // longest body of an error that is read, in bytes

export interface RateLimiter {
  limit(options: { readonly key: string }): Promise<{ readonly success: boolean }>;
}

export interface UpstreamOptions {
  readonly config: Pick<Config, "upstreamUrl" | "attemptTimeoutMs" | "deadlineMs">;
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly admission: Admission;
  readonly budget: BodyBudget;
  readonly limits?: Partial<Record<"token" | "anonymous", RateLimiter | undefined>> | undefined;
  readonly metrics: Metrics;
  readonly ask: () => Asked; // gives each attempt its place in the order of requests
  readonly now: () => number;
}

type Attempt =
  | Omit<UpstreamAnswer, "attempts" | "asked" | "requestTimeMs" | "durationMs">
  | Pick<UpstreamFailure, "problem">;

export const createUpstream = (options: UpstreamOptions) => {
  const { config, fetch, admission, budget, limits, metrics, ask, now } = options;
  /** When the upstream last answered, and last failed to, in milliseconds since the epoch; 0: not yet. */
  const last = { answerMs: 0, failureMs: 0 };
  /** Probes the connection: any response shows that the upstream is up. */
  const sendProbe = async (): Promise<void> => {
    metrics.count("upstream_probes_total");
    const signal = AbortSignal.timeout(config.attemptTimeoutMs);
    const init: RequestInit = { redirect: "manual", signal, cache: "no-store" };
    const response = await inTime(signal, fetch(`${config.upstreamUrl}/engines`, init));
    void response.body?.cancel();
  };
  // waitUntil: otherwise the runtime would end it with the response.
  const probe = ({ waitUntil }: UpstreamRequest): void => waitUntil(admission.probe(sendProbe));
  /** Fetches without the zone's cache, which would store responses unencrypted. Undefined: a redirect that is not allowed. */
  const follow = async (request: UpstreamRequest, signal: AbortSignal, body: ReadableStream<Bytes> | null) => {
    const { method, headers, isEndpoint } = request;
    let url = request.resource;
    for (let redirects = 0; ; redirects++) {
      const init: RequestInit = { method, headers, redirect: "manual", signal, cache: "no-store" };
      const response = await fetch(url, body === null ? init : { ...init, body });
      const location = response.headers.get("location");
      if (location === null || !redirectStatuses.has(response.status) || !isEndpoint) return response;
      await response.body?.cancel();
      if (redirects === maxRedirects || !URL.canParse(location, url)) return undefined;
      const next = new URL(location, url);
      if (!next.href.startsWith(`${config.upstreamUrl}/`) || unsafePath.test(next.pathname)) return undefined;
      url = next.href;
    }
  };
  const attemptOnce = async (request: UpstreamRequest, leftMs: number): Promise<Attempt> => {
    const controller = new AbortController();
    const { signal } = controller;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let leftBytes: number;
    /** Ends the attempt after so long; the time starts anew with as much of the request's body as has to come in it, and with its end. */
    const endAfter = (ms: number): void => {
      clearTimeout(timer);
      leftBytes = (minUploadRate * config.attemptTimeoutMs) / 1_000;
      timer = setTimeout(() => controller.abort("timed-out" satisfies UpstreamProblem), ms);
    };
    const uploaded = (bytes = leftBytes): void => {
      leftBytes -= bytes;
      if (leftBytes <= 0 && timer !== undefined) endAfter(config.attemptTimeoutMs);
    };
    const broken = (): void => controller.abort("broken-off" satisfies UpstreamProblem);
    const timeoutMs = Math.min(config.attemptTimeoutMs, leftMs);
    endAfter(timeoutMs);
    const lease = budget.lease(userOf(request));
    const failed = (problem: UpstreamProblem): Attempt => {
      lease.release();
      return { problem };
    };
    let response: Response | undefined;
    try {
      const body = request.body && watchBody(request.body, request.length, uploaded, broken);
      response = await inTime(signal, follow(request, signal, body));
      if (response === undefined) return failed("redirected");
      const { status, statusText, headers, body: stream } = response;
      if (status < 200 || status > 599 || (status === 206 && request.isEndpoint)) {
        await stream?.cancel();
        return failed("unusable");
      }
      const answered = (body: Body, kept = headers): Attempt => {
        return { status, statusText, headers: kept, body, lease, responseTimeMs: now() };
      };
      if (stream === null) return answered(emptyBody);
      if (status >= 400 && status < 500 && request.isEndpoint) {
        // A 4xx counts even with a truncated body: otherwise stale responses would hide a 401.
        endAfter(timeoutMs / 2);
        const body = await inTime(signal, readBody(stream, lease, maxErrorBytes)).catch(() => emptyBody);
        if (body !== emptyBody && body.stream === undefined) return answered(body);
        await body.stream?.cancel();
        const kept = [...headers].filter(([name]) => !/^content-(?:encoding|length|type)$/.test(name));
        return answered(emptyBody, new Headers(kept));
      }
      if (!request.isBuffered(status, headers)) return answered(streamBody(stream, lease));
      return answered(await inTime(signal, readBody(stream, lease)));
    } catch {
      if (signal.aborted) return failed(signal.reason as UpstreamProblem);
      return failed(response === undefined ? "unreachable" : "cut-short");
    } finally {
      clearTimeout(timer);
      timer = undefined;
    }
  };
  const attempt = async (request: UpstreamRequest, maxAttempts: number, retries: RetryBudget) => {
    const until = performance.now() + config.deadlineMs;
    let corrupt = 0;
    for (let attempts = 1; ; attempts++) {
      const asked = ask();
      const result = await attemptOnce(request, Math.max(1, until - performance.now()));
      const durationMs = now() - asked.atMs;
      const failure = request.isEndpoint ? failureIn(result) : undefined;
      if (endingOf(result) !== "unsent") last["problem" in result ? "failureMs" : "answerMs"] = now();
      metrics.count("upstream_requests_total", `{outcome="${"problem" in result ? result.problem : result.status}"}`);
      metrics.count("upstream_milliseconds_total", "", durationMs);
      if (failure === undefined && attempts > 1) retries.refund(retryCost.transient);
      if (failure?._tag === "Undecodable") corrupt += 1;
      const decision = decideRetry({
        policy: { ...policy, maxAttempts },
        reason: failure ?? { _tag: "NotFound" }, // final
        attempts,
        corrupt,
        hintMs: hintOf(result, now()),
        remainingMs: until - performance.now(),
        random: Math.random(),
      });
      if (!decision.retry || admission.isDown() || !retries.pay(retryCost.transient)) {
        return { ...result, attempts, asked, requestTimeMs: asked.atMs, durationMs };
      }
      if ("lease" in result) {
        void result.body.stream?.cancel();
        result.lease.release();
      }
      metrics.count("upstream_retries_total", `{reason="${failure?._tag ?? ""}"}`);
      await new Promise((resolve) => setTimeout(resolve, decision.delayMs));
    }
  };
  return {
    last,
    send: async (request: UpstreamRequest): Promise<UpstreamAnswer | UpstreamFailure> => {
      const startedAtMs = now();
      const limiter = limits?.[request.owner === undefined ? "anonymous" : "token"];
      const limited = await limiter?.limit({ key: request.owner ?? request.client });
      if (limited?.success === false) return { problem: "limited", attempts: 0, durationMs: 0 };
      const pass = await admission.enter(request);
      if (admission.isDown()) probe(request);
      if (pass.problem !== undefined) return { ...pass, attempts: 0, durationMs: now() - startedAtMs };
      const isPatient = request.isEndpoint && !request.orStale && !pass.isFailing && !admission.isDown();
      const result = await attempt(request, isPatient ? maxAttempts : 1, pass.budget);
      const ending = endingOf(result);
      if (ending === "unanswered") probe(request);
      const hintMs = "status" in result && result.status >= 400 ? hintOf(result, now()) : undefined;
      const leave = (): void => pass.leave(ending, hintMs);
      const ended = "body" in result ? result.body.ended : undefined;
      // A streamed body keeps its place. waitUntil: otherwise the runtime ends the request with the body, and the place is held until it expires.
      if (ended === undefined) leave();
      else request.waitUntil(ended.then(leave));
      return result;
    },
  };
};

/** Rejects with the signal: service bindings and their bodies do not end with it. */
const inTime = <A>(signal: AbortSignal, work: Promise<A>): Promise<A> => {
  const aborted = Promise.withResolvers<never>();
  signal.addEventListener("abort", () => aborted.reject(new Error("timed out")));
  return Promise.race([work, aborted.promise]);
};

/** The outcome of an attempt for core's retry rules. 429 is passed on: the client waits, not the proxy. */
const failureIn = (attempt: Attempt): RetrySituation["reason"] | undefined => {
  if ("status" in attempt) return errorStatuses.has(attempt.status) ? { _tag: "Unavailable" } : undefined;
  if (attempt.problem === "unreachable") return { _tag: "Unreachable", problem: "network" };
  if (attempt.problem === "timed-out") return { _tag: "TimedOut", scope: "attempt", limitMs: 0 };
  return attempt.problem === "cut-short" ? { _tag: "Undecodable", problem: "cut" } : undefined;
};

const hintOf = (attempt: Attempt, nowMs: number): number | undefined =>
  "headers" in attempt
    ? retryAfterMs(attempt.headers.get("retry-after"), attempt.headers.get("date"), nowMs)
    : undefined;

const endingOf = (result: Attempt): Ending => {
  if ("problem" in result) return problems[result.problem][2];
  return errorStatuses.has(result.status) ? "failed" : result.status < 400 ? "accepted" : "answered";
};
