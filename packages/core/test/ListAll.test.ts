import * as Effect from "effect/Effect";
import * as Stream from "effect/Stream";
import { expect, test } from "vitest";
import { EngineClient } from "../src/index.ts";
import { createEngineClient, EngineError } from "../src/promise.ts";
import { json, startServer } from "@bytenite-engines/test-kit/ports";

const defaultPage = 20;

/** A server of `total` engines that refuses limits above `largest`, with the limits and offsets it was asked for. */
const engineServer = async (total: number, largest = 10_000) => {
  const asked: Array<readonly [offset: number, limit: number | undefined]> = [];
  const server = await startServer((request, response) => {
    const query = new URL(request.url ?? "", "http://x").searchParams;
    const limit = query.has("pagination.limit") ? Number(query.get("pagination.limit")) : undefined;
    const offset = Number(query.get("pagination.offset") ?? 0);
    asked.push([offset, limit]);
    if (limit !== undefined && limit > largest) return json(response, 400, { code: 3, message: "limit too large" });
    const engines = Array.from({ length: Math.min(limit ?? defaultPage, total - offset) }, (_, index) => ({
      name: `e${offset + index}`,
    }));
    return json(response, 200, { engines, pagination: { hasNext: offset + engines.length < total } });
  });
  return { asked, server };
};

const readAll = {
  promise: async (baseUrl: string) => {
    const names: Array<string> = [];
    for await (const { name } of createEngineClient({ baseUrl, format: "json" }).listAll()) names.push(name);
    return names;
  },
  Effect: (baseUrl: string) =>
    Effect.gen(function* () {
      const client = yield* EngineClient;
      const engines = yield* Stream.runCollect(client.listAll());
      return engines.map(({ name }) => name);
    }).pipe(Effect.provide(EngineClient.layer({ baseUrl, format: "json" })), Effect.runPromise),
};

const entries = ["promise", "Effect"] as const;

test.for(entries)("%s: 100,000 engines take 101 requests, the first for the server's own page", async (entry) => {
  const { asked, server } = await engineServer(100_000);
  await using _ = server;
  const names = await readAll[entry](server.baseUrl);
  expect(new Set(names).size).toBe(100_000);
  expect(asked).toHaveLength(101);
  expect(asked.slice(0, 3)).toEqual([
    [0, undefined],
    [20, 1_000],
    [1_020, 1_000],
  ]);
});

test.for(entries)("%s: asks for half as many where the server refuses", async (entry) => {
  const { asked, server } = await engineServer(700, 300);
  await using _ = server;
  expect(await readAll[entry](server.baseUrl)).toEqual(Array.from({ length: 700 }, (_, index) => `e${index}`));
  expect(asked).toEqual([
    [0, undefined],
    [20, 1_000],
    [20, 500],
    [20, 250],
    [270, 250],
    [520, 250],
  ]);
});

test("the next page is asked for while one is used, and given up when nobody wants it", async () => {
  let wanted: (() => void) | undefined;
  const second = new Promise<void>((resolve) => (wanted = resolve));
  const closed = Promise.withResolvers<void>();
  await using server = await startServer((request, response, count) => {
    if (count === 1)
      return json(response, 200, { engines: [{ name: "a" }, { name: "b" }], pagination: { hasNext: true } });
    request.socket.on("close", () => closed.resolve());
    return wanted?.();
  });
  const client = createEngineClient({
    baseUrl: server.baseUrl,
    format: "json",
    attemptTimeoutMs: Infinity,
    deadlineMs: Infinity,
  });
  for await (const { name } of client.listAll()) {
    expect(name).toBe("a");
    await second;
    break;
  }
  await closed.promise;
});

test.for(entries)("%s: an empty page with hasNext is not the end of the list", async (entry) => {
  for (const sent of [2, 0]) {
    await using server = await startServer((_, response, count) =>
      json(response, 200, {
        engines: Array.from({ length: count === 1 ? sent : 0 }, (__, index) => ({ name: `e${index}` })),
        pagination: { total: 5, hasNext: true },
      }),
    );
    await expect(readAll[entry](server.baseUrl)).rejects.toMatchObject({
      reason: { _tag: "Undecodable", problem: expect.stringContaining(`ended the list early, after ${sent} of 5`) },
    });
  }
});

test("a page that fails fails after the engines before it", async () => {
  await using server = await startServer((_, response, count) =>
    count === 1
      ? json(response, 200, { engines: [{ name: "a" }], pagination: { hasNext: true } })
      : json(response, 403, { code: 7, message: "no" }),
  );
  const names: Array<string> = [];
  const client = createEngineClient({ baseUrl: server.baseUrl, format: "json" });
  const reading = (async () => {
    for await (const { name } of client.listAll()) names.push(name);
  })();
  await expect(reading).rejects.toBeInstanceOf(EngineError);
  expect(names).toEqual(["a"]);
});
