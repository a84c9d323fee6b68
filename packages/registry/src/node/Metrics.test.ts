import { expect, test, vi } from "vitest";
import { startServer } from "./HttpServer.ts";
import { makeMetrics, observed } from "./Metrics.ts";
import { defaultLimits } from "./ServerLimits.ts";

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
