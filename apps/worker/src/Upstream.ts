// Requests to the upstream: attempts, retries, redirects and bodies.
import {
  decideRetry,
  defaultRetryPolicy,
  retryAfterMs,
  RetryBudget,
  retryCost,
  type RetrySituation,
} from "@bytenite-engines/core/wire";
import { errorStatuses } from "@bytenite-engines/http-cache";
import { remember, userOf, type Admission, type Applicant, type Asked, type Ending } from "./Admission.ts";
import { emptyBody, readBody, streamBody, type Body, type BodyBudget, type Lease } from "./Body.ts";
import type { Config } from "./Config.ts";
import { isUnsafePath } from "./Request.ts";
import type { RateLimiter, RequestContext } from "./Runtime.ts";

/** A request, as it is sent. */
export interface UpstreamRequest extends Applicant {
  readonly method: string;
  readonly headers: Headers;
  readonly body: ReadableStream | null;
  /** Whether it may be sent again, and whether its redirects are followed: it is for an endpoint. */
  readonly isEndpoint: boolean;
  /** Whether the body of such an answer is read as a whole where it is short enough; else it is streamed. */
  readonly isBuffered: (status: number, headers: Headers) => boolean;
  readonly waitUntil: RequestContext["waitUntil"];
  /** Gives each attempt its place in the order of requests. */
  readonly ask: () => Asked;
}

/** An answer. `lease` holds the bytes of the body; the caller has to release it. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly body: Body;
  readonly lease: Lease;
  /** When its attempt was sent, and in which place. */
  readonly asked: Asked;
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
  readonly attempts: number;
}

export type UpstreamProblem =
  | "unreachable"
  | "timed-out"
  | "cut-short"
  | "redirected"
  /** A status that no whole answer to the request can have. */
  | "unusable"
  | "known-to-be-down"
  | "busy"
  | "crowded"
  | "limited";

export interface UpstreamFailure {
  readonly problem: UpstreamProblem;
  readonly attempts: number;
  readonly durationMs: number;
  /** How long asking again is pointless, in milliseconds, where that is known. */
  readonly retryAfterMs?: number | undefined;
}

/** Problems for which a stale entry may be served. */
export const outages: ReadonlySet<UpstreamProblem> = new Set([
  "unreachable",
  "timed-out",
  "cut-short",
  "known-to-be-down",
  "busy",
  "crowded",
]);

/** Requests for one answer, at most. The client of the proxy retries too: more would multiply. */
const maxAttempts = 3;
/** Largest pause before a retry, and longest hint of the upstream that is waited out, in milliseconds. */
const maxDelayMs = 1_000;
const policy = { ...defaultRetryPolicy, maxAttempts, maxDelayMs, maxRetryAfterMs: maxDelayMs };
/** Redirects that are followed, at most. */
const maxRedirects = 3;
/** Tokens that have a retry budget of their own, at most. The others share one. */
const maxBudgets = 1_000;
/** Longest body of an error that is read, in bytes. */
const maxErrorBytes = 64 * 1024;

export interface UpstreamOptions {
  readonly config: Pick<Config, "upstreamUrl" | "attemptTimeoutMs" | "deadlineMs">;
  /** The global fetch, or that of a service binding. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly admission: Admission;
  readonly budget: BodyBudget;
  /** Rate limits of a token, and of a client without one. */
  readonly limits: { readonly token?: RateLimiter | undefined; readonly anonymous?: RateLimiter | undefined };
  readonly metrics: {
    attempt(outcome: string, durationMs: number, nowMs: number): void;
    count(name: `bytenite_edge_upstream_${"retries" | "probes"}_total`, label?: string, value?: string): void;
  };
  readonly now: () => number;
}

type Attempt =
  | { readonly answer: Omit<UpstreamAnswer, "attempts" | "asked" | "requestTimeMs"> }
  | { readonly problem: UpstreamProblem };

export class Upstream {
  readonly #options: UpstreamOptions;
  readonly #shared = new RetryBudget();
  readonly #budgets = new Map<string, RetryBudget>();

  constructor(options: UpstreamOptions) {
    this.#options = options;
  }

  /** Sends a request. Never rejects. */
  async send(request: UpstreamRequest): Promise<UpstreamAnswer | UpstreamFailure> {
    const { admission, now, limits } = this.#options;
    const startedAtMs = now();
    const limiter = request.owner === undefined ? limits.anonymous : limits.token;
    const limited = await limiter?.limit({ key: request.owner ?? request.client });
    if (limited?.success === false) return { problem: "limited", attempts: 0, durationMs: 0 };
    const pass = await admission.enter(request);
    if ("because" in pass) {
      const { because, retryAfterMs: waitMs } = pass;
      if (because === "known-to-be-down") this.#probe(request);
      return { problem: because, attempts: 0, durationMs: now() - startedAtMs, retryAfterMs: waitMs };
    }
    if (admission.isDown) this.#probe(request);
    const isPatient = request.isEndpoint && !request.orStale && !pass.isFailing && !admission.isDown;
    const budget = this.#budgetOf(request.owner, pass.isKnown);
    const result = await this.#attempts(request, isPatient ? maxAttempts : 1, budget);
    const ending = "problem" in result ? endingOf(result.problem) : endingOfStatus(result.status);
    if (ending === "unanswered") this.#probe(request);
    const retryAfter = "status" in result && result.status >= 400 ? hintOf(result, now()) : undefined;
    const leave = (): void => pass.leave(ending, retryAfter);
    // A streamed body keeps its slot. waitUntil: otherwise the runtime ends the request with the body, and the slot is held until it expires.
    if ("body" in result && "stream" in result.body) request.waitUntil(result.body.ended.then(leave));
    else leave();
    return result;
  }

  async #attempts(
    request: UpstreamRequest,
    most: number,
    budget: RetryBudget,
  ): Promise<UpstreamAnswer | UpstreamFailure> {
    const { now, metrics } = this.#options;
    const until = performance.now() + this.#options.config.deadlineMs;
    let corrupt = 0;
    let lastCost = 0;
    for (let attempts = 1; ; attempts++) {
      const asked = request.ask();
      const requestTimeMs = asked.atMs;
      const attempt = await this.#attempt(request, Math.max(1, until - performance.now()));
      const durationMs = now() - requestTimeMs;
      const failure = failureIn(attempt, request.isEndpoint);
      metrics.attempt("answer" in attempt ? `${attempt.answer.status}` : attempt.problem, durationMs, now());
      if (failure === undefined) budget.refund(lastCost);
      if (failure?._tag === "Undecodable") corrupt += 1;
      const decision = decideRetry({
        policy: { ...policy, maxAttempts: most },
        reason: failure ?? final,
        attempts,
        corrupt,
        hintMs: "answer" in attempt ? hintOf(attempt.answer, now()) : undefined,
        remainingMs: until - performance.now(),
        random: Math.random(),
      });
      if (!decision.retry || this.#options.admission.isDown || !budget.pay(retryCost.transient)) {
        return "answer" in attempt
          ? { ...attempt.answer, attempts, asked, requestTimeMs }
          : { problem: attempt.problem, attempts, durationMs };
      }
      lastCost = retryCost.transient;
      if ("answer" in attempt) attempt.answer.lease.release();
      metrics.count("bytenite_edge_upstream_retries_total", "reason", failure?._tag ?? "");
      await new Promise((resolve) => setTimeout(resolve, decision.delayMs));
    }
  }

  async #attempt(request: UpstreamRequest, leftMs: number): Promise<Attempt> {
    const { config, budget, now } = this.#options;
    const controller = new AbortController();
    const timeoutMs = Math.min(config.attemptTimeoutMs, leftMs);
    let timer = setTimeout(() => controller.abort(), timeoutMs);
    const lease = budget.lease(userOf(request));
    let response: Response | undefined;
    // Bodies of service bindings do not end with the signal.
    const aborted = new Promise<never>((_, reject) => {
      controller.signal.addEventListener("abort", () => reject(new Error("timed out")), { once: true });
    });
    aborted.catch(() => {});
    const inTime = <A>(work: Promise<A>): Promise<A> => Promise.race([work, aborted]);
    try {
      response = await inTime(this.#fetch(request, controller.signal));
      if (response === undefined) return drop(lease, "redirected");
      const { status, statusText, headers } = response;
      const stream = response.body;
      const base = { status, statusText, headers, lease };
      if (status >= 400 && status < 500 && request.isEndpoint) {
        // A 4xx counts even with a truncated body: otherwise stale responses would hide a 401.
        clearTimeout(timer);
        timer = setTimeout(() => controller.abort(), timeoutMs / 2);
        const body = await inTime(readBody(stream, lease, maxErrorBytes)).catch(() => undefined);
        if (body !== undefined && "bytes" in body) return { answer: { ...base, body, responseTimeMs: now() } };
        if (body !== undefined) await body.stream.cancel();
        const kept = new Headers(headers);
        for (const name of ["content-encoding", "content-length", "content-type"]) kept.delete(name);
        return { answer: { ...base, headers: kept, body: emptyBody, responseTimeMs: now() } };
      }
      if (stream === null) return { answer: { ...base, body: emptyBody, responseTimeMs: now() } };
      const isBuffered = request.isBuffered(status, headers);
      const body = isBuffered ? await inTime(readBody(stream, lease)) : streamBody(stream, lease);
      return { answer: { ...base, body, responseTimeMs: now() } };
    } catch {
      if (controller.signal.aborted) return drop(lease, "timed-out");
      return drop(lease, response === undefined ? "unreachable" : "cut-short");
    } finally {
      clearTimeout(timer);
    }
  }

  /** Fetches without the zone's cache, which would store responses unencrypted. Undefined: a redirect that is not allowed. */
  async #fetch(request: UpstreamRequest, signal: AbortSignal): Promise<Response | undefined> {
    const { config, fetch } = this.#options;
    const { method, headers, body, isEndpoint } = request;
    let url = request.resource;
    for (let redirects = 0; ; redirects++) {
      const init: RequestInit = { method, headers, redirect: "manual", signal, cache: "no-store" };
      const response = await fetch(url, body === null ? init : { ...init, body });
      const location = response.headers.get("location");
      const isRedirect = [301, 302, 303, 307, 308].includes(response.status) && location !== null;
      if (!isRedirect || !isEndpoint) return response;
      await response.body?.cancel();
      if (redirects === maxRedirects || !URL.canParse(location, url)) return undefined;
      const next = new URL(location, url);
      if (!next.href.startsWith(`${config.upstreamUrl}/`) || isUnsafePath(next.pathname)) return undefined;
      url = next.href;
    }
  }

  #budgetOf(owner: string | undefined, isKnown: boolean): RetryBudget {
    // A retry budget per user.
    if (owner === undefined || !isKnown) return this.#shared;
    const budget = this.#budgets.get(owner) ?? new RetryBudget();
    remember(this.#budgets, owner, budget, maxBudgets);
    return budget;
  }

  /** Any response shows that the upstream is up. */
  #probe({ waitUntil }: UpstreamRequest): void {
    const { config, fetch, admission, metrics } = this.#options;
    const send = async (): Promise<void> => {
      metrics.count("bytenite_edge_upstream_probes_total");
      const signal = AbortSignal.timeout(config.attemptTimeoutMs);
      const init: RequestInit = { redirect: "manual", signal, cache: "no-store" };
      const timeout = new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      const response = await Promise.race([fetch(`${config.upstreamUrl}/engines`, init), timeout]);
      void response.body?.cancel();
    };
    // waitUntil: otherwise the runtime would end it with the response.
    waitUntil(admission.probe(send));
  }
}

const drop = (lease: Lease, problem: UpstreamProblem): { readonly problem: UpstreamProblem } => {
  lease.release();
  return { problem };
};

type Reason = RetrySituation["reason"];
const final: Reason = { _tag: "NotFound" };

/** The outcome of an attempt for core's retry rules. 429 is passed on: the client waits, not the proxy. */
const failureIn = (attempt: Attempt, isEndpoint: boolean): Reason | undefined => {
  if (!isEndpoint) return undefined;
  if ("answer" in attempt) return errorStatuses.has(attempt.answer.status) ? { _tag: "Unavailable" } : undefined;
  switch (attempt.problem) {
    case "unreachable":
      return { _tag: "Unreachable", problem: "network" };
    case "timed-out":
      return { _tag: "TimedOut", scope: "attempt", limitMs: 0 };
    case "cut-short":
      return { _tag: "Undecodable", problem: "cut" };
    default:
      return undefined;
  }
};

const hintOf = ({ headers }: Pick<UpstreamAnswer, "headers">, nowMs: number): number | undefined =>
  retryAfterMs(headers.get("retry-after"), headers.get("date"), nowMs);

const endingOf = (problem: UpstreamProblem): Ending => {
  if (problem === "unreachable" || problem === "timed-out") return "unanswered";
  return problem === "cut-short" ? "failed" : "answered";
};

const endingOfStatus = (status: number): Ending =>
  errorStatuses.has(status) ? "failed" : status < 400 ? "accepted" : "answered";
