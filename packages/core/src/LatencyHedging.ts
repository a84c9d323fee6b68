// Hedging by latency percentile.
import { AttemptFailure } from "./Failure.ts";
import { assertNumber, assertOptionNames } from "./OptionNames.ts";
import { retryClassOf } from "./Retry.ts";

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

/** When to hedge. */
export interface HedgingOptions {
  /** Milliseconds after which the second request is sent. Absent: the observed percentile. */
  readonly delayMs?: number | undefined;
  /** Share of recent responses that are faster than the delay, above 0 and below 1. Default 0.95. */
  readonly percentile?: number | undefined;
  /** Responses before the first hedge. Default 20. */
  readonly minSamples?: number | undefined;
}

/** Number of recent durations that are kept. */
export const observedAnswers = 200;

/**
 * Hedging for the option `hedging` of a client. The second request costs a retry of the budget, or is not sent. The first
 * success or final failure counts, and the other request is aborted; else the first request's failure. A request that fails before the delay is
 * retried, not hedged. Throws RangeError for invalid options.
 */
export const hedging = (options: HedgingOptions = {}): Hedging => {
  assertOptionNames(options, ["delayMs", "percentile", "minSamples"], "hedging");
  const { delayMs, percentile = 0.95, minSamples = 20 } = options;
  for (const [name, value] of Object.entries({ delayMs, percentile, minSamples }))
    if (value !== undefined) assertNumber(name, value, 0);
  if (!(percentile > 0 && percentile < 1))
    throw new RangeError(`percentile must be above 0 and below 1, not ${percentile}`);
  const durations: Array<number> = [];
  let next = 0;
  const observe = (durationMs: number): void => {
    durations[next] = durationMs;
    next = (next + 1) % observedAnswers;
  };
  const observedDelay = (): number | undefined =>
    durations.length < minSamples
      ? undefined
      : durations.toSorted((a, b) => a - b)[Math.floor(durations.length * percentile)];
  return {
    around: async (send, tools) => {
      const start = tools.nowMs();
      const afterMs = delayMs ?? observedDelay();
      const answer = await (afterMs === undefined ? send(tools.signal) : raced(send, afterMs, tools));
      observe(tools.nowMs() - start);
      return answer;
    },
  };
};

const raced = async <A>(
  send: (signal: AbortSignal) => Promise<A>,
  afterMs: number,
  tools: HedgingTools,
): Promise<A> => {
  // Of both requests and the timer: what has ended is not aborted any more.
  const ended = new AbortController();
  const end = (): void => ended.abort(tools.signal.reason);
  tools.signal.addEventListener("abort", end);
  try {
    const first = send(ended.signal);
    const slow = tools.sleep(afterMs, ended.signal).then(
      () => "slow" as const,
      () => "given up" as const,
    );
    const early = await Promise.race([first.then((answer) => ({ answer })), slow]);
    if (typeof early === "object") return early.answer;
    if (early === "given up" || !tools.pay()) return await first;
    // Where both fail, the first failure is reported.
    const decision = await Promise.any([decided(first), decided(send(ended.signal))]).catch(() => undefined);
    return decision === undefined ? await first : decision();
  } finally {
    tools.signal.removeEventListener("abort", end);
    end();
  }
};

/** Gives a response, or throws a final failure. A 401 is not final: the other request may have a new token. */
const decided = async <A>(sent: Promise<A>): Promise<() => A> => {
  try {
    const answer = await sent;
    return () => answer;
  } catch (cause) {
    if (!(cause instanceof AttemptFailure)) throw cause;
    const { reason } = cause.error;
    if (reason._tag === "Unauthenticated" || retryClassOf(reason) !== "final") throw cause;
    return () => {
      throw cause;
    };
  }
};
