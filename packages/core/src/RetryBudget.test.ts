import * as fc from "fast-check";
import { expect, test } from "vitest";
import { budgetCapacity, makeBudgets, RetryBudget, retryCost, successRefund } from "./RetryBudget.ts";

const retriesPaid = (cost: number): number => {
  const budget = new RetryBudget();
  let paid = 0;
  while (budget.pay(cost)) paid += 1;
  return paid;
};

test("a full bucket pays for 35 transient retries, or for 100 throttled ones", () => {
  expect(retriesPaid(retryCost.transient)).toBe(35);
  expect(retriesPaid(retryCost.throttled)).toBe(100);
});

test("an empty bucket refills by successes until it pays again, and is full after 500 of them", () => {
  const budget = new RetryBudget();
  while (budget.pay(1)) {
    // Emptying it.
  }
  expect(budget.pay(retryCost.transient)).toBe(false);
  for (let success = 0; success < retryCost.transient / successRefund; success++) budget.refund(0);
  expect(budget.pay(retryCost.transient)).toBe(true);
  expect(budget.tokens).toBe(0);
  for (let success = 0; success < budgetCapacity; success++) budget.refund(0);
  expect(budget.tokens).toBe(budgetCapacity);
});

test("a success gives back what its last retry cost", () => {
  const budget = new RetryBudget();
  budget.pay(retryCost.transient);
  budget.pay(retryCost.transient);
  budget.refund(retryCost.transient);
  expect(budget.tokens).toBe(budgetCapacity - retryCost.transient);
});

test("the tokens stay between none and all, whatever happens", () => {
  const cost = fc.constantFrom(retryCost.transient, retryCost.throttled);
  const steps = fc.array(
    fc.record({ pays: fc.boolean(), cost, lastCost: fc.constantFrom(0, retryCost.transient, retryCost.throttled) }),
    { maxLength: 200 },
  );
  fc.assert(
    fc.property(fc.nat(200), steps, (capacity, script) => {
      const budget = new RetryBudget(capacity);
      for (const { pays, cost, lastCost } of script) {
        const before = budget.tokens;
        const paid = pays && budget.pay(cost);
        if (!pays) budget.refund(lastCost);
        expect(budget.tokens).toBeGreaterThanOrEqual(0);
        expect(budget.tokens).toBeLessThanOrEqual(capacity);
        expect(paid).toBe(pays && before >= cost);
      }
    }),
  );
});

test("without a limit every retry is paid for", () => {
  const budget = new RetryBudget(Infinity);
  for (let retry = 0; retry < 1_000; retry++) budget.pay(retryCost.transient);
  expect(budget.tokens).toBe(Infinity);
});

test.for([-1, Number.NaN])("a capacity of %d is refused", (capacity) => {
  expect(() => new RetryBudget(capacity)).toThrow(
    new RangeError(`retryBudget must be a number from 0, not ${capacity}`),
  );
});

test("origins share a bucket only if they are the same, and each bucket has the capacity that was given", () => {
  const origins = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 20 });
  fc.assert(
    fc.property(fc.nat(1_000), origins, (capacity, asked) => {
      const budgets = asked.map(makeBudgets(capacity));
      expect(new Set(budgets).size).toBe(new Set(asked).size);
      for (const budget of budgets) expect(budget.capacity).toBe(capacity);
    }),
  );
  expect(makeBudgets()("a").capacity).toBe(budgetCapacity);
});

test("a capacity that cannot be is refused before there is an origin", () => {
  expect(() => makeBudgets(-1)).toThrow(RangeError);
});
