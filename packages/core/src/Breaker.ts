// Interface of a circuit breaker.

/** Closed: requests pass. Open: none does. Half-open: one probe does. */
export type BreakerState = "closed" | "open" | "half-open";

/** A breaker's decision on a request. */
export interface Admission {
  /** Milliseconds until a request may be sent; 0: now. */
  readonly retryAfterMs: number;
  /** The new state, if it changed. */
  readonly changed: BreakerState | undefined;
}

/**
 * Whether a request may be sent to an origin, from numbers and timestamps only: no timers, no fibers. The time is in
 * milliseconds since any moment, and never goes back.
 */
export interface Breaker {
  /** Asked before every request. */
  readonly admit: (origin: string, nowMs: number) => Admission;
  /**
   * Called with the outcome of a request admitted at `admittedMs`; undefined when it was cancelled. Returns the state when that
   * changed it.
   */
  readonly record: (
    origin: string,
    nowMs: number,
    sound: boolean | undefined,
    admittedMs: number,
  ) => BreakerState | undefined;
}
