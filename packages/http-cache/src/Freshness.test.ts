import * as fc from "fast-check";
import { expect, test } from "vitest";
import { currentAge, freshnessOf, timeToLive, usableUntil, type Freshness } from "./Freshness.ts";
import { formatHttpDate } from "./HttpDate.ts";
import type { CacheOptions } from "./CacheOptions.ts";
import { responseDirectives } from "./ResponseDirectives.ts";

const now = Date.UTC(2026, 10, 24, 12);
const at = (seconds: number): string => formatHttpDate(now + seconds * 1000);
const shared: CacheOptions = { shared: true, targetedFields: ["cdn-cache-control"] };
const own: CacheOptions = { shared: false, targetedFields: [] };

const freshness = (
  headers: Record<string, string>,
  policy: CacheOptions = shared,
  requestTimeMs = now,
  status = 200,
): Freshness => {
  const fields = new Headers(headers);
  return freshnessOf(
    status,
    fields,
    responseDirectives(fields, policy),
    { requestTimeMs, responseTimeMs: now },
    policy,
  );
};

test.each<[Record<string, string>, CacheOptions, number, boolean]>([
  // RFC 9111, 4.2.1: s-maxage in a shared cache, then max-age, then Expires minus Date.
  [{ "cache-control": "max-age=60, s-maxage=5" }, shared, 5, true],
  [{ "cache-control": "max-age=60, s-maxage=5" }, own, 60, true],
  [{ "cache-control": "s-maxage=5" }, own, 0, false],
  [{ "cache-control": "max-age=60", expires: at(5), date: at(0) }, shared, 60, true],
  [{ "cache-control": "max-age=0", expires: at(5), date: at(0) }, shared, 0, true],
  [{ expires: at(30), date: at(0) }, shared, 30, true],
  [{ expires: at(30), date: at(10) }, shared, 20, true],
  [{ expires: at(30) }, shared, 30, true],
  [{ expires: at(-30), date: at(0) }, shared, 0, true],
  // 5.3: an invalid date is in the past.
  [{ expires: "0", date: at(0) }, shared, 0, true],
  [{ "cache-control": "max-age=x" }, shared, 0, true],
  // RFC 9213, 2.2: with a targeted field Expires does not count.
  [{ "cdn-cache-control": "public", expires: at(30) }, shared, 0, false],
  [{}, shared, 0, false],
])("the lifetime of %j in %j is %i s", (headers, policy, seconds, explicit) => {
  expect(freshness(headers, policy)).toMatchObject({ lifetimeMs: seconds * 1000, explicit });
});

test.each<[Record<string, string>, number, number]>([
  // RFC 9111, 4.2.3: the greater of apparent age, and Age plus the delay of the answer.
  [{}, 0, 0],
  [{ date: at(-10) }, 0, 10],
  [{ date: at(10) }, 0, 0],
  [{ age: "30" }, 0, 30],
  [{ age: "30" }, 4, 34],
  [{ age: "30", date: at(-40) }, 4, 40],
  // 5.1: the first member of a list; what is not a number is ignored.
  [{ age: "7200, 0" }, 0, 7200],
  [{ age: "0, 7200" }, 0, 0],
  [{ age: "30 , 7200" }, 0, 30],
  [{ age: "abc" }, 0, 0],
  [{ age: "-7200" }, 0, 0],
  [{ age: "7200.0" }, 0, 0],
  [{ age: "99999999999" }, 0, 2_147_483_648],
])("the age of %j after %i s of waiting is %i s", (headers, delay, seconds) => {
  expect(freshness(headers, shared, now - delay * 1000).initialAgeMs).toBe(seconds * 1000);
});

// RFC 9111, 4.2.3: "The corrected_age_value MAY be used as the corrected_initial_age. In circumstances where very old cache
// implementations that might not correctly insert Age are present, corrected_initial_age can be calculated more
// conservatively as corrected_initial_age = max(apparent_age, corrected_age_value)".
test.each<[Record<string, string>, number, number]>([
  [{ date: at(-10) }, 0, 0],
  [{ date: at(-10) }, 4, 4],
  [{ date: at(-40), age: "30" }, 4, 34],
])("without apparent age, the age of %j after %i s of waiting is %i s", (headers, delay, seconds) => {
  const options = { ...shared, apparentAge: false };
  expect(freshness(headers, options, now - delay * 1000).initialAgeMs).toBe(seconds * 1000);
});

// RFC 9111, 4.2.2: "heuristics can only be used on responses without explicit freshness whose status codes are defined as
// heuristically cacheable [...] and those responses without explicit freshness that have been marked as explicitly
// cacheable (e.g., with a "public" response directive)."
test.each<[number, Record<string, string>, number]>([
  [200, {}, 10],
  [404, {}, 10],
  [403, {}, 0],
  [403, { "cache-control": "public" }, 10],
  [403, { "cache-control": "private" }, 0],
])("the default lifetime of status %i with %j is %i s", (status, headers, seconds) => {
  const options = { ...own, defaults: { freshMs: 10_000 } };
  expect(freshness(headers, options, now, status)).toMatchObject({ lifetimeMs: seconds * 1000, explicit: false });
});

test("heuristics take the statuses of RFC 9110, 15.1, but 206", () => {
  const options = { ...own, defaults: { freshMs: 10_000 } };
  const statuses = Array.from({ length: 400 }, (_, index) => 200 + index);
  expect(statuses.filter((status) => freshness({}, options, now, status).lifetimeMs > 0)).toEqual([
    200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501,
  ]);
});

test("the fraction of the second in which an answer came is not age", () => {
  const headers = new Headers({ date: at(0) });
  const times = { requestTimeMs: now + 800, responseTimeMs: now + 900 };
  expect(freshnessOf(200, headers, responseDirectives(headers, shared), times, shared).initialAgeMs).toBe(100);
});

test("defaults apply only to what the answer leaves open", () => {
  expect(freshness({}, own)).toMatchObject({ lifetimeMs: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 0 });
  const policy = { ...own, defaults: { freshMs: 10_000, staleWhileRevalidateMs: 20_000, staleIfErrorMs: 30_000 } };
  expect(freshness({}, policy)).toMatchObject({
    lifetimeMs: 10_000,
    explicit: false,
    staleWhileRevalidateMs: 20_000,
    staleIfErrorMs: 30_000,
  });
  expect(freshness({ "cache-control": "max-age=1, stale-if-error=2" }, policy)).toMatchObject({
    lifetimeMs: 1_000,
    explicit: true,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 2_000,
  });
  // RFC 5861, 3: stale use while the origin can be asked needs its permission. RFC 9111, 4.2.4: where it cannot be asked, not.
  for (const fields of [{ "cache-control": "max-age=0" }, { expires: "0" }, { expires: at(5), date: at(0) }]) {
    expect(freshness(fields, policy)).toMatchObject({ staleWhileRevalidateMs: 0, staleIfErrorMs: 30_000 });
  }
  const ownWindow = { "cache-control": "max-age=1, stale-while-revalidate=3" };
  expect(freshness(ownWindow, policy).staleWhileRevalidateMs).toBe(3_000);
});

test.each<[string, CacheOptions, boolean]>([
  ["must-revalidate", own, true],
  ["proxy-revalidate", shared, true],
  ["proxy-revalidate", own, false],
  ["s-maxage=1", shared, true],
  ["s-maxage=1", own, false],
  ["max-age=1", shared, false],
])("%s in %j forbids serving stale: %s", (directives, policy, neverStale) => {
  const result = freshness({ "cache-control": `${directives}, stale-while-revalidate=9, stale-if-error=9` }, policy);
  expect(result.neverStale).toBe(neverStale);
  expect(result.staleWhileRevalidateMs).toBe(neverStale ? 0 : 9_000);
});

test.each<[number, Record<string, string>, number]>([
  [200, { "last-modified": at(-1000), date: at(0) }, 100],
  [200, { "last-modified": at(-1_000_000), date: at(0) }, 3_600],
  [599, { "last-modified": at(-1000), date: at(0) }, 0],
  [599, { "last-modified": at(-1000), date: at(0), "cache-control": "public" }, 100],
  [200, { "last-modified": at(10), date: at(0) }, 0],
  [200, { date: at(0) }, 0],
])("heuristic freshness of status %i with %j is %i s (RFC 9111, 4.2.2)", (status, headers, seconds) => {
  const policy = { ...shared, heuristic: { fraction: 0.1, maxMs: 3_600_000 } };
  expect(freshness(headers, policy, now, status).lifetimeMs).toBe(seconds * 1000);
  expect(freshness(headers, shared, now, status).lifetimeMs).toBe(0);
});

test("age only grows, what remains only shrinks, and past its last use an answer is stale in every window", () => {
  fc.assert(
    fc.property(fc.nat(1e7), fc.nat(1e7), fc.nat(1e6), fc.nat(1e6), (laterMs, evenLaterMs, age, lifetime) => {
      const stored = freshness({ age: `${age}`, "cache-control": `max-age=${lifetime}, stale-if-error=7` });
      const [first, second] = [now + laterMs, now + laterMs + evenLaterMs];
      expect(currentAge(stored, second)).toBeGreaterThanOrEqual(currentAge(stored, first));
      expect(timeToLive(stored, second)).toBeLessThanOrEqual(timeToLive(stored, first));
      expect(timeToLive(stored, Math.max(now, usableUntil(stored)))).toBeLessThanOrEqual(-7_000);
    }),
  );
});

test("an answer is of use until its lifetime and its longest stale window have passed", () => {
  const directives = "max-age=60, stale-while-revalidate=5, stale-if-error=7";
  expect(usableUntil(freshness({ age: "30", "cache-control": directives }))).toBe(now + 37_000);
});

test("what was received in the future, because the clock was set back, is as old as that is away", () => {
  const stored = freshness({ age: "30", "cache-control": "max-age=60" });
  expect(currentAge(stored, now - 1_000)).toBe(31_000);
  expect(timeToLive(stored, now - 86_400_000)).toBeLessThan(0);
});
