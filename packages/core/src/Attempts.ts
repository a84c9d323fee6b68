// Decides: how the attempts of one call follow each other in time: timeout, backoff, budget, deadline, breaker.
import * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type * as Fiber from "effect/Fiber";
import * as Random from "effect/Random";
import type { Breaker } from "./Breaker.ts";
import { AttemptFailure } from "./Failure.ts";
import { decideRetry, retryClassOf } from "./Retry.ts";
import { retryCost } from "./RetryBudget.ts";
import type { AttemptPlan } from "./AttemptPlan.ts";
import { failedHere } from "./AttemptTimer.ts";
import { send } from "./Sending.ts";
import { inAttemptSpan } from "./Spans.ts";
import { steadyMs } from "./Timer.ts";

/**
 * Attempts it until it succeeds, fails for good, or runs out of attempts, budget or time. `start` is when the call began, on
 * the monotonic clock, where that is not now.
 */
export const attempts = <A>(plan: AttemptPlan<A>, start?: bigint): Effect.Effect<A, AttemptFailure> =>
  Effect.withFiber((fiber) => {
    const clock = fiber.getRef(Clock.Clock);
    return attemptFrom(1, 0, { plan, clock, fiber, start: start ?? clock.monotonicTimeNanosUnsafe() }, undefined);
  });

/** The attempts after a first one that failed; `start` is when that one began, on the monotonic clock. */
export const attemptsAfter = <A>(
  plan: AttemptPlan<A>,
  failure: AttemptFailure,
  start: bigint,
): Effect.Effect<A, AttemptFailure> =>
  Effect.withFiber((fiber) => {
    const course = { plan, clock: fiber.getRef(Clock.Clock), fiber, start };
    return Effect.flatMap(Random.next, (random) => afterFailure(1, failure, random, course));
  });

interface Course<A> {
  readonly plan: AttemptPlan<A>;
  readonly clock: Clock.Clock;
  readonly fiber: Fiber.Fiber<unknown, unknown>;
  /** When the call began, on the monotonic clock. */
  readonly start: bigint;
}

const remainingMs = ({ plan, clock, start }: Course<unknown>): number =>
  plan.settings.deadlineMs - Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6;

/**
 * The attempt with this number and, as long as they may be, those after it. `lastCost` is what this one was paid with, `last`
 * the failure of the one before.
 */
const attemptFrom = <A>(
  count: number,
  lastCost: number,
  course: Course<A>,
  last: AttemptFailure | undefined,
): Effect.Effect<A, AttemptFailure> =>
  // In whole milliseconds, so that the deadline of a call that begins now is the whole one.
  Effect.matchEffect(attempt(course, Math.ceil(remainingMs(course))), {
    onSuccess: (value) => {
      course.plan.budget.refund(lastCost);
      return Effect.succeed(value);
    },
    onFailure: (failure) =>
      Effect.flatMap(Random.next, (random) => afterFailure(count, because(failure, last), random, course)),
  });

const afterFailure = <A>(
  count: number,
  failure: AttemptFailure,
  random: number,
  course: Course<A>,
): Effect.Effect<A, AttemptFailure> => {
  const { settings, budget, state, subject, emit } = course.plan;
  const { reason, status } = failure.error;
  const retryClass = retryClassOf(reason);
  if (retryClass === "spoiled") state.spoiled += 1;
  const { shared } = state;
  const decision = decideRetry({
    policy: settings.retry,
    reason,
    attempts: count,
    spoiled: state.spoiled,
    hintMs: failure.hintMs,
    remainingMs: remainingMs(course),
    // Calls that failed together send again together: one request, which one of them pays for.
    random: shared?.random ?? random,
  });
  const price = retryClass === "throttled" ? retryCost.throttled : retryCost.transient;
  const cost = shared?.followed === true ? 0 : price;
  if (failure.exhausted || !decision.retry || course.plan.mayRepeat?.(failure) === false || !budget.pay(cost))
    return Effect.fail(failure);
  const { delayMs, hinted } = decision;
  const budgetTokens = budget.tokens;
  emit({
    ...subject,
    type: "retry",
    attempt: state.requests,
    delayMs,
    reason: reason._tag,
    status,
    hinted,
    budgetTokens,
  });
  return Effect.flatMap(Effect.sleep(Duration.millis(delayMs)), () => attemptFrom(count + 1, cost, course, failure));
};

/** A breaker that opened in between says nothing of what is wrong: that is the failure before, which becomes its cause. */
const because = (failure: AttemptFailure, last: AttemptFailure | undefined): AttemptFailure =>
  failure.error.reason._tag === "CircuitOpen" && last !== undefined
    ? new AttemptFailure(failure.error.with({ cause: last.error }))
    : failure;

/** One attempt: in its span, within its timeout, if the breaker lets it through. */
const attempt = <A>({ plan, clock, fiber, start }: Course<A>, withinMs: number): Effect.Effect<A, AttemptFailure> => {
  const sent = inAttemptSpan(plan, fiber, (span) => send({ plan, clock, span, start, withinMs }));
  return plan.breaker === undefined ? sent : guarded(plan.breaker, plan, clock, sent);
};

const guarded = <A>(
  breaker: Breaker,
  plan: AttemptPlan<A>,
  clock: Clock.Clock,
  sent: Effect.Effect<A, AttemptFailure>,
): Effect.Effect<A, AttemptFailure> =>
  Effect.suspend(() => {
    const { origin, subject, emit } = plan;
    const admittedMs = steadyMs(clock);
    const { retryAfterMs, changed } = breaker.admit(origin, admittedMs);
    if (changed !== undefined) emit({ ...subject, type: "breaker", state: changed });
    if (retryAfterMs > 0)
      return Effect.fail(failedHere(plan, { _tag: "CircuitOpen", retryAfterMs: Math.ceil(retryAfterMs) }));
    return Effect.onExit(sent, (exit) =>
      Effect.sync(() => {
        const state = breaker.record(origin, steadyMs(clock), soundness(exit), admittedMs);
        if (state !== undefined) emit({ ...subject, type: "breaker", state });
      }),
    );
  });

/** Whether the origin showed itself able to answer; undefined when nobody waited for it, or it was not asked for want of a token. */
const soundness = (exit: Exit.Exit<unknown, AttemptFailure>): boolean | undefined => {
  if (Exit.isSuccess(exit)) return true;
  const failure = Exit.findErrorOption(exit);
  if (failure._tag === "None" || failure.value.exhausted) return undefined;
  const { reason } = failure.value.error;
  // Final for the call, and yet no answer.
  if (reason._tag === "TimedOut" || reason._tag === "Unreachable") return false;
  return retryClassOf(reason) !== "transient";
};
