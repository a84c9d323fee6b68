// Fetches one answer from the upstream through core: its retries, budget and deadline. Nothing else talks to it.
import { createExchanger, type Exchanger, type ExchangerOptions } from "@bytenite-engines/core/exchange";
import { EngineError, type ReadName, type EngineEvent } from "@bytenite-engines/core";
import { errorStatuses } from "@bytenite-engines/http-cache";
import type { Config } from "./Config.ts";
import { remember, type Applicant, type Ending, type UpstreamGate } from "./UpstreamGate.ts";
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
  | "known-to-be-down"
  /** The client's own requests take all of its places. */
  | "busy"
  /** Requests with unknown tokens take all of theirs. */
  | "crowded";

/** Problems that are an outage. The others are answers that cannot be handed on: something stale would hide what they say. */
const outages: ReadonlySet<UpstreamProblem> = new Set([
  "unreachable",
  "timed-out",
  "cut-short",
  "known-to-be-down",
  "busy",
  "crowded",
]);

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

/** A path below the upstream's base URL (the resource), and the request's header. */
export interface UpstreamRequest extends Applicant {
  readonly endpoint: ReadName;
  readonly headers: Headers;
}

/** Asks the upstream. Rejects with UpstreamFailure. */
export type AskUpstream = (request: UpstreamRequest) => Promise<UpstreamAnswer>;

/** Longest body that is read, in bytes. */
export const maxBodyBytes = 16 * 1024 * 1024;

/** Requests for one answer, at most. The client of the proxy retries too: more would multiply. */
const maxAttempts = 3;
/** Largest pause before a retry, and longest hint of the upstream that is waited out, in milliseconds. */
const maxDelayMs = 1_000;

/** Tokens that have a retry budget of their own, at most. The others share one. */
const maxBudgets = 1_000;

/** What the upstream is reached with. */
export interface UpstreamOptions {
  readonly config: Pick<Config, "upstreamUrl" | "attemptTimeoutMs" | "deadlineMs">;
  /** The global fetch, or that of a service binding. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly gate: UpstreamGate;
  readonly onEvent: (event: EngineEvent) => void;
  readonly onFailure: (problem: UpstreamProblem) => void;
  readonly now: () => number;
}

export const createUpstream = ({ config, fetch, gate, onEvent, onFailure, now }: UpstreamOptions): AskUpstream => {
  const options: ExchangerOptions = {
    // A body is given half of the attempt, so that the attempt still ends as an answer.
    fetch: withVerdicts(uncached(fetch), maxBodyBytes, config.attemptTimeoutMs / 2),
    onEvent,
    attemptTimeoutMs: config.attemptTimeoutMs,
    deadlineMs: config.deadlineMs,
    limits: { maxBodyBytes, maxDecodedBodyBytes: maxBodyBytes },
    retry: { maxAttempts, maxDelayMs, maxRetryAfterMs: maxDelayMs },
  };
  const hasty = createExchanger({ ...options, retry: { maxAttempts: 1 } });
  const shared = createExchanger(options);
  const own = new Map<string, Exchanger>();
  // One client's failures use up no other's retries.
  const patientFor = (owner: string): Exchanger => {
    const exchanger = own.get(owner) ?? createExchanger(options);
    remember(own, owner, exchanger, maxBudgets);
    return exchanger;
  };
  return async (request) => {
    const { owner, resource, orStale, headers, endpoint } = request;
    const failed = (failure: UpstreamFailure): UpstreamFailure => {
      onFailure(failure.problem);
      return failure;
    };
    const pass = await gate.enter(request);
    if ("because" in pass) throw failed(new UpstreamFailure(pass.because, 0, pass.retryAfterMs));
    const patient = owner !== undefined && pass.isKnown ? patientFor(owner) : shared;
    const requestTimeMs = now();
    let ending: Ending = "timed-out";
    try {
      const { status, ...answer } = await (orStale || pass.hasJustFailed ? hasty : patient).get({
        url: `${config.upstreamUrl}${resource}`,
        headers: Object.fromEntries(headers),
        endpoint,
      });
      ending = errorStatuses.has(status) ? "failed" : status < 400 ? "accepted" : "answered";
      const fields = new Headers();
      answer.headers.forEach((value, name) => fields.append(name, value));
      return { ...answer, headers: fields, status, requestTimeMs, responseTimeMs: now() };
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      const failure = failureOf(error);
      ending = endings[failure.problem] ?? "answered";
      throw failed(failure);
    } finally {
      pass.leave(ending);
    }
  };
};

/**
 * A `fetch` past the cache of the zone: a rule there would keep answers in the clear, beneath our encryption, and without the token
 * in the key.
 */
const uncached =
  (fetch: UpstreamOptions["fetch"]): UpstreamOptions["fetch"] =>
  (url, init) =>
    fetch(url, { ...init, cache: "no-store" });

/** What the problems say of the upstream. The others are answers. */
const endings: Partial<Record<UpstreamProblem, Ending>> = {
  unreachable: "unconnected",
  "timed-out": "timed-out",
  "cut-short": "failed",
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
    default:
      return new UpstreamFailure("unreachable", attempts);
  }
};
