// Retry budget per origin.
import { assertNumber } from "./OptionNames.ts";

/** Tokens in a full bucket. */
export const budgetCapacity = 500;
/** Tokens that one retry costs: after a transient failure, and after a throttled one. */
export const retryCost = { transient: 14, throttled: 5 } as const;
/** Tokens that a success gives back when it needed no retry; one that did gives back what its last retry cost. */
export const successRefund = 1;

/** A token bucket, one per client and origin. Only successes refill it: while everything fails, retries die out. */
export class RetryBudget {
  readonly capacity: number;
  #tokens: number;

  /** Throws RangeError for a capacity other than a number from 0. */
  constructor(capacity = budgetCapacity) {
    assertNumber("retryBudget", capacity, 0);
    this.capacity = capacity;
    this.#tokens = capacity;
  }

  /** Tokens left. */
  get tokens(): number {
    return this.#tokens;
  }

  /** Pays for a retry; false when the bucket cannot. */
  pay(cost: number): boolean {
    if (this.#tokens < cost) return false;
    this.#tokens -= cost;
    return true;
  }

  /** Takes back, after a success, what its last retry cost; 0 for a success at once. */
  refund(lastCost: number): void {
    this.#tokens = Math.min(this.capacity, this.#tokens + (lastCost === 0 ? successRefund : lastCost));
  }
}

/** The buckets of one client, by origin. */
export type RetryBudgets = (origin: string) => RetryBudget;

/** Makes them; throws RangeError for a capacity other than a number from 0. */
export const makeBudgets = (capacity?: number): RetryBudgets => {
  const budgets = new Map<string, RetryBudget>();
  // Rejects an invalid capacity before anything is sent.
  const { capacity: size } = new RetryBudget(capacity);
  return (origin) => {
    const budget = budgets.get(origin) ?? new RetryBudget(size);
    budgets.set(origin, budget);
    return budget;
  };
};
