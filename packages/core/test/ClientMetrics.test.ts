import * as Context from "effect/Context";
import * as Metric from "effect/Metric";
import { expect, test } from "vitest";
import { budget, metricsListener } from "../src/ClientMetrics.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import { createEngineClient } from "../src/promise.ts";

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
  expect(of("http.client.request.duration").map(({ state }) => (state as { count: number }).count)).toEqual([1, 1]);
  expect(of("bytenite.client.retries")).toMatchObject([{ attributes: { reason: "Unavailable" }, state: { count: 1 } }]);
  expect(budget.valueUnsafe(context).value).toBe(486);
});
