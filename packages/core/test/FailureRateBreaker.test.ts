import { expect, test } from "vitest";
import { breaker } from "../src/FailureRateBreaker.ts";
import { createEngineClient, type EngineEvent } from "../src/promise.ts";
import { json, startServer } from "./LocalServer.ts";

test("a client with a breaker stops asking an origin that fails, and says for how long", async () => {
  const events: Array<EngineEvent> = [];
  await using server = await startServer((_request, response) => json(response, 503, { code: 14, message: "down" }));
  const client = createEngineClient({
    baseUrl: server.baseUrl,
    format: "json",
    retry: { maxAttempts: 1 },
    breaker: breaker({ minimumRequests: 3, openMs: 60_000 }),
    onEvent: (event) => void events.push(event),
  });
  for (const tag of ["a", "b", "c"]) await client.get(tag).catch(() => {});
  await expect(client.get("d")).rejects.toMatchObject({ reason: { _tag: "CircuitOpen" }, attempts: 0 });
  expect(server.requests).toHaveLength(3);
  expect(events.filter(({ type }) => type === "breaker")).toMatchObject([{ state: "open" }]);
});
