import * as Context from "effect/Context";
import * as Metric from "effect/Metric";
import { expect, test } from "vitest";
import { budget, metricsListener } from "../src/ClientMetrics.ts";
import type { EventSubject } from "../src/EngineEvent.ts";
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

test("durations are seconds, by the conventions' boundaries; an answer from 400 on is an error; the next listener hears all", () => {
  const context = Context.make(Metric.MetricRegistry, new Map());
  const heard: Array<string> = [];
  const listen = metricsListener((event) => heard.push(event.type), context);
  const subject = {
    endpoint: "get",
    url: "https://a.example/engines/a",
    method: "GET",
    attempt: 1,
    request: 1,
  } as const;
  const answered = { ...subject, type: "response", bytes: 70, cacheStatus: undefined } as const;
  listen({ ...answered, status: 399, durationMs: 1_500, mediaType: undefined });
  listen({ ...answered, status: 400, durationMs: 250, mediaType: "text/plain; charset=utf-8" });
  listen({ ...subject, type: "request-error", reason: "TimedOut", durationMs: 20_000 });
  expect(heard).toEqual(["response", "response", "request-error"]);
  const metrics = Metric.snapshotUnsafe(context);
  const of = (name: string) =>
    metrics.flatMap(({ id, attributes, state }) => (id === name ? [{ attributes, state }] : []));
  const durations = of("http.client.request.duration");
  expect(durations).toMatchObject([
    { attributes: { "http.response.status_code": "399" }, state: { count: 1, sum: 1.5 } },
    { attributes: { "http.response.status_code": "400", "error.type": "400" }, state: { count: 1, sum: 0.25 } },
    { attributes: { "error.type": "TimedOut" }, state: { count: 1, sum: 20 } },
  ]);
  expect(durations[0]?.attributes).not.toHaveProperty(["error.type"]);
  expect(durations[2]?.attributes).not.toHaveProperty(["http.response.status_code"]);
  const boundaries = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10];
  const [buckets] = durations.map(({ state }) => (state as Metric.HistogramState).buckets);
  expect(buckets?.map(([boundary]) => boundary).filter(Number.isFinite)).toEqual(boundaries);
  expect(of("bytenite.client.received")).toMatchObject([
    { attributes: { media_type: "none" }, state: { count: 70 } },
    { attributes: { media_type: "text/plain" }, state: { count: 70 } },
  ]);
  listen({
    ...subject,
    type: "retry",
    delayMs: 1,
    reason: "TimedOut",
    status: undefined,
    hinted: false,
    budgetTokens: 9,
  });
  const counters = Metric.snapshotUnsafe(context).flatMap(({ id, type, state }) =>
    type === "Counter" ? [[id, (state as Metric.CounterState<number>).incremental]] : [],
  );
  expect(Object.fromEntries(counters)).toEqual({
    "bytenite.client.requests": true,
    "bytenite.client.retries": true,
    "bytenite.client.received": true,
  });
});

test.for<[subject: EventSubject, attributes: object, absent: string]>([
  [{ endpoint: "get", url: "http://a.example/x" }, { "server.port": "80", "http.request.method": "GET" }, "error.type"],
  [
    { endpoint: "get", url: "https://a.example/x" },
    { "server.port": "443", "url.template": "/engines/{engine_tag}" },
    "x",
  ],
  [{ endpoint: "get", url: "https://a.example:8443/x" }, { "server.port": "8443", "server.address": "a.example" }, "x"],
  [{ endpoint: "credentials", url: "https://a.example/x" }, { "http.request.method": "POST" }, "url.template"],
  [{ endpoint: "archive", url: "https://a.example/x" }, { "http.request.method": "GET" }, "url.template"],
  [{ endpoint: "a.B", url: "https://a.example/x", template: "/v1/b" }, { "url.template": "/v1/b" }, "x"],
  [{ endpoint: "upload", url: "https://a.example/x", method: "POST" }, { "http.request.method": "POST" }, "x"],
])("a request of %j has the attributes %j, and no %s", ([subject, attributes, absent]) => {
  const context = Context.make(Metric.MetricRegistry, new Map());
  const counts = { attempt: 1, request: 1, durationMs: 5, bytes: 1 };
  const answered = { status: 200, mediaType: undefined, cacheStatus: undefined };
  metricsListener(undefined, context)({ method: "GET", ...subject, ...counts, ...answered, type: "response" });
  const duration = Metric.snapshotUnsafe(context).find(({ id }) => id === "http.client.request.duration");
  expect(duration?.attributes).toMatchObject(attributes);
  expect(duration?.attributes).not.toHaveProperty([absent]);
});
