// Prometheus metrics of requests and limits.
import { statSync } from "node:fs";
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";
import { formatOf, requestIdFrom } from "@bytenite-engines/core/wire";
import type { Answer } from "../api/Answer.ts";
import type { AccessLog } from "./AccessLog.ts";
import { onHandlerError, type Handler } from "./HttpServer.ts";

/** Upper bounds of the buckets of answer times, in seconds. */
const buckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5];

/** The counters of one registry. Labels hold no user, token or tag: their number is bounded. */
export interface Metrics {
  readonly started: () => void;
  readonly ended: (answer: Answer | "faulted" | "unanswered", seconds: number) => void;
  /** A read failed, with this result code of SQLite. */
  readonly readFailed: (code: number) => void;
  readonly degraded: (is: boolean) => void;
  /** A limit of the server was reached. */
  readonly limited: (limit: string) => void;
  readonly connected: () => void;
  readonly disconnected: () => void;
  /** A connection ended before its client had read the whole answer. */
  readonly dropped: () => void;
  /** A request was refused while it was parsed. */
  readonly refused: (status: number) => void;
  readonly text: () => Promise<string>;
}

const bytesOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0;

/** New counters, and gauges of the process and of the database at a path. */
export const makeMetrics = (database: string): Metrics => {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry });
  const gauge = (name: string, help: string) => new Gauge({ name: `registry_${name}`, help, registers });
  const file = gauge("database_bytes", "Size of the database file.");
  const log = gauge("database_log_bytes", "Size of its write-ahead log; it grows during long transactions.");
  const connections = gauge("connections", "Open connections.");
  const dropped = new Counter({
    name: "registry_connections_dropped_total",
    help: "Connections that were closed before their client had taken a whole answer.",
    registers,
  });
  const labelNames = ["endpoint", "status", "format"] as const;
  const requests = new Counter({
    name: "registry_requests_total",
    help: "Requests by endpoint, HTTP status and form of the answer.",
    labelNames,
    registers,
  });
  const seconds = new Histogram({
    name: "registry_request_seconds",
    help: "Time from the request's headers to the answer being handed to the socket.",
    labelNames: ["endpoint"],
    buckets,
    registers,
  });
  const underWay = gauge("requests_under_way", "Requests not answered yet.");
  const readFailures = new Counter({
    name: "registry_database_read_failures_total",
    help: "Reads that SQLite failed, by its primary result code.",
    labelNames: ["code"] as const,
    registers,
  });
  const degraded = gauge("degraded", "1 while a read of the database that failed has not succeeded again.");
  const limited = new Counter({
    name: "registry_limits_reached_total",
    help: "Requests refused and connections closed because of a limit, by its name in the settings.",
    labelNames: ["limit"] as const,
    registers,
  });
  /** Looks labels up once: prom-client hashes them at every call that names them. */
  const counted = new Map<
    string,
    { readonly count: Counter.Internal; readonly time: Histogram.Internal<"endpoint"> }
  >();
  const countersOf = (endpoint: string, status: string, format: string) => {
    const key = `${endpoint} ${status} ${format}`;
    let known = counted.get(key);
    if (known === undefined) {
      known = { count: requests.labels({ endpoint, status, format }), time: seconds.labels({ endpoint }) };
      counted.set(key, known);
    }
    return known;
  };
  let current = 0;
  return {
    started: () => void (current += 1),
    ended: (answer, took) => {
      current -= 1;
      if (typeof answer === "string") {
        countersOf("none", answer, "none").count.inc();
        return;
      }
      // Neither for pages, nor for media types set by a fault.
      const format = formatOf(answer.headers["Content-Type"]) ?? "none";
      const { count, time } = countersOf(answer.logFields.endpoint ?? "none", String(answer.status), format);
      count.inc();
      time.observe(took);
    },
    readFailed: (code) => readFailures.labels({ code: String(code) }).inc(),
    degraded: (is) => degraded.set(is ? 1 : 0),
    limited: (limit) => limited.labels({ limit }).inc(),
    connected: () => connections.inc(),
    disconnected: () => connections.dec(),
    dropped: () => dropped.inc(),
    refused: (status) => countersOf("none", String(status), "json").count.inc(),
    text: () => {
      underWay.set(current);
      file.set(bytesOf(database));
      log.set(bytesOf(`${database}-wal`));
      return registry.metrics();
    },
  };
};

/** A handler that counts and logs the requests of another one. */
export const observed =
  (handle: Handler, metrics: Metrics, log: AccessLog | undefined): Handler =>
  async (exchange) => {
    const start = performance.now();
    metrics.started();
    const answer = await handle(exchange).catch(onHandlerError);
    if (typeof answer !== "string")
      answer.headers["X-Request-Id"] ??= requestIdFrom(exchange.head.header("x-request-id"));
    const ms = performance.now() - start;
    metrics.ended(answer, ms / 1_000);
    log?.write(exchange.head, answer, ms);
    return answer;
  };
