// Counters and histograms of an isolate, as Prometheus text.
import type { RequestOutcome, Result } from "./Outcome.ts";

/** A value that is read when the text is made. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

const help = {
  bytenite_edge_requests_total: "Requests answered, by endpoint, result and status.",
  bytenite_edge_response_bytes_total: "Bytes of bodies sent to clients.",
  bytenite_edge_upstream_requests_total: "Requests to the upstream by status, or by problem where there was no answer.",
  bytenite_edge_upstream_retries_total: "Requests to the upstream that were sent again, by reason.",
  bytenite_edge_upstream_milliseconds_total: "Time spent waiting for the upstream, in milliseconds.",
  bytenite_edge_breaker_changes_total: "Changes of the circuit breaker, by new state.",
} as const;

type CounterName = keyof typeof help;

/** Upper bounds of the histogram of latencies, in seconds. */
const bounds: ReadonlyArray<number> = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

interface Histogram {
  readonly counts: Array<number>;
  sum: number;
  count: number;
}

export class Metrics {
  readonly #counters = new Map<string, number>();
  readonly #requests = new Map<string, Map<string, Map<number, number>>>();
  readonly #latencies = new Map<Result, Histogram>();
  #responseBytes = 0;
  breakerState: "closed" | "open" = "closed";
  /** When the upstream last answered, and last failed to, in milliseconds since the epoch; 0: not yet. */
  upstreamAnsweredAtMs = 0;
  upstreamFailedAtMs = 0;

  count(name: CounterName, labels: Readonly<Record<string, string>>, by = 1): void {
    const series = `${name}${labelsOf(labels)}`;
    this.#counters.set(series, (this.#counters.get(series) ?? 0) + by);
  }

  /** Counts one answered request. */
  observe({ route, result, bytes }: RequestOutcome, method: string, status: number, durationMs: number): void {
    // Maps by what is there already: putting a name together for each hit would cost more than finding the answer.
    const byStatus = inner(inner(this.#requests, route?.endpoint ?? "none"), result);
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    if (status !== 304 && method !== "HEAD") this.#responseBytes += bytes;
    let histogram = this.#latencies.get(result);
    if (histogram === undefined) {
      histogram = { counts: bounds.map(() => 0), sum: 0, count: 0 };
      this.#latencies.set(result, histogram);
    }
    histogram.count += 1;
    histogram.sum += durationMs / 1000;
    const index = durationMs === 0 ? 0 : bounds.findIndex((bound) => durationMs <= bound * 1000);
    if (index >= 0) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
  }

  /** Counts a request to the upstream by its status or its problem. */
  attempt(outcome: string, durationMs: number, nowMs: number): void {
    if (/^\d/.test(outcome)) this.upstreamAnsweredAtMs = nowMs;
    else this.upstreamFailedAtMs = nowMs;
    this.count("bytenite_edge_upstream_requests_total", { outcome });
    this.count("bytenite_edge_upstream_milliseconds_total", {}, durationMs);
  }

  /** Counts that the upstream was found to be unreachable (open), or reachable again. */
  breaker(state: Metrics["breakerState"]): void {
    this.breakerState = state;
    this.count("bytenite_edge_breaker_changes_total", { state });
  }

  /** All counters, histograms and the given gauges, in the text format of Prometheus. */
  text(gauges: ReadonlyArray<Gauge>): string {
    const series = new Map(this.#counters);
    for (const [endpoint, byResult] of this.#requests) {
      for (const [result, byStatus] of byResult) {
        for (const [status, value] of byStatus) {
          series.set(`bytenite_edge_requests_total${labelsOf({ endpoint, result, status: `${status}` })}`, value);
        }
      }
    }
    series.set("bytenite_edge_response_bytes_total", this.#responseBytes);
    const lines: Array<string> = [];
    for (const [name, description] of Object.entries(help)) {
      lines.push(`# HELP ${name} ${description}`, `# TYPE ${name} counter`);
      for (const [labelled, value] of series) {
        if (labelled === name || labelled.startsWith(`${name}{`)) lines.push(`${labelled} ${value}`);
      }
    }
    const latency = "bytenite_edge_request_seconds";
    lines.push(`# HELP ${latency} Latency of responses by result, timeouts included.`, `# TYPE ${latency} histogram`);
    for (const [result, { counts, sum, count }] of this.#latencies) {
      let below = 0;
      for (const [index, bound] of bounds.entries()) {
        below += counts[index] ?? 0;
        lines.push(`${latency}_bucket{result="${result}",le="${bound}"} ${below}`);
      }
      lines.push(`${latency}_bucket{result="${result}",le="+Inf"} ${count}`);
      lines.push(`${latency}_sum{result="${result}"} ${sum}`, `${latency}_count{result="${result}"} ${count}`);
    }
    for (const { name, help: description, value } of gauges) {
      lines.push(`# HELP ${name} ${description}`, `# TYPE ${name} gauge`, `${name} ${value}`);
    }
    return `${lines.join("\n")}\n`;
  }
}

/** The map under a key, made where there is none yet. */
const inner = <K, L, V>(outer: Map<K, Map<L, V>>, key: K): Map<L, V> => {
  const known = outer.get(key);
  if (known !== undefined) return known;
  const made = new Map<L, V>();
  outer.set(key, made);
  return made;
};

const labelsOf = (labels: Readonly<Record<string, string>>): string => {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replaceAll(/["\\\n]/g, "_")}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
};
