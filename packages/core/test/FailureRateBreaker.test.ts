import { expect, test, vi } from "vitest";
import { breaker } from "../src/FailureRateBreaker.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import { createEngineClient, type EngineError, type EngineEvent } from "../src/promise.ts";
import { json, startServer } from "@bytenite-engines/test-kit/ports";

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

test("a deadline without an answer counts as a failure of the origin", async () => {
  await using server = await startServer(() => {});
  const client = createEngineClient({
    baseUrl: server.baseUrl,
    format: "json",
    deadlineMs: 20,
    breaker: breaker({ minimumRequests: 2, openMs: 60_000 }),
  });
  for (const tag of ["a", "b"])
    await expect(client.get(tag)).rejects.toMatchObject({ reason: { _tag: "TimedOut", scope: "deadline" } });
  await expect(client.get("c")).rejects.toMatchObject({ reason: { _tag: "CircuitOpen" } });
});

test("a probe for which no token could be had says nothing of the origin: the circuit does not close", async () => {
  const events: Array<EngineEvent> = [];
  let sealed = false;
  await using server = await startServer((_request, response) => json(response, 503, { code: 14, message: "down" }));
  const client = createEngineClient({
    baseUrl: server.baseUrl,
    format: "json",
    retry: { maxAttempts: 1 },
    breaker: breaker({ minimumRequests: 1, openMs: 1 }),
    onEvent: (event) => void events.push(event),
    token: () => {
      if (sealed) throw new Error("the vault is sealed");
      return "a-token";
    },
  });
  await client.get("a").catch(() => {});
  sealed = true;
  const failure = () => client.get("b").catch((error: EngineError) => error.reason._tag);
  await expect.poll(failure).toBe("CredentialsFailed");
  const states = events.flatMap((event) => (event.type === "breaker" ? [event.state] : []));
  expect(states).toEqual(["open", "half-open"]);
});

test("a breaker that opens within a call leaves the failure before it as the cause", async () => {
  await using server = await startServer((_request, response) => json(response, 503, { code: 14, message: "down" }));
  const client = createEngineClient({
    baseUrl: server.baseUrl,
    format: "json",
    retry: { baseDelayMs: 0 },
    breaker: breaker({ minimumRequests: 2, openMs: 60_000 }),
  });
  await expect(client.get("a")).rejects.toMatchObject({
    reason: { _tag: "CircuitOpen" },
    attempts: 2,
    cause: { reason: { _tag: "Unavailable" }, serverMessage: "down" },
  });
});

test("a clock that is set back does not keep the circuit open", async () => {
  await using server = await startServer((_request, response, count) =>
    count === 1 ? json(response, 503, { code: 14, message: "down" }) : json(response, 200, { id: "1" }),
  );
  const client = createEngineClient({
    baseUrl: server.baseUrl,
    format: "json",
    retry: { maxAttempts: 1 },
    breaker: breaker({ minimumRequests: 1, openMs: 10 }),
  });
  vi.useFakeTimers({ toFake: ["Date"] });
  try {
    await client.get("a").catch(() => {});
    vi.setSystemTime(Date.now() - 3_600_000);
    await expect
      .poll(() => client.get("b").catch((error: EngineError) => error.reason._tag))
      .toMatchObject({ id: "1" });
  } finally {
    vi.useRealTimers();
  }
});

test.for([
  [0.5, 1],
  [1, 1],
  [7.2, 8],
] as const)("a breaker of one's own that asks for %d ms lets no request through", async ([retryAfterMs, shown]) => {
  const { fetch, requests } = memoryServer();
  const client = createEngineClient({
    fetch,
    breaker: { admit: () => ({ retryAfterMs, changed: undefined }), record: () => undefined },
  });
  const error = await client.get("a").catch((cause: EngineError) => cause);
  expect(error).toMatchObject({ reason: { _tag: "CircuitOpen", retryAfterMs: shown }, attempts: 0 });
  expect(error).not.toHaveProperty("cause");
  expect(requests).toHaveLength(0);
});

test("a breaker of one's own hears of each outcome, and its changes are events", async () => {
  const states: Array<unknown> = [];
  const heard: Array<boolean | undefined> = [];
  const client = createEngineClient({
    fetch: memoryServer({ answer: (_request, count) => (count === 1 ? new Response("", { status: 503 }) : undefined) })
      .fetch,
    retry: { baseDelayMs: 0 },
    breaker: {
      admit: () => ({ retryAfterMs: 0, changed: "half-open" }),
      record: (_origin, _nowMs, sound) => {
        heard.push(sound);
        return "closed";
      },
    },
    onEvent: (event) => {
      if (event.type === "breaker") states.push(event.state);
    },
  });
  const error = await client.get("nothing").catch((cause: EngineError) => cause);
  // A 404 is an answer; the failure before it is not its cause.
  expect(error).toMatchObject({ reason: { _tag: "NotFound" }, attempts: 2 });
  expect(error).not.toHaveProperty("cause");
  expect(heard).toEqual([false, true]);
  expect(states).toEqual(["half-open", "closed", "half-open", "closed"]);
});
