// Circuit breaker by failure rate.
import { assertNumber, assertOptionNames } from "./OptionNames.ts";

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

/** When the circuit opens and closes. */
export interface BreakerOptions {
  /** How far back requests count, in milliseconds. Default 10,000. */
  readonly windowMs?: number | undefined;
  /** Least requests in the window. Default 20. */
  readonly minimumRequests?: number | undefined;
  /** Share of failures in the window that opens the circuit, above 0 and up to 1. Default 0.5. */
  readonly failureRate?: number | undefined;
  /** How long the circuit stays open before one probe is let through, in milliseconds. Default 5,000. */
  readonly openMs?: number | undefined;
}

/** Number of intervals in the window. */
const intervals = 10;

interface Circuit {
  state: BreakerState;
  /** When the state was entered; in half-open, when the probe was sent. */
  sinceMs: number;
  /** Whether a probe is on its way. */
  probing?: boolean;
  /** By number of the interval. */
  readonly counts: Map<number, { sound: number; failed: number }>;
}

const closedCircuit = (sinceMs: number): Circuit => ({ state: "closed", sinceMs, counts: new Map() });

/**
 * A breaker for the option `breaker` of a client or exchanger, one circuit per origin. What counts as a failure is what may
 * be retried without being throttled: no connection, a timeout, 5xx. A 404 or 429 shows an origin that answers. One answer
 * of the probe closes the circuit or opens it anew; a probe that is given up, or of which nothing is heard for `openMs`, frees
 * its place. Throws RangeError for invalid options.
 */
export const breaker = (options: BreakerOptions = {}): Breaker => {
  assertOptionNames(options, ["windowMs", "minimumRequests", "failureRate", "openMs"], "breaker");
  const { windowMs = 10_000, minimumRequests = 20, failureRate = 0.5, openMs = 5_000 } = options;
  for (const [name, value] of Object.entries({ windowMs, failureRate, openMs })) assertNumber(name, value, 0);
  if (!(windowMs > 0)) throw new RangeError(`windowMs must be above 0, not ${windowMs}`);
  if (!(openMs > 0)) throw new RangeError(`openMs must be above 0, not ${openMs}`);
  assertNumber("minimumRequests", minimumRequests, 1);
  if (!(failureRate > 0 && failureRate <= 1))
    throw new RangeError(`failureRate must be above 0 and up to 1, not ${failureRate}`);
  const circuits = new Map<string, Circuit>();
  const circuitOf = (origin: string): Circuit => {
    const circuit = circuits.get(origin) ?? closedCircuit(0);
    circuits.set(origin, circuit);
    return circuit;
  };
  const open = (circuit: Circuit, nowMs: number): BreakerState => {
    Object.assign(circuit, { state: "open", sinceMs: nowMs });
    return "open";
  };
  const endProbe = (
    circuit: Circuit,
    origin: string,
    nowMs: number,
    sound: boolean | undefined,
  ): BreakerState | undefined => {
    circuit.probing = false;
    if (sound === undefined) return undefined;
    if (!sound) return open(circuit, nowMs);
    // Counts from before the outage are outdated.
    circuits.set(origin, closedCircuit(nowMs));
    return "closed";
  };
  const count = ({ counts }: Circuit, nowMs: number, sound: boolean): void => {
    const interval = Math.floor((nowMs * intervals) / windowMs);
    for (const old of counts.keys()) if (old <= interval - intervals) counts.delete(old);
    const current = counts.get(interval) ?? { sound: 0, failed: 0 };
    current[sound ? "sound" : "failed"] += 1;
    counts.set(interval, current);
  };
  const tooManyFail = ({ counts }: Circuit): boolean => {
    let all = 0;
    let failures = 0;
    for (const { sound, failed } of counts.values()) {
      all += sound + failed;
      failures += failed;
    }
    return all >= minimumRequests && failures / all >= failureRate;
  };
  return {
    admit: (origin, nowMs) => {
      const circuit = circuitOf(origin);
      if (circuit.state === "closed") return { retryAfterMs: 0, changed: undefined };
      const openForMs = circuit.sinceMs + openMs - nowMs;
      if (openForMs > 0 && (circuit.state === "open" || circuit.probing))
        return { retryAfterMs: openForMs, changed: undefined };
      const changed = circuit.state === "open" ? "half-open" : undefined;
      Object.assign(circuit, { state: "half-open", sinceMs: nowMs, probing: true });
      return { retryAfterMs: 0, changed };
    },
    record: (origin, nowMs, sound, admittedMs) => {
      const circuit = circuitOf(origin);
      // Requests admitted before this state do not affect the probe.
      if (circuit.state === "open" || admittedMs < circuit.sinceMs) return undefined;
      if (circuit.state === "half-open") return endProbe(circuit, origin, nowMs, sound);
      if (sound === undefined) return undefined;
      count(circuit, nowMs, sound);
      return !sound && tooManyFail(circuit) ? open(circuit, nowMs) : undefined;
    },
  };
};
