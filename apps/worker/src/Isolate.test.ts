import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { parseConfig } from "./Config.ts";
import { createIsolate, type Fetched } from "./Isolate.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const neverAsked = () => Promise.reject(new Error("not to be asked"));

const start = (variables: Readonly<Record<string, string>> = {}) => {
  const clock = { ms: 1_000 };
  const config = parseConfig({ DEADLINE_MS: "8000", ...variables });
  return { clock, isolate: createIsolate({ config, fetch: neverAsked, store: undefined, now: () => clock.ms }) };
};

const result = { problem: "unreachable" } as unknown as Fetched;

test("a running request is joined by requests of its owner, until a second after its deadline", async () => {
  const {
    clock,
    isolate: { flights },
  } = start();
  const { promise, resolve } = Promise.withResolvers<Fetched>();
  expect(flights.follow("k", "alice")).toBeUndefined();
  const led = flights.lead("k", "alice", () => promise);
  expect([flights.has("k", "alice"), flights.has("k", "bob"), flights.has("l", "alice")]).toEqual([true, false, false]);
  expect(flights.follow("k", "bob")).toBeUndefined();
  clock.ms += 9_000;
  const followed = flights.follow("k", "alice");
  clock.ms += 1;
  expect([flights.has("k", "alice"), flights.follow("k", "alice")]).toEqual([false, undefined]);
  clock.ms -= 1;
  const late = flights.follow("k", "alice");
  resolve(result);
  expect([await led, await followed, await late]).toEqual([result, result, result]);
  expect([vi.getTimerCount(), flights.has("k", "alice")]).toEqual([0, false]);
});

test("who waits for longer than the deadline and a second gets nothing", async () => {
  const {
    isolate: { flights },
  } = start();
  void flights.lead("k", "alice", () => new Promise(() => {}));
  let found: unknown = "waiting";
  void flights.follow("k", "alice")?.then((late) => (found = late));
  await vi.advanceTimersByTimeAsync(8_999);
  expect(found).toBe("waiting");
  await vi.advanceTimersByTimeAsync(1);
  expect(found).toBeUndefined();
});

test("those of an owner, or all, are closed to others, and the end of one does not end a later one", async () => {
  const {
    isolate: { flights },
  } = start();
  const { promise, resolve } = Promise.withResolvers<Fetched>();
  const first = flights.lead("k", "alice", () => promise);
  void flights.lead("l", "bob", () => new Promise(() => {}));
  const followed = flights.follow("k", "alice");
  flights.close("alice");
  expect([flights.has("k", "alice"), flights.has("l", "bob")]).toEqual([false, true]);
  void flights.lead("k", "alice", () => new Promise(() => {}));
  resolve(result);
  expect([await first, await followed]).toEqual([result, result]);
  expect([flights.has("k", "alice"), flights.has("l", "bob")]).toEqual([true, true]);
  flights.close();
  expect([flights.has("k", "alice"), flights.has("l", "bob")]).toEqual([false, false]);
});

test("without a token, a tenth of the time since the last change is fresh, a day at most, and for ever where the upstream is down", () => {
  const { other } = start({ CACHE_ANONYMOUS: "on" }).isolate.caches;
  const day = 86_400_000;
  const request = { url: "https://upstream.example/a", headers: {} };
  const nowMs = 100 * day;
  const daysAgo = (days: number): string => new Date(nowMs - days * day).toUTCString();
  for (const [days, lifetimeMs] of [
    [1, day / 10],
    [10, day],
    [11, day],
  ] as const) {
    const headers = { date: daysAgo(0), "last-modified": daysAgo(days) };
    const { entry } = {
      entry: undefined,
      ...other.store(request, { headers }, { requestTimeMs: nowMs, responseTimeMs: nowMs }),
    };
    expect(entry).toMatchObject({ freshness: { lifetimeMs } });
    expect(entry && other.staleIfError(request, entry, undefined, nowMs + 1_000 * day)?.status).toBe(200);
  }
});
