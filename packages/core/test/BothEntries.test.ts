import { getEventListeners } from "node:events";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import * as Stream from "effect/Stream";
import * as TestClock from "effect/testing/TestClock";
import { expect, test } from "vitest";
import { EngineClient } from "../src/index.ts";
import { createEngineClient, type EngineEvent, type Fetch, type Middleware } from "../src/promise.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import { maxSharedWaitMs } from "../src/Deduplication.ts";

const baseUrl = "http://127.0.0.1:4010/v1/dev";
const engines = ["a", "b", "c"].map((name) => ({ name, version: "1.0" }));

test("both entries return all allowed pages before they fail with more", async () => {
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
    // Node reports unhandled rejections before the next turn of the loop.
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
    yield* TestClock.adjust("1 second");
    const follower = yield* Effect.forkChild(Effect.flip(client.get("a")), { startImmediately: true });
    yield* TestClock.adjust("1 second");
    expect(counts.requests).toBe(1);
    yield* Fiber.interrupt(leader);
    while (counts.requests < 2) yield* Effect.yieldNow;
    yield* TestClock.adjust("29 seconds");
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

test("no call leaves a listener on its signal: neither one that ends, nor one that is aborted, nor one that waits for another's", async () => {
  const answered = [new AbortController(), new AbortController()];
  const sharing = createEngineClient({ baseUrl, fetch: memoryServer({ engines }).fetch });
  await Promise.all(answered.map(({ signal }) => sharing.get("a", { signal })));
  const client = createEngineClient({ baseUrl, fetch: silent().fetch });
  const aborted = [new AbortController(), new AbortController()];
  const calls = aborted.map((controller) => client.get("a", { signal: controller.signal }));
  for (const controller of aborted) controller.abort();
  const results = await Promise.allSettled(calls);
  expect(results.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
  for (const { signal } of [...answered, ...aborted]) {
    expect(getEventListeners(signal, "abort")).toEqual([]);
  }
});

test("another's exchange is waited for three seconds from its start; then one of those who wait asks anew", async () => {
  const { counts, fetch } = silent();
  const options = { baseUrl, fetch, attemptTimeoutMs: Infinity, deadlineMs: 30_000 };
  await Effect.gen(function* () {
    const client = yield* EngineClient;
    const call = Effect.forkChild(Effect.flip(client.get("a")), { startImmediately: true });
    yield* call;
    yield* TestClock.adjust("1 second");
    yield* call;
    yield* call;
    yield* TestClock.adjust(maxSharedWaitMs - 1_001);
    expect(counts.requests).toBe(1);
    yield* TestClock.adjust("1 millis");
    while (counts.requests < 2) yield* Effect.yieldNow;
    yield* TestClock.adjust("1 second");
    expect(counts.requests).toBe(2);
  }).pipe(Effect.provide(EngineClient.layer(options)), Effect.provide(TestClock.layer()), Effect.runPromise);
});

test("an exchange that is older than that is not joined", async () => {
  const { counts, fetch } = silent();
  const options = { baseUrl, fetch, attemptTimeoutMs: Infinity, deadlineMs: 30_000 };
  await Effect.gen(function* () {
    const client = yield* EngineClient;
    yield* Effect.forkChild(Effect.flip(client.get("a")), { startImmediately: true });
    yield* TestClock.adjust(maxSharedWaitMs);
    yield* Effect.forkChild(Effect.flip(client.get("a")), { startImmediately: true });
    expect(counts.requests).toBe(2);
  }).pipe(Effect.provide(EngineClient.layer(options)), Effect.provide(TestClock.layer()), Effect.runPromise);
});

const failsTwice = (_request: Request, count: number) => (count < 3 ? new Response("{}", { status: 503 }) : undefined);

test.each([1, 64])(
  "%i identical calls that fail together send again together, for the price of one retry",
  async (calls) => {
    const server = memoryServer({ engines, answer: failsTwice });
    const held: Array<() => void> = [];
    const fetch: Fetch = async (url, init) => {
      await new Promise<void>((resolve) => held.push(resolve));
      return server.fetch(url, init);
    };
    const budgets: Array<number> = [];
    const onEvent = (event: EngineEvent): void => void (event.type === "retry" && budgets.push(event.budgetTokens));
    await Effect.gen(function* () {
      const client = yield* EngineClient;
      const asked = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: calls }, () => client.get("a")),
          { concurrency: "unbounded" },
        ),
        { startImmediately: true },
      );
      for (let requests = 1; requests <= 3; requests++) {
        while (held.length === 0) yield* Effect.yieldNow;
        held.shift()?.();
        while (budgets.length < Math.min(requests, 2) * calls) yield* Effect.yieldNow;
        yield* TestClock.adjust("1 second");
      }
      expect((yield* Fiber.join(asked)).map(({ name }) => name)).toEqual(Array.from({ length: calls }, () => "a"));
    }).pipe(
      Effect.provide(EngineClient.layer({ baseUrl, fetch, onEvent })),
      Effect.provide(TestClock.layer()),
      Effect.runPromise,
    );
    expect(server.requests.length).toBe(3);
    expect(Math.min(...budgets)).toBe(500 - 2 * 14);
  },
);

test("callers with other credentials or another form share nothing", async () => {
  const server = memoryServer({ engines });
  let user = "alice";
  const middleware: ReadonlyArray<Middleware> = [
    (request, next) => next({ ...request, headers: { ...request.headers, Cookie: `session=${user}` } }),
  ];
  const client = createEngineClient({ baseUrl, fetch: server.fetch, middleware });
  const calls: Array<Promise<unknown>> = [];
  for (user of ["alice", "bob", "alice"]) calls.push(client.get("a"));
  await Promise.all(calls);
  expect(server.requests.length).toBeGreaterThanOrEqual(2);
  const cookies = server.requests.map(({ headers }) => headers.get("cookie"));
  expect(new Set(cookies)).toEqual(new Set(["session=alice", "session=bob"]));
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
