// Interface of hedging.

/** What hedging works with. */
export interface HedgingTools {
  /** Aborts when nobody waits any more. */
  readonly signal: AbortSignal;
  /** The client's clock, in milliseconds. */
  readonly nowMs: () => number;
  /** Resolves after so many milliseconds on the client's clock; rejects when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Takes the price of a retry from the budget; false when it cannot pay. */
  readonly pay: () => boolean;
}

/** Sends a second request when the first one is slow. */
export interface Hedging {
  /** The first good answer of one or two requests. The loser is aborted. */
  readonly around: <A>(send: (signal: AbortSignal) => Promise<A>, tools: HedgingTools) => Promise<A>;
}
