import { expect, test } from "vitest";
import type { Purge } from "./Purge.ts";
import { PurgeLog } from "./PurgeLog.ts";

/** A log over storage that is a map, and takes 128 keys at a time as that of a Durable Object does. */
const start = () => {
  const stored = new Map<string, unknown>();
  const storage = {
    get: async (key: string) => stored.get(key),
    put: async (entries: Record<string, unknown>) => {
      for (const [key, value] of Object.entries(entries)) stored.set(key, value);
    },
    delete: async (keys: ReadonlyArray<string>) => {
      if (keys.length > 128) throw new Error("too many keys");
      for (const key of keys) stored.delete(key);
    },
    list: async ({ prefix, start: first }: { prefix: string; start: string }) =>
      new Map(
        [...stored].filter(([key]) => key.startsWith(prefix) && key >= first).toSorted(([a], [b]) => (a < b ? -1 : 1)),
      ),
  };
  // The runtime alone makes Durable Objects.
  const log = Object.create(PurgeLog.prototype, { ctx: { value: { storage } } }) as PurgeLog;
  const add = (atMs: number) => log.append({ atMs, hard: false });
  return { stored, log, add };
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

test("5,000 purges are kept, and 127 more; the oldest become one of everything for who has not read them", async () => {
  const { stored, log, add } = start();
  for (let number = 1; number <= 5_119; number++) await add(number);
  expect(stored.size).toBe(5_119 + 1);
  await add(5_120);
  expect(stored.size).toBe(5_000 + 1);
  expect(await log.since(120)).toEqual({ purges: purgesFrom(121, 5_120), last: 5_120 });
  expect(await log.since(119)).toEqual({ purges: [{ atMs: 121, hard: true }, ...purgesFrom(121, 5_120)], last: 5_120 });
  for (let number = 5_121; number <= 5_248; number++) await add(number);
  expect(stored.size).toBe(5_000 + 1);
});
