// Fetches one answer from the upstream through core: its retries, budget, deadline and breaker. Nothing else talks to it.
import { breaker, type Breaker } from "@bytenite-engines/core/breaker";
import { createExchanger, type ExchangerOptions } from "@bytenite-engines/core/exchange";
import { EngineError, type EndpointName, type EngineEvent } from "@bytenite-engines/core";
import type { Config } from "./Config.ts";
import { withVerdicts } from "./Verdict.ts";

/** A complete answer. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
  /** Number of requests that it took. */
  readonly attempts: number;
}

/** Why no answer came. */
export type UpstreamProblem =
  | "unreachable"
  | "timed-out"
  | "too-large"
  | "cut-short"
  | "redirected"
  /** A status that no whole answer to a plain GET can have. */
  | "unusable"
  | "known-to-be-down";

/** Problems that are an outage. The others are answers that cannot be handed on: something stale would hide what they say. */
const outages: ReadonlySet<UpstreamProblem> = new Set(["unreachable", "timed-out", "cut-short", "known-to-be-down"]);

/** No answer came. */
export class UpstreamFailure extends Error {
  readonly _tag = "UpstreamFailure";
  readonly problem: UpstreamProblem;
  readonly attempts: number;
  /** How long asking again is pointless, in milliseconds, where that is known. */
  readonly retryAfterMs: number | undefined;
  constructor(problem: UpstreamProblem, attempts: number, retryAfterMs?: number) {
    super(`the upstream gave no answer: ${problem}`);
    this.name = "UpstreamFailure";
    this.problem = problem;
    this.attempts = attempts;
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether something stale may stand in. */
  get isOutage(): boolean {
    return outages.has(this.problem);
  }
}

/** A path below the upstream's base URL, and the request's header. */
export interface UpstreamRequest {
  readonly endpoint: EndpointName;
  readonly target: string;
  readonly headers: Headers;
  /** Whether a failure may cost time: false where something stale can be served instead. */
  readonly patient: boolean;
}

/** Asks the upstream. Rejects with UpstreamFailure. */
export type AskUpstream = (request: UpstreamRequest) => Promise<UpstreamAnswer>;

/** Longest body that is read, in bytes. */
export const maxBodyBytes = 16 * 1024 * 1024;

/** Requests for one answer, at most. The client of the proxy retries too: more would multiply. */
const maxAttempts = 3;
/** Largest pause before a retry, and longest hint of the upstream that is waited out, in milliseconds. */
const maxDelayMs = 1_000;

/** The breaker opens when half of at least so many requests failed within this time, in milliseconds. */
const breakerMinimumRequests = 5;
const breakerWindowMs = 1_000;
/** While it is open, one probe is sent in this many milliseconds. */
export const breakerOpenMs = 10_000;

export const upstreamBreaker = (): Breaker =>
  breaker({
    minimumRequests: breakerMinimumRequests,
    failureRate: 0.5,
    windowMs: breakerWindowMs,
    openMs: breakerOpenMs,
  });

/** What the upstream is reached with. */
export interface UpstreamOptions {
  readonly config: Pick<Config, "upstreamUrl" | "attemptTimeoutMs" | "deadlineMs">;
  /** The global fetch, or that of a service binding. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly breaker: Breaker;
  readonly onEvent: (event: EngineEvent) => void;
  readonly onFailure: (problem: UpstreamProblem) => void;
  readonly now: () => number;
}

export const createUpstream = ({ config, fetch, breaker, onEvent, onFailure, now }: UpstreamOptions): AskUpstream => {
  const options: ExchangerOptions = {
    // A body is given half of the attempt, so that the attempt still ends as an answer.
    fetch: withVerdicts(fetch, maxBodyBytes, config.attemptTimeoutMs / 2),
    breaker,
    onEvent,
    attemptTimeoutMs: config.attemptTimeoutMs,
    deadlineMs: config.deadlineMs,
    limits: { maxBodyBytes, maxDecodedBodyBytes: maxBodyBytes },
    retry: { maxAttempts, maxDelayMs, maxRetryAfterMs: maxDelayMs },
  };
  const patient = createExchanger(options);
  const hasty = createExchanger({ ...options, retry: { maxAttempts: 1 } });
  return async (request) => {
    const requestTimeMs = now();
    try {
      const { status, headers, bytes, attempts } = await (request.patient ? patient : hasty).get({
        url: `${config.upstreamUrl}${request.target}`,
        headers: Object.fromEntries(request.headers),
        endpoint: request.endpoint,
      });
      return { status, headers, bytes, attempts, requestTimeMs, responseTimeMs: now() };
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const failure = failureOf(error);
      onFailure(failure.problem);
      throw failure;
    }
  };
};

const failureOf = ({ reason, attempts }: EngineError): UpstreamFailure => {
  switch (reason._tag) {
    case "TimedOut":
      return new UpstreamFailure("timed-out", attempts);
    case "TooLarge":
      return new UpstreamFailure("too-large", attempts);
    case "Undecodable":
      return new UpstreamFailure("cut-short", attempts);
    case "RedirectRefused":
      return new UpstreamFailure("redirected", attempts);
    case "CircuitOpen":
      return new UpstreamFailure("known-to-be-down", attempts, reason.retryAfterMs);
    default:
      return new UpstreamFailure("unreachable", attempts);
  }
};
