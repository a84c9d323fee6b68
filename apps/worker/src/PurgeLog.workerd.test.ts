import { expect, test } from "vitest";
import type { Purge } from "./Purge.ts";
import { PurgeLog } from "./PurgeLog.ts";

/** A log over storage that is a map. */
const start = () => {
  const stored = new Map<string, unknown>();
  const storage = {
    get: async (key: string) => stored.get(key),
    put: async (entries: Record<string, unknown>) => {
      for (const [key, value] of Object.entries(entries)) stored.set(key, value);
    },
    delete: async (key: string) => stored.delete(key),
    list: async ({ prefix, start: first }: { prefix: string; start: string }) =>
      new Map(
        [...stored].filter(([key]) => key.startsWith(prefix) && key >= first).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      ),
  };
  // The runtime alone makes Durable Objects.
  const log = Object.create(PurgeLog.prototype, { ctx: { value: { storage } } }) as PurgeLog;
  const add = (atMs: number) => log.append({ atMs, hard: false });
  return { stored, storage, log, add };
};

const purgesFrom = (first: number, last: number): ReadonlyArray<Purge> =>
  Array.from({ length: last - first + 1 }, (_, index) => ({ atMs: first + index, hard: false }));

test("purges are numbered, and read from where reading ended", async () => {
  const { stored, log, add } = start();
  expect(await log.since(0)).toEqual({ purges: [], last: 0 });
  expect([await add(1), await add(2), await add(3)]).toEqual([1, 2, 3]);
  expect([...stored.keys()].toSorted()).toEqual([
    "last",
    ...[1, 2, 3].map((number) => `purge/00000000000000${number}`),
  ]);
  expect(await log.since(0)).toEqual({ purges: purgesFrom(1, 3), last: 3 });
  expect(await log.since(2)).toEqual({ purges: purgesFrom(3, 3), last: 3 });
  expect(await log.since(3)).toEqual({ purges: [], last: 3 });
});

test("5,000 purges are kept; the oldest become one of everything for who has not read them", async () => {
  const { stored, log, add } = start();
  for (let number = 1; number <= 5_000; number++) await add(number);
  expect(await log.since(0)).toEqual({ purges: purgesFrom(1, 5_000), last: 5_000 });
  for (let number = 5_001; number <= 5_003; number++) await add(number);
  expect(stored.size).toBe(5_000 + 1);
  expect(await log.since(3)).toEqual({ purges: purgesFrom(4, 5_003), last: 5_003 });
  expect(await log.since(2)).toEqual({ purges: [{ atMs: 4, hard: true }, ...purgesFrom(4, 5_003)], last: 5_003 });
});

test("a purge is written with the deletion of the oldest one, without waiting between them", async () => {
  const { stored, storage, add } = start();
  for (let number = 1; number <= 5_000; number++) await add(number);
  storage.put = () => new Promise(() => {});
  void add(5_001);
  await new Promise(setImmediate);
  expect(stored.has("purge/000000000000001")).toBe(false);
});
