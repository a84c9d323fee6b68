import { expect, test, vi } from "vitest";
import { startServer } from "./HttpServer.ts";
import { makeMetrics } from "./Metrics.ts";
import { observed } from "./Observed.ts";
import { defaultLimits } from "./ServerLimits.ts";

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
