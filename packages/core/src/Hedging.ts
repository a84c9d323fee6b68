// Interface of hedging.

/** Context of hedging. */
export interface HedgingTools {
  /** Aborts with the attempt. */
  readonly signal: AbortSignal;
  /** The client's clock, in milliseconds. */
  readonly nowMs: () => number;
  /** Resolves after so many milliseconds on the client's clock; rejects when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Takes a retry's cost from the budget; false when too little is left. */
  readonly pay: () => boolean;
}

/** Sends a second request when the first one is slow. */
export interface Hedging {
  /** The first successful response of one or two requests. The other request is aborted. */
  readonly around: <A>(send: (signal: AbortSignal) => Promise<A>, tools: HedgingTools) => Promise<A>;
}
