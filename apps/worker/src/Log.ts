// Outcomes of requests as log lines, without tokens, and as metrics.
import { basePath } from "@bytenite-engines/core/wire";
import type { Config } from "./Config.ts";
import { clientOf, type Route } from "./Request.ts";

/** What became of a request, in one word; the README explains them. */
export type Result = "refused" | "hit" | "stale" | "stale-if-error" | "miss" | "validated" | "collapsed" | "bypass";

export interface RequestOutcome {
  readonly response: Response;
  readonly result: Result;
  readonly route?: Route | undefined; // undefined: refused before it was known
  readonly bytes: number; // length of the body; 0 for errors of the proxy, and for streams
  readonly requestId?: string;
  /** The exchange that this request itself had with the upstream. */
  readonly upstream?: { status?: number; problem?: string; attempts: number; durationMs: number } | undefined;
}

/** A received request. Its fields are read once, since getters of `Request` are slow. */
export interface Received {
  /** `cf.colo`: the data centre. */
  readonly request: Request & { readonly cf?: { readonly colo?: string } };
  readonly method: string;
  readonly headers: Headers;
  readonly target: string;
  readonly startedAtMs: number;
}

const maxTargetLength = 300; // longest path and query that is logged, in characters
const isError = (result: Result, status: number): boolean => status >= 500 || result === "stale-if-error";

export const isLogged = (level: Config["logLevel"], result: Result, status: number): boolean =>
  level === "all" || (level === "errors" && isError(result, status));

export const logLine = (
  received: Received,
  outcome: RequestOutcome,
  requestId: string | undefined,
  durationMs: number,
) => {
  const { request, method, headers, target, startedAtMs } = received;
  const { response, result, route, bytes, upstream } = outcome;
  const { status } = response;
  // What was understood of the target: the rest of a query may hold a secret.
  const understood = route === undefined || route.endpoint === "other" ? undefined : basePath + route.target;
  return JSON.stringify({
    time: new Date(startedAtMs + durationMs).toISOString(),
    level: isError(result, status) ? "error" : "info",
    message: `${method} ${status} ${result}`,
    method,
    target: (understood ?? target.replace(/\?.*$/s, "")).slice(0, maxTargetLength),
    status,
    result,
    endpoint: route?.endpoint,
    mediaType: response.headers.get("content-type") ?? undefined,
    bytes,
    durationMs,
    client: clientOf(headers) || undefined,
    colo: request.cf?.colo,
    upstream,
    requestId,
    traceId: traceIdOf(headers.get("traceparent")),
  });
};

/** The trace-id of a traceparent (W3C Trace Context, 3.2). */
export const traceIdOf = (traceparent: string | null): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? "")?.[1];

export const logError = (message: string, error: unknown): void =>
  console.error(JSON.stringify({ level: "error", message, error: String(error) }));

const counterHelp = {
  requests_total: "Requests answered, by endpoint, result and status.",
  response_bytes_total: "Bytes of bodies sent to clients.",
  upstream_requests_total: "Requests to the upstream by status, or by problem where there was no answer.",
  upstream_retries_total: "Requests to the upstream that were sent again, by reason.",
  upstream_probes_total: "Probes of the upstream after a request without an answer.",
  upstream_milliseconds_total: "Time spent waiting for the upstream, in milliseconds.",
  breaker_changes_total: "Changes of the circuit breaker, by new state.",
} as const;

/** Upper bounds of the histogram of latencies, in seconds. */
const bounds: ReadonlyArray<number> = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];
const noLatencies = () => ({ buckets: bounds.map((bound) => ({ bound, within: 0 })), count: 0, sum: 0 });

export type Metrics = ReturnType<typeof createMetrics>;

/** Counters and histograms of an isolate. */
export const createMetrics = () => {
  /** By name and labels. */
  const counters = new Map<string, number>([["response_bytes_total", 0]]);
  const latencies = new Map<Result, ReturnType<typeof noLatencies>>();
  const count = (name: keyof typeof counterHelp, labels = "", by = 1): void => {
    const series = name + labels;
    counters.set(series, (counters.get(series) ?? 0) + by);
  };
  return {
    count,
    observe: ({ route, result, bytes }: RequestOutcome, status: number, durationMs: number): void => {
      count("requests_total", `{endpoint="${route?.endpoint ?? "none"}",result="${result}",status="${status}"}`);
      count("response_bytes_total", "", bytes);
      const histogram = latencies.get(result) ?? noLatencies();
      latencies.set(result, histogram);
      histogram.count += 1;
      histogram.sum += durationMs / 1000;
      for (const bucket of histogram.buckets) if (durationMs <= bucket.bound * 1000) bucket.within += 1;
    },
    /** The metrics as Prometheus text. */
    text: (gauges: ReadonlyArray<readonly [name: string, help: string, value: number]>): string => {
      const latency = [...latencies].flatMap(([result, { buckets, count: all, sum }]) =>
        buckets
          .map(({ bound, within }) => `bucket{result="${result}",le="${bound}"} ${within}`)
          .concat(`bucket{result="${result}",le="+Inf"} ${all}`)
          .concat(`sum{result="${result}"} ${sum}`, `count{result="${result}"} ${all}`)
          .map((sample) => `request_seconds_${sample}`),
      );
      const counted = Object.entries(counterHelp).flatMap(([name, help]) => {
        const series = [...counters].filter(([labelled]) => labelled.replace(/\{.*$/, "") === name);
        const samples = series.map(([labelled, value]) => `${labelled} ${value}`);
        return family(name, help, "counter", samples);
      });
      const help = "Latency of responses by result, timeouts included.";
      const lines = counted.concat(family("request_seconds", help, "histogram", latency));
      for (const [name, about, value] of gauges) lines.push(...family(name, about, "gauge", [`${name} ${value}`]));
      return `${lines.join("\n")}\n`;
    },
  };
};

const family = (name: string, help: string, type: string, samples: ReadonlyArray<string>): Array<string> =>
  [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`]
    .concat(samples)
    .map((line) => line.replace(name, `bytenite_edge_${name}`));
