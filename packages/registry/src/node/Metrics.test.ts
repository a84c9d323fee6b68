import { expect, test } from "vitest";
import { makeMetrics } from "./Metrics.ts";

test("answers are counted by their form; pages and answers without a type have none", async () => {
  const metrics = makeMetrics(":memory:");
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
});
