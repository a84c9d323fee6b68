// Budget, deadline, timers and breaker of calls, as their callers see them.
import { expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Schedule from "effect/Schedule";
import * as TestClock from "effect/testing/TestClock";
import { test } from "vitest";
import { EngineClient } from "./EngineClient.ts";
import type { EngineError } from "./EngineError.ts";
import type { EngineClientOptions } from "./EngineOptions.ts";
import { memoryServer } from "./MemoryServer.ts";
import { createEngineClient, type ClientOptions, type EngineEvent, type Fetch } from "./promise.ts";

const engines = [{ name: "a", version: "1.0" }];

/** A client whose server answers with these statuses, one after the other, and then with the engine. */
const clientOf = (statuses: ReadonlyArray<number>, options: ClientOptions = {}) => {
  const events: Array<EngineEvent> = [];
  const server = memoryServer({
    engines,
    answer: (_request, count) => {
      const status = statuses[count - 1] ?? 200;
      return status === 200 ? undefined : new Response("{}", { status });
    },
  });
  const retry = { baseDelayMs: 1, throttledBaseDelayMs: 1, ...options.retry };
  const client = createEngineClient({
    fetch: server.fetch,
    onEvent: (event) => void events.push(event),
    ...options,
    retry,
  });
  return { client, events, requests: server.requests };
};

test("a retry costs 14 of 500 tokens, after 429 it costs 5; a success gives back its price, or one token", async () => {
  const { client, events } = clientOf([503, 503, 200, 503, 200, 429, 200], { retry: { maxAttempts: 2 } });
  const ends: Array<unknown> = [];
  for (let call = 0; call < 4; call++)
    ends.push(
      await client.get("a").then(
        ({ name }) => name,
        (error: EngineError) => error.retryStopped,
      ),
    );
  expect(ends).toEqual(["attempts", "a", "a", "a"]);
  expect(
    events.flatMap((event) => (event.type === "retry" ? [[event.status, event.budgetTokens, event.hinted]] : [])),
  ).toEqual([
    [503, 486, false],
    [503, 473, false],
    [429, 482, false],
  ]);
});

test("events of a read have its template, and of another request its method", async () => {
  const { client, events } = clientOf([503, 200, 404], { baseUrl: "http://a.example", dedupe: false });
  await client.get("a");
  await client.upload(new Uint8Array()).catch(() => {});
  const [response, retry] = events;
  expect(response).toMatchObject({ type: "response", method: "GET", status: 503 });
  expect(retry).toEqual({
    type: "retry",
    endpoint: "get",
    url: "http://a.example/engines/a",
    template: "/engines/{engine_tag}",
    attempt: 1,
    delayMs: expect.any(Number) as number,
    reason: "Unavailable",
    status: 503,
    hinted: false,
    budgetTokens: 486,
  });
  const uploaded = events.filter(({ endpoint }) => endpoint === "upload");
  expect(uploaded.map(({ method }) => method)).toEqual(uploaded.map(() => "POST"));
});

test("calls at once are one request, with or without a signal of their own, and only reads", async () => {
  const { client, events, requests } = clientOf([]);
  const { signal } = new AbortController();
  await Promise.all([client.get("a"), client.get("a", { signal }), client.get("a", { format: undefined })]);
  expect(requests).toHaveLength(1);
  expect(events.map(({ type }) => type)).toEqual(["response"]);
  await Promise.allSettled([client.upload(new Uint8Array()), client.upload(new Uint8Array())]);
  expect(requests).toHaveLength(3);
});

test("a request without a token is not sent again after 401", async () => {
  const { client, requests } = clientOf([401]);
  await expect(client.get("a")).rejects.toMatchObject({ reason: { _tag: "Unauthenticated" }, requests: 1 });
  expect(requests).toHaveLength(1);
});

test("a delay is a random part of its upper bound", async () => {
  const { client, events } = clientOf([503, 503, 503], { retry: { baseDelayMs: 4, factor: 1 } });
  await client.get("a");
  const delays = events.flatMap((event) => (event.type === "retry" ? [event.delayMs] : []));
  expect(delays.map((ms) => ms >= 0 && ms < 4)).toEqual([true, true, true]);
  expect(new Set(delays).size).toBe(3);
});

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
const token = () => Promise.resolve("a-token");
const never: Fetch = () => new Promise(() => {});

test("no timer is left of a call that succeeded, failed, or was given up, nor of one whose token comes too late", async () => {
  const before = timers();
  await clientOf([], { token }).client.get("a");
  const { client } = clientOf([]);
  await client.get("a");
  await Promise.all([client.get("a"), client.get("a")]);
  await clientOf([404], { token })
    .client.get("a")
    .catch(() => {});
  const late = Promise.withResolvers<string>();
  for (const options of [{ fetch: never }, { token: () => late.promise }]) {
    const controller = new AbortController();
    const call = createEngineClient(options).get("a", { signal: controller.signal });
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
  }
  late.resolve("late");
  await new Promise(setImmediate);
  expect(timers()).toBeLessThanOrEqual(before);
});

const certificate = Object.assign(new Error("self-signed certificate"), { code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
const failing =
  (cause: Error): Fetch =>
  () =>
    Promise.reject(new TypeError("fetch failed", { cause }));

test.for<[what: string, heard: boolean | undefined, options: ClientOptions]>([
  ["an answer", true, {}],
  ["an error of the caller", true, { fetch: memoryServer().fetch }],
  ["an invalid certificate", false, { fetch: failing(certificate) }],
  ["no connection", false, { fetch: failing(new Error("refused")) }],
  ["a timeout", false, { fetch: never, attemptTimeoutMs: 1 }],
  ["the end of the deadline", false, { fetch: never, deadlineMs: 1 }],
  ["no token", undefined, { token: () => Promise.reject(new Error("sealed")) }],
  ["a call that is given up", undefined, { fetch: never }],
])("a breaker hears of %s: %s", async ([what, heard, options]) => {
  const records: Array<boolean | undefined> = [];
  const breaker = {
    admit: () => ({ retryAfterMs: 0, changed: undefined }),
    record: (_origin: string, _nowMs: number, sound: boolean | undefined) => void records.push(sound),
  };
  const controller = new AbortController();
  const { client } = clientOf([], { retry: { maxAttempts: 1 }, breaker, ...options });
  const call = client.get("a", { signal: controller.signal }).catch(() => {});
  if (what === "a call that is given up") controller.abort();
  await call;
  expect(records).toEqual([heard]);
});

/** What becomes of a call to a server that never answers, at each of these times, in milliseconds. */
const silent = (options: EngineClientOptions, ...times: ReadonlyArray<number>) =>
  Effect.gen(function* () {
    let requests = 0;
    const fetch: Fetch = (url, init) => {
      requests += 1;
      return never(url, init);
    };
    const client = yield* EngineClient;
    const call = yield* Effect.forkChild(Effect.flip(client.get("a", { ...options, fetch })), {
      startImmediately: true,
    });
    let now = 0;
    const ends: Array<unknown> = [];
    for (const time of times) {
      yield* TestClock.adjust(time - now);
      for (let turn = 0; turn < 9; turn++) yield* Effect.promise(() => new Promise(setImmediate));
      now = time;
      const reason = call.pollUnsafe() === undefined ? undefined : (yield* Fiber.join(call)).reason;
      ends.push([requests, reason?._tag === "TimedOut" ? reason.scope : reason]);
    }
    yield* Fiber.interrupt(call);
    return ends;
  }).pipe(Effect.provide(EngineClient.layer({ retry: { baseDelayMs: 0 } })));

it.effect("a later attempt has what is left of the deadline, and one is made in the last millisecond", () =>
  Effect.gen(function* () {
    const long = { attemptTimeoutMs: 6_000_000, deadlineMs: 10_000_000 };
    expect(yield* silent(long, 5_999_999, 6_000_000, 9_999_999, 10_000_000)).toEqual([
      [1, undefined],
      [2, undefined],
      [2, undefined],
      [2, "deadline"],
    ]);
    expect(yield* silent({ attemptTimeoutMs: 9, deadlineMs: 10 }, 8, 9, 10)).toEqual([
      [1, undefined],
      [2, undefined],
      [2, "deadline"],
    ]);
  }),
);

it.effect("a delay of a schedule ends the call where nothing is left after it, whatever the other delays are", () =>
  Effect.gen(function* () {
    const ends: Array<unknown> = [];
    for (const delayMs of [999, 1_000]) {
      const { fetch, requests } = memoryServer({ answer: () => new Response("{}", { status: 503 }) });
      const events: Array<EngineEvent> = [];
      const schedule = Schedule.spaced(delayMs).pipe(Schedule.upTo({ times: 1 }));
      const options = {
        fetch,
        deadlineMs: 1_000,
        retry: { schedule, baseDelay: "1000 hours", maxDelay: "1000 hours" },
        onEvent: (event: EngineEvent) => void events.push(event),
      } as const;
      const client = yield* EngineClient;
      const call = yield* Effect.forkChild(Effect.flip(client.get("a", options)), { startImmediately: true });
      while (call.pollUnsafe() === undefined) {
        for (let turn = 0; turn < 9; turn++) yield* Effect.promise(() => new Promise(setImmediate));
        yield* TestClock.adjust(delayMs);
      }
      const { retryStopped, reason } = yield* Fiber.join(call);
      const hinted = events.flatMap((event) => (event.type === "retry" ? [event.hinted] : []));
      ends.push([requests.length, reason._tag, retryStopped, hinted]);
    }
    expect(ends).toEqual([
      [2, "Unavailable", "schedule", [false]],
      [1, "Unavailable", "deadline", []],
    ]);
  }).pipe(Effect.provide(EngineClient.layer())),
);

it.effect("times are those of the clock: of a request, of the last attempt, and of the whole call", () =>
  Effect.gen(function* () {
    const answers = Array.from({ length: 2 }, () => Promise.withResolvers<Response>());
    const events: Array<EngineEvent> = [];
    const asked: Array<string> = [];
    const client = yield* EngineClient;
    yield* TestClock.adjust(5_000_000);
    const call = yield* Effect.forkChild(
      client.withResponse.get("a", {
        fetch: (url) => answers[asked.push(url) - 1]?.promise ?? Promise.reject(new Error("no more")),
        deadlineMs: Infinity,
        attemptTimeoutMs: Infinity,
        retry: { baseDelayMs: 0 },
        onEvent: (event) => void events.push(event),
      }),
      { startImmediately: true },
    );
    yield* TestClock.adjust(20_000_000);
    answers[0]?.reject(new TypeError("fetch failed"));
    while (asked.length < 2) {
      yield* Effect.promise(() => new Promise(setImmediate));
      yield* TestClock.adjust(0);
    }
    yield* TestClock.adjust(10_000_000);
    answers[1]?.resolve(Response.json({ name: "a" }));
    const { totalMs, lastAttemptMs } = yield* Fiber.join(call);
    expect([totalMs, lastAttemptMs]).toEqual([30_000_000, 10_000_000]);
    expect(events.flatMap((event) => ("durationMs" in event ? [[event.type, event.durationMs]] : []))).toEqual([
      ["request-error", 20_000_000],
      ["response", 10_000_000],
    ]);
  }).pipe(Effect.provide(EngineClient.layer({ format: "json" }))),
);
