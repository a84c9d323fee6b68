import { getEventListeners } from "node:events";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { EngineError, type EngineErrorReason } from "../src/EngineError.ts";
import { AttemptFailure } from "../src/Failure.ts";
import { hedging, type Hedging, type HedgingOptions } from "../src/LatencyHedging.ts";
import { createEngineClient } from "../src/promise.ts";
import { json, startServer } from "@bytenite-engines/test-kit/ports";

const engine = { id: "1", name: "zipper" };
const options = (baseUrl: string, delayMs: number) =>
  ({ baseUrl, format: "json", hedging: hedging({ delayMs }), dedupe: false }) as const;

test.for<[where: string, begin: (response: ServerResponse) => void]>([
  ["before its answer", () => {}],
  [
    "in its body",
    (response) => {
      response.writeHead(200, { "content-type": "application/json", "content-length": 100 });
      response.write("{");
    },
  ],
])("a second request wins over a first one that hangs %s, and the first is aborted", async ([, begin]) => {
  const aborted = Promise.withResolvers<void>();
  await using server = await startServer((_request, response, count) => {
    if (count > 1) return json(response, 200, engine);
    begin(response);
    response.on("close", () => aborted.resolve());
  });
  const client = createEngineClient(options(server.baseUrl, 1));
  const answer = await client.withResponse.get("zipper");
  expect(answer).toMatchObject({ data: { name: "zipper" }, attempts: 1, requests: 2 });
  await aborted.promise;
});

test("no second request is sent while the first is fast", async () => {
  await using server = await startServer((_request, response) => json(response, 200, engine));
  const client = createEngineClient(options(server.baseUrl, 60_000));
  await client.get("zipper");
  expect(server.requests).toHaveLength(1);
});

test("a hedge that the budget cannot pay is not sent", async () => {
  let held: ServerResponse | undefined;
  await using server = await startServer((_request, response, count) => {
    if (count === 1) held = response;
  });
  const client = createEngineClient({ ...options(server.baseUrl, 0), retryBudget: 1 });
  const answer = client.get("zipper");
  await expect.poll(() => held).toBeDefined();
  if (held !== undefined) json(held, 200, engine);
  await expect(answer).resolves.toMatchObject({ name: "zipper" });
  expect(server.requests).toHaveLength(1);
});

test("when both fail, the first failure is reported", async () => {
  const held: Array<ServerResponse> = [];
  await using server = await startServer((_request, response) => {
    held.push(response);
    if (held.length !== 2) return;
    json(held[1] as ServerResponse, 503, { code: 14, message: "second" });
    json(held[0] as ServerResponse, 429, { code: 8, message: "first" });
  });
  const client = createEngineClient({ ...options(server.baseUrl, 0), retry: { maxAttempts: 1 } });
  await expect(client.get("zipper")).rejects.toMatchObject({ reason: { _tag: "RateLimited" } });
});

/** The delays after which a second request was sent, while requests took so long one after the other, in milliseconds. */
const delaysOf = async (hedge: Hedging, durationsMs: ReadonlyArray<number>): Promise<ReadonlyArray<number>> => {
  let clock = 0;
  const slept: Array<number> = [];
  const tools = {
    signal: new AbortController().signal,
    nowMs: () => clock,
    sleep: (ms: number) => {
      slept.push(ms);
      return new Promise<void>(() => {});
    },
    pay: () => true,
  };
  for (const durationMs of durationsMs)
    await hedge.around(async () => {
      clock += durationMs;
    }, tools);
  return slept;
};

/** Whole numbers from 1. */
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

test.for<[options: HedgingOptions, durationsMs: ReadonlyArray<number>, delaysMs: ReadonlyArray<number>]>([
  [{ minSamples: 3, percentile: 0.5 }, [10, 20, 30, 40], [20]],
  [{ minSamples: 0, percentile: 0.5 }, [10, 20], [10]],
  [{ minSamples: 1, percentile: 0.99 }, [30, 10, 20], [30, 30]],
  [{ minSamples: 4, percentile: 0.5 }, [9, 100, 30, 5, 5], [30]],
  [{}, upTo(20), []],
  [{}, upTo(21), [20]],
  [{ delayMs: 7 }, [10, 20], [7, 7]],
])("with %j, and requests of %j ms, the second requests are due after %j ms", async ([options, durations, delays]) => {
  expect(await delaysOf(hedging(options), durations)).toEqual(delays);
});

test("200 durations are kept, whose percentile is that of sorted numbers", async () => {
  const hedge = hedging({ minSamples: 200, percentile: 0.001 });
  const delays = await delaysOf(hedge, [
    ...Array.from({ length: 200 }, () => 1),
    ...Array.from({ length: 201 }, () => 100),
  ]);
  expect(delays).toEqual([...Array.from({ length: 200 }, () => 1), 100]);
});

test.for([[{ delayMs: -1 }], [{ percentile: 1 }], [{ percentile: 0 }], [{ minSamples: -1 }]])(
  "%j is refused",
  ([options]) => {
    expect(() => hedging(options)).toThrow(RangeError);
  },
);

test("an answer that no other attempt could change ends the wait for the first request", async () => {
  await using server = await startServer((_request, response, count) => {
    if (count === 2) json(response, 404, { code: 5, message: "no such engine" });
  });
  const client = createEngineClient({ ...options(server.baseUrl, 0), attemptTimeoutMs: 2_000 });
  await expect(client.get("zipper")).rejects.toMatchObject({ reason: { _tag: "NotFound" }, attempts: 1, requests: 2 });
});

test("what ends the attempt ends both requests, with its reason; afterwards nothing listens", async () => {
  const controller = new AbortController();
  const signals: Array<AbortSignal> = [];
  const tools = { signal: controller.signal, nowMs: () => 0, sleep: () => Promise.resolve(), pay: () => true };
  const call = hedging({ delayMs: 0 }).around((signal) => {
    signals.push(signal);
    return new Promise((_resolve, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
  }, tools);
  await expect.poll(() => signals.length).toBe(2);
  controller.abort(new Error("enough"));
  await expect(call).rejects.toThrow("enough");
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  const other = new AbortController();
  await hedging({ delayMs: 0 }).around(() => Promise.resolve(1), { ...tools, signal: other.signal });
  expect(getEventListeners(other.signal, "abort")).toEqual([]);
});

const failed = (reason: EngineErrorReason) =>
  new AttemptFailure(new EngineError({ reason, url: "http://a.example", attempts: 1 }));
const [unknown, refused, busy] = [
  failed({ _tag: "NotFound" }),
  failed({ _tag: "Unauthenticated" }),
  failed({ _tag: "Unavailable" }),
];
const broken = new Error("broken");

test.for<[what: string, second: unknown, first: unknown, outcome: unknown]>([
  ["a response", "second", "first", "second"],
  ["a failure that no attempt can change", unknown, "first", unknown],
  ["a refused token", refused, "first", "first"],
  ["a failure that may pass", busy, "first", "first"],
  ["a fault of our own", broken, "first", "first"],
  ["a failure that may pass, and the first one fails", busy, refused, refused],
  ["a refused token, and the first one fails for good", refused, unknown, unknown],
])("after a slow first request the second one has %s", async ([, second, first, outcome]) => {
  const sent: Array<PromiseWithResolvers<unknown>> = [];
  const signals: Array<AbortSignal> = [];
  const send = (signal: AbortSignal) => {
    signals.push(signal);
    const request = Promise.withResolvers<unknown>();
    sent.push(request);
    return request.promise;
  };
  const { signal } = new AbortController();
  const tools = { signal, nowMs: () => 0, sleep: () => Promise.resolve(), pay: () => true };
  const call = hedging({ delayMs: 0 })
    .around(send, tools)
    .catch((cause: unknown) => cause);
  await expect.poll(() => sent.length).toBe(2);
  for (const [at, result] of [second, first].entries()) {
    const request = sent[1 - at];
    if (result instanceof Error) request?.reject(result);
    else request?.resolve(result);
    await new Promise(setImmediate);
  }
  expect(await call).toBe(outcome);
  expect(signals.map(({ aborted }) => aborted)).toEqual([true, true]);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a wait that is given up sends no second request", async () => {
  const { signal } = new AbortController();
  let paid = 0;
  const tools = { signal, nowMs: () => 0, sleep: () => Promise.reject(new Error("ended")), pay: () => ++paid > 0 };
  let sent = 0;
  const send = async () => {
    await new Promise(setImmediate);
    return ++sent;
  };
  expect([await hedging({ delayMs: 0 }).around(send, tools), paid]).toEqual([1, 0]);
});
