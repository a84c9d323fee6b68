import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Stream from "effect/Stream";
import * as TestClock from "effect/testing/TestClock";
import { expect, test } from "vitest";
import { EngineClient } from "../src/index.ts";
import { createEngineClient, type Fetch } from "../src/promise.ts";
import { memoryServer } from "../src/MemoryServer.ts";

const baseUrl = "http://127.0.0.1:4010/v1/dev";
const engines = ["a", "b", "c"].map((name) => ({ name, version: "1.0" }));

test("both doors hand out all pages that are allowed before they say that there are more", async () => {
  const options = { baseUrl, fetch: memoryServer({ engines }).fetch, limits: { maxPages: 2 } };
  const byPromise: Array<string> = [];
  const read = async (): Promise<void> => {
    for await (const { name } of createEngineClient(options).listAll({ limit: 1 })) byPromise.push(name);
  };
  await expect(read()).rejects.toMatchObject({ reason: { _tag: "TooLarge", limit: "maxPages", value: 2 } });
  const byEffect: Array<string> = [];
  const exit = await Effect.gen(function* () {
    const client = yield* EngineClient;
    return yield* Effect.exit(
      Stream.runForEach(client.listAll({ limit: 1 }), ({ name }) => Effect.sync(() => void byEffect.push(name))),
    );
  }).pipe(Effect.provide(EngineClient.layer(options)), Effect.runPromise);
  expect(Exit.isFailure(exit)).toBe(true);
  expect([byPromise, byEffect]).toEqual([
    ["a", "b"],
    ["a", "b"],
  ]);
});

test("a signal that is aborted while the request is being sent ends the call, and that request", async () => {
  const controller = new AbortController();
  const seen: Array<AbortSignal | null | undefined> = [];
  const fetch: Fetch = (_url, init) => {
    seen.push(init.signal);
    controller.abort(new Error("enough"));
    return new Promise(() => {});
  };
  const call = createEngineClient({ baseUrl, fetch }).get("a", { signal: controller.signal });
  await expect(call).rejects.toThrow("enough");
  expect(seen.map((signal) => signal?.aborted)).toEqual([true]);
});

const rejecting = (): Promise<void> => Promise.reject(new Error("the log is full"));

test("a listener for events that fails later takes nothing down", async () => {
  const unhandled: Array<unknown> = [];
  const note = (reason: unknown): void => void unhandled.push(reason);
  process.on("unhandledRejection", note);
  try {
    await createEngineClient({ baseUrl, fetch: memoryServer({ engines }).fetch, onEvent: rejecting }).get("a");
    // Node tells of rejections that nobody handles before the next turn of the loop.
    await new Promise(setImmediate);
    await new Promise(setImmediate);
  } finally {
    process.off("unhandledRejection", note);
  }
  expect(unhandled).toEqual([]);
});

test("who takes over a shared exchange has what is left of its own deadline, not a new one", async () => {
  const { counts, fetch } = silent();
  const options = { baseUrl, fetch, attemptTimeoutMs: Infinity, deadlineMs: 30_000 };
  const reason = await Effect.gen(function* () {
    const client = yield* EngineClient;
    const leader = yield* Effect.forkChild(client.get("a"), { startImmediately: true });
    const follower = yield* Effect.forkChild(Effect.flip(client.get("a")), { startImmediately: true });
    yield* TestClock.adjust("29 seconds");
    expect(counts.requests).toBe(1);
    yield* Fiber.interrupt(leader);
    expect(counts.requests).toBe(2);
    yield* TestClock.adjust("1 second");
    expect(follower.pollUnsafe()).toBeDefined();
    return (yield* Fiber.join(follower)).reason;
  }).pipe(Effect.provide(EngineClient.layer(options)), Effect.provide(TestClock.layer()), Effect.runPromise);
  expect(reason).toEqual({ _tag: "TimedOut", scope: "deadline", limitMs: 30_000 });
});

/** A fetch that never answers, and counts its requests. */
const silent = () => {
  const counts = { requests: 0 };
  const fetch: Fetch = (_url, init) => {
    counts.requests += 1;
    return new Promise((_resolve, reject) => {
      init.signal?.addEventListener("abort", () => reject(init.signal?.reason as Error), { once: true });
    });
  };
  return { counts, fetch };
};

test("who came late to a shared exchange begins anew when the other one's time is over", async () => {
  const { counts, fetch } = silent();
  const options = { baseUrl, fetch, attemptTimeoutMs: Infinity, deadlineMs: 30_000 };
  await Effect.gen(function* () {
    const client = yield* EngineClient;
    const leader = yield* Effect.forkChild(Effect.flip(client.get("a")), { startImmediately: true });
    const early = yield* Effect.forkChild(Effect.flip(client.get("a")), { startImmediately: true });
    yield* TestClock.adjust("20 seconds");
    const late = yield* Effect.forkChild(Effect.flip(client.get("a")), { startImmediately: true });
    expect(counts.requests).toBe(1);
    yield* TestClock.adjust("10 seconds");
    const deadline = { _tag: "TimedOut", scope: "deadline", limitMs: 30_000 };
    expect((yield* Fiber.join(leader)).reason).toEqual(deadline);
    expect((yield* Fiber.join(early)).reason).toEqual(deadline);
    expect(counts.requests).toBe(2);
    yield* TestClock.adjust("19 seconds");
    expect(late.pollUnsafe()).toBeUndefined();
    yield* TestClock.adjust("1 second");
    expect((yield* Fiber.join(late)).reason).toEqual(deadline);
  }).pipe(Effect.provide(EngineClient.layer(options)), Effect.provide(TestClock.layer()), Effect.runPromise);
});

test("the wait for a token counts on the deadline, not on the timeout of the attempt", async () => {
  const { counts, fetch } = silent();
  let give: ((token: string) => void) | undefined;
  const token = () => new Promise<string>((resolve) => (give = resolve));
  const options = { baseUrl, fetch, token, attemptTimeoutMs: 10_000, deadlineMs: 30_000, retry: { maxAttempts: 1 } };
  await Effect.gen(function* () {
    const client = yield* EngineClient;
    const call = yield* Effect.forkChild(Effect.flip(client.get("a")), { startImmediately: true });
    yield* TestClock.adjust("15 seconds");
    expect(counts.requests).toBe(0);
    give?.("token-1");
    while (counts.requests === 0) yield* Effect.yieldNow;
    yield* TestClock.adjust("9999 millis");
    expect(call.pollUnsafe()).toBeUndefined();
    yield* TestClock.adjust("1 millis");
    expect((yield* Fiber.join(call)).reason).toEqual({ _tag: "TimedOut", scope: "attempt", limitMs: 10_000 });
    const tokenless = yield* Effect.forkChild(Effect.flip(client.get("a")), { startImmediately: true });
    yield* TestClock.adjust("30 seconds");
    expect((yield* Fiber.join(tokenless)).reason).toEqual({ _tag: "TimedOut", scope: "deadline", limitMs: 30_000 });
    expect(counts.requests).toBe(1);
  }).pipe(Effect.provide(EngineClient.layer(options)), Effect.provide(TestClock.layer()), Effect.runPromise);
});

test("what a middleware throws reaches those who share the exchange as it is", async () => {
  const thrown = new TypeError("the signing key is gone");
  const middleware = [() => Promise.reject(thrown)];
  const client = createEngineClient({ baseUrl, fetch: memoryServer({ engines }).fetch, middleware });
  const ends = await Promise.all([1, 2, 3].map(() => client.get("a").catch((error: unknown) => error)));
  expect(ends).toEqual([thrown, thrown, thrown]);
});
