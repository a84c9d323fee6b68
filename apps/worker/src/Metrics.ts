// Counts what the proxy does in this isolate, as Prometheus text.
import type { EngineEvent } from "@bytenite-engines/core";
import type { Observed } from "./Observed.ts";
import type { UpstreamProblem } from "./Upstream.ts";

/** A value read when the text is made. */
export interface Gauge {
  readonly name: string;
  readonly help: string;
  readonly value: number;
}

const help = {
  bytenite_edge_requests_total: "Requests answered, by endpoint, result and status.",
  bytenite_edge_response_bytes_total: "Bytes of bodies sent to clients.",
  bytenite_edge_upstream_requests_total: "Answers of the upstream by status, and exchanges without one by problem.",
  bytenite_edge_upstream_retries_total: "Requests to the upstream that were sent again, by reason.",
  bytenite_edge_upstream_milliseconds_total: "Time spent waiting for the upstream, in milliseconds.",
  bytenite_edge_workers_cache_total: "Questions to the cached entrypoint, by result; none while Workers Cache is off.",
  bytenite_edge_breaker_changes_total: "Changes of the circuit breaker, by new state.",
} as const;

type CounterName = keyof typeof help;

export class Metrics {
  readonly #counters = new Map<string, number>();
  readonly #requests = new Map<string, Map<string, Map<number, number>>>();
  #responseBytes = 0;
  breakerState: "closed" | "open" = "closed";
  /** When the upstream last answered, and last failed to, in milliseconds since the epoch; 0: not yet. */
  upstreamAnsweredAtMs = 0;
  upstreamFailedAtMs = 0;

  count(name: CounterName, labels: Readonly<Record<string, string>>, by = 1): void {
    this.#set(name, labels, (this.#counters.get(`${name}${labelsOf(labels)}`) ?? 0) + by);
  }

  #set(name: CounterName, labels: Readonly<Record<string, string>>, value: number): void {
    this.#counters.set(`${name}${labelsOf(labels)}`, value);
  }

  /** Counts one answered request. */
  observe({ route, result, bytes }: Observed, method: string, status: number): void {
    // Maps by what is there already: putting a name together for each hit would cost more than finding the answer.
    const byStatus = inner(inner(this.#requests, route?.endpoint ?? "none"), result);
    byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    if (status !== 304 && method !== "HEAD") this.#responseBytes += bytes;
  }

  /** Counts what core tells of its work. */
  tell(event: EngineEvent, nowMs: number): void {
    if (event.type === "exchange") {
      this.upstreamAnsweredAtMs = nowMs;
      this.count("bytenite_edge_upstream_requests_total", { outcome: `${event.status}` });
      this.count("bytenite_edge_upstream_milliseconds_total", {}, event.durationMs);
    } else if (event.type === "retry") {
      this.count("bytenite_edge_upstream_retries_total", { reason: event.reason });
    }
  }

  /** Counts that the upstream was found to be gone (open), or there again. */
  breaker(state: Metrics["breakerState"]): void {
    this.breakerState = state;
    this.count("bytenite_edge_breaker_changes_total", { state });
  }

  /** Counts an exchange, with all its attempts, that brought no answer. */
  fail(problem: UpstreamProblem, nowMs: number): void {
    if (!notAsked.has(problem)) this.upstreamFailedAtMs = nowMs;
    this.count("bytenite_edge_upstream_requests_total", { outcome: problem });
  }

  /** All counters and the given gauges, in the text format of Prometheus. */
  text(gauges: ReadonlyArray<Gauge>): string {
    for (const [endpoint, byResult] of this.#requests) {
      for (const [result, byStatus] of byResult) {
        for (const [status, value] of byStatus) {
          this.#set("bytenite_edge_requests_total", { endpoint, result, status: `${status}` }, value);
        }
      }
    }
    this.#set("bytenite_edge_response_bytes_total", {}, this.#responseBytes);
    const lines: Array<string> = [];
    for (const [name, description] of Object.entries(help)) {
      lines.push(`# HELP ${name} ${description}`, `# TYPE ${name} counter`);
      for (const [series, value] of this.#counters) {
        if (series === name || series.startsWith(`${name}{`)) lines.push(`${series} ${value}`);
      }
    }
    for (const { name, help: description, value } of gauges) {
      lines.push(`# HELP ${name} ${description}`, `# TYPE ${name} gauge`, `${name} ${value}`);
    }
    return `${lines.join("\n")}\n`;
  }
}

/** Problems of requests that were not sent. */
const notAsked: ReadonlySet<UpstreamProblem> = new Set(["known-to-be-down", "busy", "crowded"]);

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
