import * as Context from "effect/Context";
import * as Metric from "effect/Metric";
import { expect, test } from "vitest";
import { budget, metricsListener } from "../src/ClientMetrics.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import { createEngineClient, type Fetch } from "../src/promise.ts";

test("the events of a client become metrics: requests, durations, bytes by media type, retries, budget", async () => {
  const context = Context.make(Metric.MetricRegistry, new Map());
  const { fetch } = memoryServer({
    engines: [{ id: "1", name: "zipper", version: "0.1" }],
    answer: (_request, count) => (count === 1 ? new Response("", { status: 503 }) : undefined),
  });
  const client = createEngineClient({ fetch, retry: { baseDelayMs: 0 }, onEvent: metricsListener(undefined, context) });
  await client.get("zipper");
  const found = Metric.snapshotUnsafe(context).map(({ id, attributes, state }) => ({ id, attributes, state }));
  const of = (id: string) => found.filter((metric) => metric.id === id);
  expect(of("bytenite.client.requests")).toMatchObject([
    { attributes: { endpoint: "get", status: "503", media_type: "text/plain" }, state: { count: 1 } },
    { attributes: { endpoint: "get", status: "200", media_type: "application/x-protobuf" }, state: { count: 1 } },
  ]);
  const asked = {
    "http.request.method": "GET",
    "server.address": "api.bytenite.com",
    "server.port": "443",
    "url.template": "/engines/{engine_tag}",
  };
  const durations = of("http.client.request.duration");
  expect(durations).toMatchObject([
    { attributes: { ...asked, "http.response.status_code": "503", "error.type": "503" }, state: { count: 1 } },
    { attributes: { ...asked, "http.response.status_code": "200" }, state: { count: 1 } },
  ]);
  expect(durations[1]?.attributes).not.toHaveProperty(["error.type"]);
  expect(of("bytenite.client.retries")).toMatchObject([{ attributes: { reason: "Unavailable" }, state: { count: 1 } }]);
  expect(budget.valueUnsafe(context).value).toBe(486);
});

const refused = () => Promise.reject(new TypeError("fetch failed", { cause: { code: "ECONNREFUSED" } }));
const silent: Fetch = (_url, { signal }) =>
  new Promise((_resolve, reject) =>
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
  );

test("requests without an answer count as well, with what kept it from coming; those given up do not", async () => {
  const context = Context.make(Metric.MetricRegistry, new Map());
  const options = { baseUrl: "http://a.example:81", onEvent: metricsListener(undefined, context) };
  const once = { maxAttempts: 1 };
  await createEngineClient({ ...options, fetch: refused, retry: once })
    .get("a")
    .catch(() => {});
  const hung = createEngineClient({ ...options, fetch: silent, retry: once, attemptTimeoutMs: 5 });
  await hung.get("a").catch(() => {});
  const controller = new AbortController();
  const given = hung.get("a", { signal: controller.signal }).catch(() => {});
  controller.abort();
  await given;
  const metrics = Metric.snapshotUnsafe(context).filter(({ id }) => id !== "bytenite.client.retry_budget");
  const asked = { "server.address": "a.example", "server.port": "81" };
  expect(metrics).toMatchObject([
    { id: "bytenite.client.requests", attributes: { endpoint: "get", error: "Unreachable" }, state: { count: 1 } },
    { id: "http.client.request.duration", attributes: { ...asked, "error.type": "Unreachable" }, state: { count: 1 } },
    { id: "bytenite.client.requests", attributes: { endpoint: "get", error: "TimedOut" }, state: { count: 1 } },
    { id: "http.client.request.duration", attributes: { ...asked, "error.type": "TimedOut" }, state: { count: 1 } },
  ]);
});
