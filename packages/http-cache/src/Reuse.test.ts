import { expect, test } from "vitest";
import type { Freshness } from "./Freshness.ts";
import { requestDirectives } from "./RequestDirectives.ts";
import { evaluate, mayServeDisconnected, mayServeOnError, type Evaluation } from "./Reuse.ts";

const now = 1_000_000_000_000;

/** A response of this age: fresh for 60 s, stale-while-revalidate for 30 s, stale-if-error for 300 s. */
const stored = (ageSeconds: number, changes: Partial<Freshness> = {}): Freshness => ({
  lifetimeMs: 60_000,
  explicit: true,
  initialAgeMs: ageSeconds * 1000,
  responseTimeMs: now,
  staleWhileRevalidateMs: 30_000,
  staleIfErrorMs: 300_000,
  alwaysValidate: false,
  neverStale: false,
  ...changes,
});

const fresh: Evaluation = { action: "fresh" };
const validate = (because: "stale" | "request", orStale: boolean): Evaluation => ({
  action: "validate",
  because,
  orStale,
});

test.each<[string | null, Freshness | undefined, Evaluation]>([
  [null, undefined, { action: "forward" }],
  [null, stored(0), fresh],
  [null, stored(59.999), fresh],
  [null, stored(60), { action: "stale", revalidate: true }],
  [null, stored(89), { action: "stale", revalidate: true }],
  [null, stored(90), validate("stale", true)],
  [null, stored(360), validate("stale", false)],
  [null, stored(70, { neverStale: true }), validate("stale", false)],
  [null, stored(0, { alwaysValidate: true }), validate("stale", false)],
  // RFC 9111, 5.2.1
  ["no-cache", stored(0), validate("request", true)],
  ["no-store", stored(0), { action: "forward" }],
  ["max-age=0", stored(1), validate("request", true)],
  ["max-age=10", stored(10), fresh],
  ["max-age=10", stored(10.001), validate("request", true)],
  // RFC 9111, 5.2.1.1: "Unless the max-stale request directive is also present, the client does not wish to receive a
  // stale response."
  ["max-age=100", stored(70), validate("stale", true)],
  ["max-age=100, max-stale=5", stored(70), { action: "stale", revalidate: true }],
  ["max-age=200, max-stale=50", stored(100), { action: "stale", revalidate: false }],
  ["max-age=90, max-stale=50", stored(100), validate("request", true)],
  ["min-fresh=30", stored(30), fresh],
  ["min-fresh=30", stored(30.001), validate("request", true)],
  ["max-stale", stored(500), { action: "stale", revalidate: false }],
  ["max-stale=40", stored(100), { action: "stale", revalidate: false }],
  ["max-stale=40", stored(100.001), validate("stale", true)],
  ["max-stale=40", stored(100, { neverStale: true }), validate("stale", false)],
  ["max-stale=40", stored(100, { alwaysValidate: true }), validate("stale", false)],
  ["max-stale", stored(70, { neverStale: true }), validate("stale", false)],
  ["only-if-cached", undefined, { action: "unsatisfiable" }],
  ["only-if-cached", stored(0), fresh],
  ["only-if-cached", stored(70), { action: "stale", revalidate: true }],
  ["only-if-cached", stored(100), { action: "unsatisfiable" }],
  ["only-if-cached, max-stale", stored(100), { action: "stale", revalidate: false }],
  ["only-if-cached, no-cache", stored(0), { action: "unsatisfiable" }],
])("a request with %j gets the right decision (%#)", (cacheControl, freshness, expected) => {
  expect(evaluate(requestDirectives(cacheControl, null), freshness, now)).toEqual(expected);
});

test("Pragma counts only where there is no Cache-Control (RFC 9111, 5.4)", () => {
  expect(evaluate(requestDirectives(null, "no-cache"), stored(0), now)).toEqual(validate("request", true));
  expect(evaluate(requestDirectives("max-age=60", "no-cache"), stored(0), now)).toEqual(fresh);
});

test.each<[string | null, Freshness, boolean]>([
  [null, stored(359), true],
  [null, stored(360), false],
  // RFC 5861, 4: the request can widen the window, but not past must-revalidate.
  ["stale-if-error=1000", stored(1059.999), true],
  ["stale-if-error=1000", stored(1060), false],
  ["stale-if-error=1000", stored(900, { neverStale: true }), false],
  // RFC 9111, 5.2.2.2: must-revalidate matters "once the response has become stale".
  [null, stored(59, { neverStale: true, staleIfErrorMs: 0 }), true],
  [null, stored(60, { neverStale: true, staleIfErrorMs: 0 }), false],
  ["stale-if-error=1000", stored(60, { staleIfErrorMs: 0 }), true],
  [null, stored(60, { staleIfErrorMs: 0 }), false],
  [null, stored(0, { alwaysValidate: true }), false],
])("with %j a failing origin may be covered (%#)", (cacheControl, freshness, expected) => {
  expect(mayServeOnError(requestDirectives(cacheControl, null), freshness, now)).toBe(expected);
});

test("a disconnected cache serves what nothing prohibits (RFC 9111, 4.2.4)", () => {
  expect(mayServeDisconnected(stored(1e6))).toBe(true);
  expect(mayServeDisconnected(stored(0, { neverStale: true }))).toBe(false);
  expect(mayServeDisconnected(stored(0, { alwaysValidate: true }))).toBe(false);
});
