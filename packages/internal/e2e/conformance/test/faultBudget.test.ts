// Retry budget during and after an outage.
import { expect, test } from "vitest";
import { apiKey } from "@bytenite-engines/core/api-key";
import { createEngineClient, type PromiseEngineClient } from "@bytenite-engines/core/promise";
import { good, refuse, script } from "../src/fault/Acts.ts";
import { startFaultServer, type Act } from "@bytenite-engines/test-kit";

const quick = { baseDelayMs: 0, throttledBaseDelayMs: 0 };

/** How many requests a call took, and how it ended. */
const called = (client: PromiseEngineClient): Promise<string> =>
  client.withResponse.get("zipper").then(
    ({ attempts }) => `data after ${attempts}`,
    (error: { attempts: number }) => `failed after ${error.attempts}`,
  );

test("of 200 calls in an outage only the first ones are tried again", async () => {
  await using server = await startFaultServer(refuse(503, 14));
  const client = createEngineClient({ baseUrl: server.baseUrl, retry: quick });
  for (let call = 0; call < 200; call++) await called(client);
  // 500 tokens pay for 35 retries of 14.
  expect(server.arrived.length).toBe(200 + 35);
});

test("nor is an outage of where tokens come from", async () => {
  await using server = await startFaultServer(refuse(503, 14));
  const client = createEngineClient({ baseUrl: server.baseUrl, retry: quick, token: apiKey("a-key-0123456789") });
  for (let call = 0; call < 200; call++) await called(client);
  expect(server.arrived.length).toBe(200 + 35);
});

test("throttled retries cost less", async () => {
  await using server = await startFaultServer(refuse(429, 8));
  const client = createEngineClient({ baseUrl: server.baseUrl, retry: quick });
  for (let call = 0; call < 200; call++) await called(client);
  expect(server.arrived.length).toBe(200 + 100);
});

/** Refuses every first request of two. */
const everySecond: Act = (socket, arrived, count) => (count % 2 === 1 ? refuse(503, 14) : good)(socket, arrived, count);

test("a retry that succeeds gives back what it cost", async () => {
  await using server = await startFaultServer(everySecond);
  const client = createEngineClient({ baseUrl: server.baseUrl, retry: quick, retryBudget: 14 });
  const ends = [];
  for (let call = 0; call < 20; call++) ends.push(await called(client));
  expect(new Set(ends)).toEqual(new Set(["data after 2"]));
});

test("after an outage, fourteen successes pay for one more retry", async () => {
  const acts = [refuse(503, 14), refuse(503, 14), refuse(503, 14), ...Array.from({ length: 13 }, () => good)];
  await using server = await startFaultServer(script(...acts, refuse(503, 14), good, refuse(503, 14), good));
  const client = createEngineClient({ baseUrl: server.baseUrl, retry: quick, retryBudget: 14 });
  expect([await called(client), await called(client)]).toEqual(["failed after 2", "failed after 1"]);
  for (let call = 0; call < 13; call++) expect(await called(client)).toBe("data after 1");
  expect(await called(client)).toBe("failed after 1");
  expect([await called(client), await called(client)]).toEqual(["data after 1", "data after 2"]);
});

test("every client has a budget of its own", async () => {
  await using server = await startFaultServer(refuse(503, 14));
  const make = () => createEngineClient({ baseUrl: server.baseUrl, retry: quick, retryBudget: 14 });
  expect([await called(make()), await called(make())]).toEqual(["failed after 2", "failed after 2"]);
});
