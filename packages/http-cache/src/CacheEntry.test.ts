import { expect, test } from "vitest";
import { httpCache, type CacheEntry } from "./index.ts";

const now = Date.UTC(2026, 10, 24, 12);
const times = { requestTimeMs: now, responseTimeMs: now };
const request = { url: "https://a.example/x", headers: { accept: "a" } };
const cache = httpCache();

const stored = (): CacheEntry => {
  const headers = { "cache-control": "max-age=60, stale-if-error=60", etag: '"a"', vary: "Accept, X" };
  const result = cache.store(request, { status: 200, headers }, times);
  if (!result.stored) throw new Error(result.reason);
  return result.entry;
};

/** An entry as a storage returns it, with one part changed; undefined removes the part. */
const changed = (part: string, value: unknown): CacheEntry => {
  const entry = { ...stored(), freshness: { ...stored().freshness } };
  if (part in entry.freshness) Object.assign(entry.freshness, { [part]: value });
  else Object.assign(entry, { [part]: value });
  return JSON.parse(JSON.stringify(entry)) as CacheEntry;
};

const numbers = ["lifetimeMs", "initialAgeMs", "responseTimeMs", "staleWhileRevalidateMs", "staleIfErrorMs"];
const flags = ["explicit", "alwaysValidate", "neverStale"];

const damaged: ReadonlyArray<readonly [part: string, value: unknown]> = [
  ...["version", "url", "status", "headers", "vary", "freshness", ...numbers, ...flags].flatMap((part) =>
    [undefined, null, [], {}]
      .filter((value) => !(["headers", "vary"].includes(part) && Array.isArray(value)))
      .map((value) => [part, value] as const),
  ),
  ["version", 0],
  ["version", 2],
  ["version", "1"],
  ["url", 1],
  ["status", "200"],
  ["status", 200.5],
  ...numbers.map((part) => [part, "1"] as const),
  // JSON has no NaN and no Infinity: they come back as null.
  ["lifetimeMs", Number.POSITIVE_INFINITY],
  ...flags.map((part) => [part, "true"] as const),
  ...flags.map((part) => [part, 0] as const),
  ["freshness", 1],
  ["headers", ["etag", '"a"']],
  ["headers", [["etag"]]],
  ["headers", [["etag", '"a"', "b"]]],
  ["headers", [["etag", null]]],
  ["headers", [["etag", 1]]],
  ["headers", [["", "a"]]],
  ["headers", [[null, "a"]]],
  ["headers", [["e tag", "a"]]],
  ["headers", [["etag", "a\nb"]]],
  ["headers", [["etag", "a\rb"]]],
  ["headers", [["etag", "a\0b"]]],
  ["headers", [["etag", "\u20ac"]]],
  ["headers", [null]],
  ["headers", [{ 0: "etag", 1: "a", length: 2 }]],
  ["vary", [["accept"]]],
  ["vary", [["accept", "a", "b"]]],
  ["vary", [["accept", 1]]],
  ["vary", [[null, "a"]]],
  ["vary", [["a b", null]]],
  ["vary", [null]],
];

test.each(damaged)("an entry whose %s is %j counts as absent, and the outcome says why", (part, value) => {
  const entry = changed(part, value);
  const evaluation = cache.evaluate(request, entry, now);
  expect(evaluation).toMatchObject({
    action: "forward",
    entry: undefined,
    outcome: { forward: "uri-miss", detail: "invalid-entry" },
  });
  expect(cache.update(entry, request, { status: 304, headers: { etag: '"a"' } }, times)).toEqual({
    action: "mismatch",
  });
  expect(cache.staleIfError(request, entry, undefined, now)).toBeUndefined();
});

const others: ReadonlyArray<unknown> = [undefined, null, 0, "entry", true, [], {}, [null], [undefined, "entry"], [[]]];

test.each(others)("what a storage returns in place of an entry counts as absent: %j", (value) => {
  const entry = value as CacheEntry;
  expect(cache.evaluate(request, entry, now)).toMatchObject({ action: "forward", outcome: { forward: "uri-miss" } });
  expect(cache.update(entry, request, { status: 304, headers: {} }, times)).toEqual({ action: "mismatch" });
  expect(cache.staleIfError(request, entry, undefined, now)).toBeUndefined();
});

test("a whole entry is served, also next to a damaged one; an absent one is not damage", () => {
  const entry = changed("body", "more than an entry has");
  expect(cache.evaluate(request, entry, now)).toMatchObject({ action: "fresh", entry });
  expect(cache.evaluate(request, [changed("url", 1), entry], now)).toMatchObject({ action: "fresh", entry });
  expect(cache.staleIfError(request, entry, undefined, now)).toBeDefined();
  expect(cache.update(entry, request, { status: 304, headers: { etag: '"a"' } }, times).action).toBe("updated");
  for (const absent of [undefined, null, []]) {
    expect(cache.evaluate(request, absent, now)).toMatchObject({ outcome: { forward: "uri-miss" } });
    expect(cache.evaluate(request, absent, now).outcome).not.toHaveProperty("detail");
  }
  const other = { ...entry, url: "https://a.example/y" };
  expect(cache.evaluate(request, other, now).outcome).toEqual({ forward: "uri-miss" });
  expect(cache.evaluate({ ...request, method: "POST" }, changed("url", 1), now).outcome).toEqual({ forward: "method" });
});

/** How often the version of an entry is read in three evaluations: once for each check of the entry. */
const checksOf = (entry: CacheEntry): number => {
  let checks = 0;
  const version = {
    get: () => {
      checks += 1;
      return entry.version;
    },
  };
  const observed = Object.defineProperty({ ...entry }, "version", version);
  for (let round = 0; round < 3; round++) cache.evaluate(request, observed, now);
  return checks;
};

test("an entry is checked once, a damaged one each time", () => {
  expect([checksOf(stored()), checksOf(changed("url", 1))]).toEqual([1, 3]);
});
