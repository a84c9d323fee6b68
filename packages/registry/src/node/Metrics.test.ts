import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Counter } from "prom-client";
import { expect, onTestFinished, test, vi } from "vitest";
import type { AccessLog } from "./AccessLog.ts";
import type { Answer } from "../api/Answer.ts";
import { startServer, type Handler } from "./HttpServer.ts";
import { makeMetrics, observed } from "./Metrics.ts";
import { defaultLimits } from "./ServerLimits.ts";

test("answers are counted by their form; pages and answers without a type have none", async () => {
  const metrics = makeMetrics(":memory:");
  const labels = vi.spyOn(Counter.prototype, "labels");
  onTestFinished(() => labels.mockRestore());
  const types = [
    "application/json",
    "application/x-protobuf",
    "application/vnd.google.protobuf",
    "text/html",
    undefined,
  ];
  for (const type of types) {
    const headers: Record<string, string> = type === undefined ? {} : { "Content-Type": type };
    metrics.started();
    metrics.ended({ status: 200, headers, body: "", logFields: { endpoint: undefined, user: undefined } }, 0.001);
  }
  const counts = (await metrics.text()).split("\n").filter((line) => line.startsWith("registry_requests_total{"));
  expect(counts.toSorted()).toEqual([
    'registry_requests_total{endpoint="none",status="200",format="json"} 1',
    'registry_requests_total{endpoint="none",status="200",format="none"} 2',
    'registry_requests_total{endpoint="none",status="200",format="protobuf"} 2',
  ]);
  // Looked up once each.
  expect(labels).toHaveBeenCalledTimes(3);
  expect(await metrics.text()).toMatch(/^process_cpu_seconds_total [\d.]+$/m);
});

test("every metric has its value, and times their buckets", async () => {
  const directory = mkdtempSync(join(tmpdir(), "registry-metrics-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  const database = join(directory, "a.sqlite");
  const metrics = makeMetrics(database);
  const valuesOf = async (): Promise<Record<string, string>> =>
    Object.fromEntries(
      (await metrics.text())
        .split("\n")
        .filter((line) => line.startsWith("registry_") && !line.includes("_sum"))
        .map((line) => [line.slice("registry_".length, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1)]),
    );
  const gauges = { database_bytes: "0", database_log_bytes: "0", connections: "0", connections_dropped_total: "0" };
  expect(await valuesOf()).toEqual({ ...gauges, requests_under_way: "0", degraded: "0" });
  writeFileSync(database, "12345");
  writeFileSync(`${database}-wal`, "1234567");
  for (const request of [1, 2, 3]) {
    metrics.started();
    metrics.connected();
    metrics.limited(request === 1 ? "connections" : "rate");
  }
  metrics.disconnected();
  metrics.dropped();
  metrics.readFailed(11);
  metrics.refused(431);
  metrics.degraded(true);
  metrics.ended("unanswered", 9);
  metrics.ended({ status: 404, headers: {}, body: "", logFields: { endpoint: "get", user: "carol" } }, 0.02);
  const values = await valuesOf();
  const times = Object.entries(values).filter(([name]) => name.startsWith("request_seconds"));
  const bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, "+Inf"];
  expect(times.filter(([name]) => name.includes('"get"'))).toEqual([
    ...bounds.map((bound, index) => [`request_seconds_bucket{le="${bound}",endpoint="get"}`, index < 5 ? "0" : "1"]),
    ['request_seconds_count{endpoint="get"}', "1"],
  ]);
  for (const [name] of times) delete values[name];
  expect(values).toEqual({
    database_bytes: "5",
    database_log_bytes: "7",
    connections: "2",
    connections_dropped_total: "1",
    requests_under_way: "1",
    degraded: "1",
    'limits_reached_total{limit="connections"}': "1",
    'limits_reached_total{limit="rate"}': "2",
    'database_read_failures_total{code="11"}': "1",
    'requests_total{endpoint="none",status="431",format="json"}': "1",
    'requests_total{endpoint="none",status="unanswered",format="none"}': "1",
    'requests_total{endpoint="get",status="404",format="none"}': "1",
  });
  metrics.degraded(false);
  expect((await valuesOf())["degraded"]).toBe("0");
});

test("a request whose handler fails is counted as the 500 that it is answered with, and is not under way for ever", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const metrics = makeMetrics(":memory:");
  const server = await startServer({ host: "127.0.0.1", port: 0, limits: { ...defaultLimits, drainMs: 0 } });
  server.answerWith(observed(() => Promise.reject(new Error("a fault of ours")), metrics, undefined));
  const answer = await fetch(`http://127.0.0.1:${server.port}/`);
  expect([answer.status, await answer.json()]).toMatchObject([500, { code: 13 }]);
  const text = await metrics.text();
  expect(text).toContain('registry_requests_total{endpoint="none",status="500",format="json"} 1');
  expect(text).toContain("registry_requests_under_way 0");
  expect(said).toHaveBeenCalledOnce();
  said.mockRestore();
  await server.stop();
});

test("a request is counted and logged with the time of its answer, which has a request id", async () => {
  const metrics = makeMetrics(":memory:");
  const lines: Array<unknown> = [];
  const write: AccessLog["write"] = (head, answer, ms) =>
    void lines.push([head.target, typeof answer === "string" ? answer : answer.headers["X-Request-Id"], ms]);
  const log = { write } as AccessLog;
  let nowMs = 500;
  const now = vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  onTestFinished(() => now.mockRestore());
  const ask = async (id: string | undefined, answer: Answer | "faulted"): Promise<void> => {
    const head = { target: "/x", header: (name: string) => (name === "x-request-id" ? id : null) };
    const handler: Handler = async () => {
      nowMs += 30;
      return answer;
    };
    await observed(handler, metrics, log)({ head } as Parameters<Handler>[0]);
  };
  const answer = { status: 200, body: "", logFields: { endpoint: "get", user: "carol" } } as const;
  await ask("asked-1", { ...answer, headers: {} });
  await ask("asked-2", { ...answer, headers: { "X-Request-Id": "own" } });
  await ask("asked-3", "faulted");
  expect(lines).toEqual([
    ["/x", "asked-1", 30],
    ["/x", "own", 30],
    ["/x", "faulted", 30],
  ]);
  expect(await metrics.text()).toMatch(/^registry_request_seconds_sum\{endpoint="get"\} 0\.06$/m);
});
