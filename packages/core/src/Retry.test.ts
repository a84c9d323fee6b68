// Retry rules, reason by reason and as properties of schedules.
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { EngineErrorReason } from "./EngineError.ts";
import {
  decideRetry,
  defaultRetryPolicy,
  delayCapMs,
  idempotentMethods,
  maxCorruptRetries,
  retryClassOf,
  type RetryDecision,
  type RetryPolicy,
  type RetrySituation,
} from "./Retry.ts";
import { budgetCapacity, RetryBudget, retryCost } from "./RetryBudget.ts";

const reasons: ReadonlyArray<readonly [EngineErrorReason, ReturnType<typeof retryClassOf>]> = [
  [{ _tag: "RateLimited" }, "throttled"],
  [{ _tag: "Unavailable" }, "transient"],
  [{ _tag: "Unreachable", problem: "dns" }, "transient"],
  [{ _tag: "Unreachable", problem: "refused" }, "transient"],
  [{ _tag: "Unreachable", problem: "reset" }, "transient"],
  [{ _tag: "Unreachable", problem: "network" }, "transient"],
  [{ _tag: "Unreachable", problem: "tls" }, "final"],
  [{ _tag: "TimedOut", scope: "attempt", limitMs: 1 }, "transient"],
  [{ _tag: "TimedOut", scope: "deadline", limitMs: 1 }, "final"],
  [{ _tag: "Undecodable", problem: "cut" }, "corrupt"],
  [{ _tag: "NotFound" }, "final"],
  [{ _tag: "Unauthenticated" }, "final"],
  [{ _tag: "PermissionDenied" }, "final"],
  [{ _tag: "InvalidArgument" }, "final"],
  [{ _tag: "Conflict" }, "final"],
  [{ _tag: "Unimplemented" }, "final"],
  [{ _tag: "DataLoss" }, "final"],
  [{ _tag: "TooLarge", limit: "maxBodyBytes", value: 1 }, "final"],
  [{ _tag: "RedirectRefused", problem: "loop" }, "final"],
  [{ _tag: "CircuitOpen", retryAfterMs: 1 }, "final"],
  [{ _tag: "CredentialsFailed", problem: "none" }, "final"],
  [{ _tag: "Rejected" }, "final"],
];

test.for(reasons)("%j is %s", ([reason, expected]) => {
  expect(retryClassOf(reason)).toBe(expected);
});

const policy: RetryPolicy = {
  maxAttempts: 4,
  baseDelayMs: 100,
  throttledBaseDelayMs: 1_000,
  factor: 2,
  maxDelayMs: 8_000,
  maxRetryAfterMs: 60_000,
};

const situation = (changed: Partial<RetrySituation>): RetrySituation => ({
  policy,
  reason: { _tag: "Unavailable" },
  attempts: 1,
  corrupt: 0,
  hintMs: undefined,
  remainingMs: 30_000,
  random: 0.5,
  ...changed,
});

const throttled: EngineErrorReason = { _tag: "RateLimited" };
const cut: EngineErrorReason = { _tag: "Undecodable", problem: "cut" };

test.for<[changed: Partial<RetrySituation>, decision: RetryDecision]>([
  [{}, { retry: true, delayMs: 50, hinted: false }],
  [{ attempts: 2 }, { retry: true, delayMs: 100, hinted: false }],
  [{ attempts: 3 }, { retry: true, delayMs: 200, hinted: false }],
  [{ attempts: 4 }, { retry: false, because: "attempts" }],
  [{ reason: throttled }, { retry: true, delayMs: 500, hinted: false }],
  [
    { reason: throttled, attempts: 3 },
    { retry: true, delayMs: 2_000, hinted: false },
  ],
  [{ random: 0 }, { retry: true, delayMs: 0, hinted: false }],
  [{ hintMs: 0 }, { retry: true, delayMs: 0, hinted: true }],
  [{ hintMs: 20_000 }, { retry: true, delayMs: 20_000, hinted: true }],
  [{ hintMs: 30_000 }, { retry: false, because: "deadline" }],
  [
    { hintMs: 60_001, remainingMs: Infinity },
    { retry: false, because: "hint-too-long" },
  ],
  [
    { hintMs: 60_000, remainingMs: Infinity },
    { retry: true, delayMs: 60_000, hinted: true },
  ],
  [
    { reason: cut, corrupt: maxCorruptRetries },
    { retry: true, delayMs: 50, hinted: false },
  ],
  [
    { reason: cut, corrupt: maxCorruptRetries + 1 },
    { retry: false, because: "corrupt-twice" },
  ],
  [{ corrupt: maxCorruptRetries + 1 }, { retry: true, delayMs: 50, hinted: false }],
  [
    { reason: { _tag: "NotFound" }, hintMs: 1 },
    { retry: false, because: "final" },
  ],
  [{ remainingMs: 50 }, { retry: false, because: "deadline" }],
  [{ remainingMs: -1 }, { retry: false, because: "deadline" }],
  [{ policy: { ...policy, maxAttempts: 1 } }, { retry: false, because: "attempts" }],
])("%j decides %j", ([changed, decision]) => {
  expect(decideRetry(situation(changed))).toEqual(decision);
});

test("the defaults are those of the documents", () => {
  expect(defaultRetryPolicy).toEqual({
    maxAttempts: 4,
    baseDelayMs: 100,
    throttledBaseDelayMs: 1_000,
    factor: 2,
    maxDelayMs: 8_000,
    maxRetryAfterMs: 60_000,
  });
});

test("the cap grows to the largest delay and no further", () => {
  const caps = [1, 2, 7, 8, 30, 2_000].map((attempts) => delayCapMs(policy, "transient", attempts));
  expect(caps).toEqual([100, 200, 6_400, 8_000, 8_000, 8_000]);
});

const amounts = fc.oneof(fc.integer({ min: 0, max: 100_000 }), fc.double({ min: 0, max: 1e6, noNaN: true }));
const policies: fc.Arbitrary<RetryPolicy> = fc.record({
  maxAttempts: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.constant(5_000)),
  baseDelayMs: amounts,
  throttledBaseDelayMs: amounts,
  factor: fc.oneof(fc.double({ min: 1, max: 10, noNaN: true }), fc.constant(Infinity)),
  maxDelayMs: amounts,
  maxRetryAfterMs: amounts,
});
const situations: fc.Arbitrary<RetrySituation> = fc.record({
  policy: policies,
  reason: fc.constantFrom(...reasons.map(([reason]) => reason)),
  attempts: fc.oneof(fc.integer({ min: 1, max: 12 }), fc.integer({ min: 1_000, max: 6_000 })),
  corrupt: fc.integer({ min: 0, max: 3 }),
  hintMs: fc.option(amounts, { nil: undefined }),
  remainingMs: fc.oneof(fc.double({ min: -1_000, max: 1e6, noNaN: true }), fc.constant(Infinity)),
  random: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
});

test("a delay of our own is within [0, cap] and ends within the deadline; a hint is waited out exactly or not at all", () => {
  fc.assert(
    fc.property(situations, (given) => {
      const decision = decideRetry(given);
      fc.pre(decision.retry);
      const { policy, hintMs, attempts, reason } = given;
      const cap = delayCapMs(policy, retryClassOf(reason), attempts);
      expect(cap).toBeLessThanOrEqual(policy.maxDelayMs);
      expect(decision.delayMs).toBeGreaterThanOrEqual(0);
      expect(decision.delayMs).toBeLessThanOrEqual(hintMs ?? cap);
      expect(decision.delayMs).toBeGreaterThanOrEqual(hintMs ?? 0);
      expect(decision.delayMs).toBeLessThan(given.remainingMs);
      expect(decision.delayMs).toBeLessThanOrEqual(hintMs === undefined ? policy.maxDelayMs : policy.maxRetryAfterMs);
      expect(attempts).toBeLessThan(policy.maxAttempts);
      expect(decision.hinted).toBe(hintMs !== undefined);
    }),
    { numRuns: 5_000 },
  );
});

/** What a failing server does to one call, attempt by attempt. */
interface Trouble {
  readonly reason: EngineErrorReason;
  readonly hintMs: number | undefined;
  readonly random: number;
  readonly tookMs: number;
}

const troubles: fc.Arbitrary<ReadonlyArray<Trouble>> = fc.array(
  fc.record({
    reason: fc.constantFrom(...reasons.map(([reason]) => reason)),
    hintMs: fc.option(fc.integer({ min: 0, max: 70_000 }), { nil: undefined }),
    random: fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
    tookMs: fc.integer({ min: 0, max: 10_000 }),
  }),
  { minLength: 1, maxLength: 30 },
);

/** Plays one call through the rules: its requests, the time it waits, what it pays. */
const played = (policy: RetryPolicy, deadlineMs: number, budget: RetryBudget, script: ReadonlyArray<Trouble>) => {
  let elapsedMs = 0;
  let corrupt = 0;
  let paid = 0;
  for (let attempts = 1; ; attempts++) {
    const { reason, hintMs, random, tookMs } = script[(attempts - 1) % script.length] as Trouble;
    elapsedMs += Math.min(tookMs, Math.max(0, deadlineMs - elapsedMs));
    const retryClass = retryClassOf(reason);
    if (retryClass === "corrupt") corrupt += 1;
    const remainingMs = deadlineMs - elapsedMs;
    const decision = decideRetry({ policy, reason, attempts, corrupt, hintMs, remainingMs, random });
    const cost = retryClass === "throttled" ? retryCost.throttled : retryCost.transient;
    if (!decision.retry || !budget.pay(cost)) return { attempts, elapsedMs, corrupt, paid };
    paid += cost;
    elapsedMs += decision.delayMs;
  }
};

test("no schedule exceeds the attempts, the deadline, one more try for corrupt bodies, or the budget", () => {
  fc.assert(
    fc.property(
      policies,
      fc.integer({ min: 1, max: 60_000 }),
      fc.nat(600),
      troubles,
      (policy, deadlineMs, capacity, script) => {
        const { attempts, elapsedMs, corrupt, paid } = played(policy, deadlineMs, new RetryBudget(capacity), script);
        expect(attempts).toBeLessThanOrEqual(policy.maxAttempts);
        expect(elapsedMs).toBeLessThanOrEqual(deadlineMs);
        expect(corrupt).toBeLessThanOrEqual(maxCorruptRetries + 1);
        expect(paid).toBeLessThanOrEqual(capacity);
      },
    ),
  );
});

test("an outage is not multiplied: 1,000 failing calls send hardly more than 1,000 requests", () => {
  const budget = new RetryBudget();
  const outage = [{ reason: { _tag: "Unavailable" }, hintMs: undefined, random: 0.5, tookMs: 1 }] as const;
  let requests = 0;
  for (let call = 0; call < 1_000; call++) requests += played(defaultRetryPolicy, 30_000, budget, outage).attempts;
  expect(requests).toBe(1_000 + Math.floor(budgetCapacity / retryCost.transient));
});

test("methods that may be sent twice are those of RFC 9110, 9.2.2", () => {
  expect([...idempotentMethods].toSorted()).toEqual(["DELETE", "GET", "HEAD", "OPTIONS", "PUT", "TRACE"]);
});
