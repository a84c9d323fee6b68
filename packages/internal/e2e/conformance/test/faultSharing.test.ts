// Identical calls under way share one exchange, and nobody's end is another's.
import { expect, test } from "vitest";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { good, refuse, theEngine } from "../src/fault/Acts.ts";
import { startFaultServer, type Act, type Arrived } from "@bytenite-engines/test-kit";
import type { Socket } from "node:net";

/** A server that holds its answers back until they are let go. */
const holding = async (act: Act = good) => {
  const held: Array<() => void> = [];
  const server = await startFaultServer((socket: Socket, arrived: Arrived, count: number) => {
    held.push(() => act(socket, arrived, count));
  });
  const client = createEngineClient({ baseUrl: server.baseUrl, token: "sharing-token" });
  return {
    server,
    client,
    arrivals: (count: number) => expect.poll(() => server.arrived.length, { timeout: 4_000 }).toBe(count),
    letGo: () => {
      for (const answer of held.splice(0)) answer();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
};

test("twenty identical calls are one request, and each has data of its own", async () => {
  await using at = await holding();
  const calls = Array.from({ length: 20 }, () => at.client.get("zipper"));
  await at.arrivals(1);
  at.letGo();
  const engines = await Promise.all(calls);
  expect(at.server.arrived.length).toBe(1);
  expect(new Set(engines).size).toBe(20);
  for (const engine of engines) engine.deviceRequirements?.gpu.push(`changed by ${engines.indexOf(engine)}`);
  expect(engines.map(({ deviceRequirements }) => deviceRequirements?.gpu.join())).toEqual(
    engines.map((_, index) => `${theEngine.deviceRequirements?.gpu.join()},changed by ${index}`),
  );
});

test("the next call after the end asks anew", async () => {
  await using server = await startFaultServer(good);
  const client = createEngineClient({ baseUrl: server.baseUrl });
  await client.get("zipper");
  await client.get("zipper");
  expect(server.arrived.length).toBe(2);
});

test("other tags, other parameters and other clients share nothing", async () => {
  await using at = await holding();
  const other = createEngineClient({ baseUrl: at.server.baseUrl, token: "another-token" });
  const calls = [
    at.client.get("zipper"),
    at.client.get("zipper@0.1"),
    at.client.get("zipper", { engineId: "7" }),
    other.get("zipper"),
  ];
  await at.arrivals(4);
  at.letGo();
  await Promise.all(calls);
  expect(new Set(at.server.arrived.map(({ headers }) => headers["authorization"]))).toEqual(
    new Set(["sharing-token", "another-token"]),
  );
});

test("sharing can be switched off for a call and for a client", async () => {
  await using at = await holding();
  const alone = createEngineClient({ baseUrl: at.server.baseUrl, dedupe: false });
  const calls = [1, 2].flatMap(() => [at.client.get("zipper", { dedupe: false }), alone.get("zipper")]);
  await at.arrivals(4);
  at.letGo();
  expect((await Promise.all(calls)).length).toBe(4);
});

test("when the one who asked first is aborted, the others still get their data by one new request", async () => {
  await using at = await holding();
  const controller = new AbortController();
  const leader = at.client.get("zipper", { signal: controller.signal }).catch((error: unknown) => error);
  const followers = Array.from({ length: 5 }, () => at.client.get("zipper"));
  await at.arrivals(1);
  controller.abort("gone");
  expect(await leader).toBe("gone");
  await at.arrivals(2);
  at.letGo();
  expect((await Promise.all(followers)).map(({ name }) => name)).toEqual(Array.from({ length: 5 }, () => "zipper"));
  expect(at.server.arrived.length).toBe(2);
});

test("one who waits and is aborted leaves the exchange to the others", async () => {
  await using at = await holding();
  const controller = new AbortController();
  const leader = at.client.get("zipper");
  const follower = at.client.get("zipper", { signal: controller.signal }).catch((error: unknown) => error);
  await at.arrivals(1);
  controller.abort("gone");
  expect(await follower).toBe("gone");
  at.letGo();
  expect((await leader).name).toBe("zipper");
  expect(at.server.arrived.length).toBe(1);
});

test("a failure is shared as well", async () => {
  await using at = await holding(refuse(404, 5));
  const calls = [1, 2, 3].map(() => at.client.get("zipper").catch((error: unknown) => error));
  await at.arrivals(1);
  at.letGo();
  expect((await Promise.all(calls)).map(String)).toEqual(
    Array.from({ length: 3 }, () => expect.stringMatching(/Not found/)),
  );
  expect(at.server.arrived.length).toBe(1);
});
