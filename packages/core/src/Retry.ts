// Retry rules and delays, as pure functions.
import type { EngineErrorReason, RetryStopped } from "./EngineError.ts";

/** When and how often a call is sent again. All times in milliseconds. */
export interface RetryPolicy {
  /**
   * Attempts of one call, at most, the first included. 1: never again. Default 4. One attempt is one request; with hedging up to
   * two; one more where JSON is compared with, and where a refused token is renewed.
   */
  readonly maxAttempts: number;
  /** Upper bound of the first delay. Default 100. */
  readonly baseDelayMs: number;
  /** Upper bound of the first delay after 429 or RESOURCE_EXHAUSTED. Default 1,000. */
  readonly throttledBaseDelayMs: number;
  /** By how much the upper bound grows from delay to delay. Default 2. */
  readonly factor: number;
  /** Largest delay that we choose ourselves. Default 8,000. */
  readonly maxDelayMs: number;
  /** Longest hint of the server that is waited out; a longer one ends the call at once. Default 60,000. */
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
 * How a failed request counts. `transient`: the same request may succeed. `throttled`: it may, but slower. `corrupt`: the
 * body was cut or undecodable, worth one more try in a call. `final`: it will fail again.
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
      // A certificate that is not valid will not be so in a second.
      return reason.problem === "tls" ? "final" : "transient";
    case "TimedOut":
      return reason.scope === "attempt" ? "transient" : "final";
    case "Undecodable":
      return "corrupt";
    default:
      return "final";
  }
};

/** What is known when a request has failed. */
export interface RetrySituation {
  readonly policy: RetryPolicy;
  readonly reason: EngineErrorReason;
  /** Requests sent so far, at least 1. */
  readonly attempts: number;
  /** How many of them came back corrupt, this one included. */
  readonly corrupt: number;
  /** What the server asked to wait, if it did. */
  readonly hintMs: number | undefined;
  /** What is left of the deadline; Infinity without one. */
  readonly remainingMs: number;
  /** A number in [0, 1). */
  readonly random: number;
}

/** Send it again after a delay, or not, and why. */
export type RetryDecision =
  | { readonly retry: true; readonly delayMs: number; readonly hinted: boolean }
  | { readonly retry: false; readonly because: RetryStopped };

/** Most often that a corrupt body is asked for again in one call. */
export const maxCorruptRetries = 1;

/**
 * Full jitter: a delay anywhere in [0, cap], where the cap grows with each attempt up to `maxDelayMs`. A hint of the server
 * takes its place as it is, neither shortened nor jittered. What cannot end within the deadline is not begun.
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

/** Upper bound of the delay after so many requests. */
export const delayCapMs = (policy: RetryPolicy, retryClass: RetryClass, attempts: number): number => {
  const base = retryClass === "throttled" ? policy.throttledBaseDelayMs : policy.baseDelayMs;
  // 0 times a factor that has grown to Infinity would be no number.
  return base === 0 ? 0 : Math.min(policy.maxDelayMs, base * policy.factor ** (attempts - 1));
};
