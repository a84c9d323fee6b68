// Retry rules and delays, as pure functions.
import type { EngineErrorReason, RetryStopped } from "./EngineError.ts";

/** When and how often a call is retried. All times in milliseconds. */
export interface RetryPolicy {
  /**
   * Attempts of one call, the first included. 1: no retries. Default 4. Hedging, comparison with JSON and renewal of a rejected
   * token add requests to an attempt.
   */
  readonly maxAttempts: number;
  /** Upper bound of the first delay. Default 100. */
  readonly baseDelayMs: number;
  /** Upper bound of the first delay after 429 or RESOURCE_EXHAUSTED. Default 1,000. */
  readonly throttledBaseDelayMs: number;
  /** Growth of the upper bound per delay. Default 2. */
  readonly factor: number;
  /** Largest delay unless the server requests one. Default 8,000. */
  readonly maxDelayMs: number;
  /** Longest delay that a server may request; a longer one ends the call. Default 60,000. */
  readonly maxRetryAfterMs: number;
  /** Delays of a schedule of Effect; set by the option `schedule` of the Effect entry only. */
  readonly backoff?: () => unknown;
}

export const defaultRetryPolicy: RetryPolicy = {
  maxAttempts: 4,
  baseDelayMs: 100,
  throttledBaseDelayMs: 1_000,
  factor: 2,
  maxDelayMs: 8_000,
  maxRetryAfterMs: 60_000,
};

/**
 * Class of a failure. `transient`: a retry may succeed. `throttled`: later. `corrupt`: the body was truncated or undecodable, retried
 * once per call. `final`: a retry would fail again.
 */
export type RetryClass = "transient" | "throttled" | "corrupt" | "final";

/** The class of a failure. 5xx arrive as Unavailable unless their code says that they are final. */
export const retryClassOf = (reason: EngineErrorReason): RetryClass => {
  switch (reason._tag) {
    case "RateLimited":
      return "throttled";
    case "Unavailable":
      return "transient";
    case "Unreachable":
      // An invalid certificate stays invalid.
      return reason.problem === "tls" ? "final" : "transient";
    case "TimedOut":
      return reason.scope === "attempt" ? "transient" : "final";
    case "Undecodable":
      return "corrupt";
    default:
      return "final";
  }
};

/** State of a call after a failed request. */
export interface RetrySituation {
  readonly policy: RetryPolicy;
  readonly reason: EngineErrorReason;
  /** Requests sent so far, at least 1. */
  readonly attempts: number;
  /** Number of corrupt bodies, this one included. */
  readonly corrupt: number;
  /** Delay requested by the server. */
  readonly hintMs: number | undefined;
  /** Time until the deadline; Infinity without one. */
  readonly remainingMs: number;
  /** A number in [0, 1). */
  readonly random: number;
}

/** Retry after a delay, or stop, with the reason. */
export type RetryDecision =
  | { readonly retry: true; readonly delayMs: number; readonly hinted: boolean }
  | { readonly retry: false; readonly because: RetryStopped };

/** Retries of corrupt bodies per call. */
export const maxCorruptRetries = 1;

/**
 * Full jitter: a random delay in [0, cap]; the cap grows with each attempt up to `maxDelayMs`. A delay requested by the
 * server replaces it. No retry starts after the deadline.
 */
export const decideRetry = (situation: RetrySituation): RetryDecision => {
  const { policy, reason, attempts, hintMs, remainingMs } = situation;
  const retryClass = retryClassOf(reason);
  if (retryClass === "final") return { retry: false, because: "final" };
  if (attempts >= policy.maxAttempts) return { retry: false, because: "attempts" };
  if (retryClass === "corrupt" && situation.corrupt > maxCorruptRetries)
    return { retry: false, because: "corrupt-twice" };
  if (hintMs !== undefined && hintMs > policy.maxRetryAfterMs) return { retry: false, because: "hint-too-long" };
  const delayMs = hintMs ?? situation.random * delayCapMs(policy, retryClass, attempts);
  if (delayMs >= remainingMs) return { retry: false, because: "deadline" };
  return { retry: true, delayMs, hinted: hintMs !== undefined };
};

/** Upper bound of the delay after `attempts` requests. */
export const delayCapMs = (policy: RetryPolicy, retryClass: RetryClass, attempts: number): number => {
  const base = retryClass === "throttled" ? policy.throttledBaseDelayMs : policy.baseDelayMs;
  // 0 * Infinity is NaN.
  return base === 0 ? 0 : Math.min(policy.maxDelayMs, base * policy.factor ** (attempts - 1));
};

/** Methods that may be sent twice without harm (RFC 9110, 9.2.2). */
export const idempotentMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);
