// Cancellation at every stage of a call, without time limits.
import { getEventListeners } from "node:events";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import { expect, test } from "vitest";
import { EngineClient, type ClientOptions } from "@bytenite-engines/core";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { engineBytes, headOf, labels, refuse, silent, stallAfter } from "../src/fault/Acts.ts";
import { startFaultServer, type Act } from "@bytenite-engines/test-kit";
import { held, leftover } from "../src/fault/Held.ts";

const head = headOf({ headers: labels("protobuf"), body: engineBytes("protobuf") });

/** How far a call has come. */
type Stage = "arrived" | "answering" | "waiting";

const places: ReadonlyArray<readonly [name: string, act: Act, stage: Stage]> = [
  ["in the request", silent, "arrived"],
  ["in the headers", stallAfter(head.subarray(0, 20)), "arrived"],
  ["before the body", stallAfter(head), "answering"],
  ["in the body", stallAfter(Buffer.concat([head, engineBytes("protobuf").subarray(0, 5)])), "answering"],
  [
    "in a body that announces no length",
    stallAfter(headOf({ headers: labels("json"), contentLength: null })),
    "answering",
  ],
  ["in the wait for the next attempt", refuse(503, 14, { "Retry-After": "50" }), "waiting"],
];

/** A server, options of a client for it, and a promise of the moment that a call has come to the stage. */
const world = async (act: Act, stage: Stage) => {
  const reached = Promise.withResolvers<void>();
  const reach = (at: Stage): void => void (at === stage && setImmediate(reached.resolve));
  const server = await startFaultServer(act, () => reach("arrived"));
  const options: ClientOptions = {
    baseUrl: server.baseUrl,
    attemptTimeoutMs: Infinity,
    deadlineMs: Infinity,
    fetch: async (url, init) => {
      const response = await fetch(url, init);
      reach("answering");
      return response;
    },
    onEvent: ({ type }) => type === "retry" && reach("waiting"),
  };
  return { server, options, reached: reached.promise, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
};

test.for(places)("an AbortSignal ends the call %s, with its reason", { timeout: 40_000 }, async ([, act, stage]) => {
  const before = held();
  {
    await using at = await world(act, stage);
    const controller = new AbortController();
    const ended = createEngineClient(at.options)
      .get("zipper", { signal: controller.signal })
      .catch((error: unknown) => error);
    await at.reached;
    const reason = new Error("no longer wanted");
    controller.abort(reason);
    expect(await ended).toBe(reason);
    expect(getEventListeners(controller.signal, "abort")).toEqual([]);
    expect(at.server.arrived.length).toBe(1);
    await expect.poll(() => (stage === "waiting" ? 0 : at.server.open.size), { timeout: 20_000 }).toBe(0);
  }
  await expect.poll(() => leftover(before), { timeout: 20_000 }).toEqual([]);
});

test.for(places)("interrupting the fiber ends the call %s", { timeout: 40_000 }, async ([, act, stage]) => {
  const before = held();
  {
    await using at = await world(act, stage);
    const called = Effect.flatMap(EngineClient, (client) => client.get("zipper"));
    const fiber = Effect.runFork(Effect.provide(called, EngineClient.layer(at.options)));
    await at.reached;
    await Effect.runPromise(Fiber.interrupt(fiber));
    expect(Exit.hasInterrupts(await Effect.runPromise(Fiber.await(fiber)))).toBe(true);
    expect(at.server.arrived.length).toBe(1);
    await expect.poll(() => (stage === "waiting" ? 0 : at.server.open.size), { timeout: 20_000 }).toBe(0);
  }
  await expect.poll(() => leftover(before), { timeout: 20_000 }).toEqual([]);
});

test("a signal that is aborted already sends nothing", async () => {
  await using at = await world(silent, "arrived");
  const signal = AbortSignal.abort("never mind");
  await expect(createEngineClient(at.options).get("zipper", { signal })).rejects.toBe("never mind");
  expect(at.server.arrived).toEqual([]);
});

test("a signal that is never aborted keeps no listener, after success and after failure", async () => {
  await using right = await world(stallAfter(Buffer.concat([head, engineBytes("protobuf")])), "arrived");
  await using wrong = await world(refuse(404, 5), "arrived");
  const { signal } = new AbortController();
  await createEngineClient(right.options).get("zipper", { signal });
  await expect(createEngineClient(wrong.options).get("zipper", { signal })).rejects.toThrow("Not found");
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("a call that waits for a token is given up at once", async () => {
  await using at = await world(silent, "arrived");
  const asked = Promise.withResolvers<void>();
  const client = createEngineClient({
    ...at.options,
    token: () => {
      asked.resolve();
      return new Promise(() => {});
    },
  });
  const controller = new AbortController();
  const ended = client.get("zipper", { signal: controller.signal }).catch((error: unknown) => error);
  await asked.promise;
  controller.abort("given up");
  expect(await ended).toBe("given up");
  expect(at.server.arrived).toEqual([]);
});

test("listAll ends between two pages, and in one", async () => {
  const page = JSON.stringify({ engines: [{ name: "a" }], pagination: { hasNext: true } });
  const first = Buffer.concat([
    headOf({ headers: { "Content-Type": "application/json" }, body: page }),
    Buffer.from(page),
  ]);
  await using at = await world((socket, _arrived, count) => void (count === 1 && socket.write(first)), "arrived");
  const controller = new AbortController();
  const pages = createEngineClient(at.options).listAll({}, { signal: controller.signal })[Symbol.asyncIterator]();
  expect((await pages.next()).value).toMatchObject({ name: "a" });
  const second = pages.next().catch((error: unknown) => error);
  await expect.poll(() => at.server.arrived.length, { timeout: 20_000 }).toBe(2);
  controller.abort("enough");
  expect(await second).toBe("enough");
});
