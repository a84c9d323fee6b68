// Counters and histograms of an isolate, as Prometheus text.
import type { RequestOutcome, Result } from "./Log.ts";

const counterHelp = {
  bytenite_edge_requests_total: "Requests answered, by endpoint, result and status.",
  bytenite_edge_response_bytes_total: "Bytes of bodies sent to clients.",
  bytenite_edge_upstream_requests_total: "Requests to the upstream by status, or by problem where there was no answer.",
  bytenite_edge_upstream_retries_total: "Requests to the upstream that were sent again, by reason.",
  bytenite_edge_upstream_probes_total: "Probes of the upstream after a request without an answer.",
  bytenite_edge_upstream_milliseconds_total: "Time spent waiting for the upstream, in milliseconds.",
  bytenite_edge_breaker_changes_total: "Changes of the circuit breaker, by new state.",
} as const;

/** Upper bounds of the histogram of latencies, in seconds. */
const bounds: ReadonlyArray<number> = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class Metrics {
  readonly #counters = new Map<string, number>([["bytenite_edge_response_bytes_total", 0]]);
  readonly #latencies = new Map<Result, { readonly counts: Array<number>; sum: number; count: number }>();
  breakerState: "closed" | "open" = "closed";
  /** When the upstream last answered, and last failed to, in milliseconds since the epoch; 0: not yet. */
  upstreamAnsweredAtMs = 0;
  upstreamFailedAtMs = 0;

  count(name: keyof typeof counterHelp, labels = "", by = 1): void {
    const series = name + labels;
    this.#counters.set(series, (this.#counters.get(series) ?? 0) + by);
  }

  observe({ route, result, bytes }: RequestOutcome, status: number, durationMs: number): void {
    const endpoint = route?.endpoint ?? "none";
    this.count("bytenite_edge_requests_total", `{endpoint="${endpoint}",result="${result}",status="${status}"}`);
    this.count("bytenite_edge_response_bytes_total", "", bytes);
    const histogram = this.#latencies.get(result) ?? { counts: bounds.map(() => 0), sum: 0, count: 0 };
    this.#latencies.set(result, histogram);
    histogram.count += 1;
    histogram.sum += durationMs / 1000;
    const index = durationMs === 0 ? 0 : bounds.findIndex((bound) => durationMs <= bound * 1000);
    if (index >= 0) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
  }

  attempt(outcome: string, durationMs: number, nowMs: number): void {
    if (/^\d/.test(outcome)) this.upstreamAnsweredAtMs = nowMs;
    else this.upstreamFailedAtMs = nowMs;
    this.count("bytenite_edge_upstream_requests_total", `{outcome="${outcome}"}`);
    this.count("bytenite_edge_upstream_milliseconds_total", "", durationMs);
  }

  breaker(state: Metrics["breakerState"]): void {
    this.breakerState = state;
    this.count("bytenite_edge_breaker_changes_total", `{state="${state}"}`);
  }

  text(gauges: ReadonlyArray<readonly [name: string, help: string, value: number]>): string {
    const lines: Array<string> = [];
    const family = (name: string, help: string, type: string, samples: ReadonlyArray<string>): void =>
      void lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...samples);
    for (const [name, help] of Object.entries(counterHelp)) {
      const series = [...this.#counters].filter(([labelled]) => labelled.split("{", 1)[0] === name);
      const samples = series.map(([labelled, value]) => `${labelled} ${value}`);
      family(name, help, "counter", samples);
    }
    const latency = "bytenite_edge_request_seconds";
    const samples = [...this.#latencies].flatMap(([result, { counts, sum, count }]) => {
      let below = 0;
      const buckets = bounds.map(
        (bound, index) => `${latency}_bucket{result="${result}",le="${bound}"} ${(below += counts[index] ?? 0)}`,
      );
      return buckets.concat(
        `${latency}_bucket{result="${result}",le="+Inf"} ${count}`,
        `${latency}_sum{result="${result}"} ${sum}`,
        `${latency}_count{result="${result}"} ${count}`,
      );
    });
    family(latency, "Latency of responses by result, timeouts included.", "histogram", samples);
    for (const [name, help, value] of gauges) family(name, help, "gauge", [`${name} ${value}`]);
    return `${lines.join("\n")}\n`;
  }
}
