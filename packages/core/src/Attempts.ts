// Attempts of one call: timeout, backoff, budget, deadline, breaker.
import * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type * as Fiber from "effect/Fiber";
import * as Random from "effect/Random";
import type { Span } from "effect/Tracer";
import type { Breaker } from "./FailureRateBreaker.ts";
import { AttemptFailure } from "./Failure.ts";
import { decideRetry, retryClassOf } from "./Retry.ts";
import { retryCost } from "./RetryBudget.ts";
import { counted, type AttemptPlan, type AttemptTimer } from "./AttemptPlan.ts";
import { EngineError, type RetryStopped, type EngineErrorReason } from "./EngineError.ts";
import { steadyMs, after } from "./Timer.ts";
import { Cancellation } from "./Cancellation.ts";
import type { Hedging } from "./LatencyHedging.ts";

/**
 * Runs a call until it succeeds, fails for good, or runs out of attempts, budget or time. `start`: begin of the call on the
 * monotonic clock; default now.
 */
export const attempts = <A>(
  plan: AttemptPlan<A>,
  fiber: Fiber.Fiber<unknown, unknown>,
  clock = fiber.getRef(Clock.Clock),
  start = clock.monotonicTimeNanosUnsafe(),
): Effect.Effect<A, AttemptFailure> => attemptFrom(1, { plan, clock, fiber, start, cost: 0 }, undefined);

interface RetryLoop<A> {
  readonly plan: AttemptPlan<A>;
  readonly clock: Clock.Clock;
  readonly fiber: Fiber.Fiber<unknown, unknown>;
  /** When the call began, on the monotonic clock. */
  readonly start: bigint;
  /** What the attempt under way cost the budget. */
  cost: number;
  /** Step of the call's schedule, from its first retry on. */
  step?: BackoffStep;
}

const remainingMs = ({ plan, clock, start }: RetryLoop<unknown>): number =>
  plan.settings.deadlineMs - Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6;

/**
 * Makes this attempt, and the following ones while retries are allowed. `last`: the failure before it.
 */
const attemptFrom = <A>(
  count: number,
  loop: RetryLoop<A>,
  last: AttemptFailure | undefined,
): Effect.Effect<A, AttemptFailure> => {
  loop.plan.state.attempt = count;
  const withinMs = count === 1 ? loop.plan.settings.deadlineMs : remainingMs(loop);
  const { plan } = loop;
  const made =
    withinMs > 0
      ? attempt(loop, withinMs)
      : Effect.fail(failedHere(plan, { _tag: "TimedOut", scope: "deadline", limitMs: plan.settings.deadlineMs }));
  return Effect.matchEffect(made, {
    onSuccess: Effect.succeed,
    onFailure: (failure) =>
      Effect.flatMap(Random.next, (random) => afterFailure(count, withCause(failure, last), random, loop)),
  });
};

const afterFailure = <A>(
  count: number,
  failure: AttemptFailure,
  random: number,
  loop: RetryLoop<A>,
): Effect.Effect<A, AttemptFailure> => {
  const { settings, budget, state } = loop.plan;
  const { reason } = failure.error;
  const retryClass = retryClassOf(reason);
  if (retryClass === "corrupt") state.corrupt += 1;
  const { shared } = state;
  const decision = decideRetry({
    policy: settings.retry,
    reason,
    attempts: count,
    corrupt: state.corrupt,
    hintMs: failure.hintMs,
    remainingMs: remainingMs(loop),
    // Deduplicated calls use the same delay, so their retry is one request, charged to one of them.
    random: settings.retry.backoff === undefined ? (shared?.random ?? random) : 0,
  });
  const price = retryClass === "throttled" ? retryCost.throttled : retryCost.transient;
  const cost = shared?.followed === true ? 0 : price;
  const stopped = failure.exhausted
    ? "final"
    : !decision.retry
      ? decision.because
      : loop.plan.mayRepeat?.(failure) === false
        ? "not-repeatable"
        : budget.pay(cost)
          ? undefined
          : "budget";
  if (!decision.retry || stopped !== undefined) return giveUp(loop.plan, failure, stopped ?? "final");
  const { delayMs, hinted } = decision;
  const { backoff } = settings.retry;
  if (backoff === undefined || hinted) return retryLater(count, cost, delayMs, hinted, failure, loop);
  loop.step ??= Effect.runSync(backoff() as Effect.Effect<BackoffStep>);
  return Effect.flatMap(loop.step(loop.clock.currentTimeMillisUnsafe(), failure.error), (delayMs) => {
    if (delayMs === undefined) return giveUp(loop.plan, failure, "schedule");
    return delayMs >= remainingMs(loop)
      ? giveUp(loop.plan, failure, "deadline")
      : retryLater(count, cost, delayMs, false, failure, loop);
  });
};

/** The delay until the next attempt, in milliseconds; undefined to stop. */
type BackoffStep = (nowMs: number, error: EngineError) => Effect.Effect<number | undefined>;

/** The next attempt after a delay. */
const retryLater = <A>(
  count: number,
  cost: number,
  delayMs: number,
  hinted: boolean,
  failure: AttemptFailure,
  loop: RetryLoop<A>,
): Effect.Effect<A, AttemptFailure> => {
  const { budget, subject, emit } = loop.plan;
  const { reason, status } = failure.error;
  const budgetTokens = budget.tokens;
  emit({
    ...subject,
    type: "retry",
    attempt: count,
    delayMs,
    reason: reason._tag,
    status,
    hinted,
    budgetTokens,
  });
  loop.cost = cost;
  return Effect.flatMap(loop.clock.sleep(Duration.millis(delayMs)), () => attemptFrom(count + 1, loop, failure));
};

const giveUp = (
  { subject, state, emit }: AttemptPlan<unknown>,
  failure: AttemptFailure,
  retryStopped: RetryStopped,
): Effect.Effect<never, AttemptFailure> => {
  const { reason, status } = failure.error;
  emit({ ...subject, type: "failure", reason: reason._tag, status, ...counted(state), retryStopped });
  return Effect.fail(failure.with({ retryStopped }));
};

/** Makes the previous failure the cause of a CircuitOpen error. */
const withCause = (failure: AttemptFailure, last: AttemptFailure | undefined): AttemptFailure =>
  failure.error.reason._tag === "CircuitOpen" && last !== undefined ? failure.with({ cause: last.error }) : failure;

/** One attempt: in its span, within its timeout, if the breaker lets it through. */
const attempt = <A>(loop: RetryLoop<A>, withinMs: number): Effect.Effect<A, AttemptFailure> => {
  const { plan, clock, fiber } = loop;
  const sent =
    plan.tracing === undefined
      ? send(loop, withinMs, undefined)
      : plan.tracing.attempt(plan, fiber, (span) => send(loop, withinMs, span));
  return plan.breaker === undefined ? sent : throughBreaker(plan.breaker, plan, clock, sent);
};

const throughBreaker = <A>(
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
        const state = breaker.record(origin, steadyMs(clock), breakerOutcome(exit), admittedMs);
        if (state !== undefined) emit({ ...subject, type: "breaker", state });
      }),
    );
  });

/** Whether the origin works, for the breaker; undefined if the attempt was interrupted or had no token. */
const breakerOutcome = (exit: Exit.Exit<unknown, AttemptFailure>): boolean | undefined => {
  if (Exit.isSuccess(exit)) return true;
  const failure = Exit.findErrorOption(exit);
  if (failure._tag === "None" || failure.value.exhausted) return undefined;
  const { reason } = failure.value.error;
  // Final for the call, and yet no answer.
  if (reason._tag === "TimedOut" || reason._tag === "Unreachable") return false;
  return retryClassOf(reason) !== "transient";
};

/** Sends one request, limited by the timeout and the time until the deadline. Interruption aborts it. */
const send = <A>(loop: RetryLoop<A>, withinMs: number, span: Span | undefined): Effect.Effect<A, AttemptFailure> =>
  Effect.callback<A, AttemptFailure>((resume) => {
    const { plan, clock } = loop;
    const cancel = new Cancellation();
    const timer = new RunningTimer(loop, withinMs, (failure) => {
      cancel.abort(failure.error);
      resume(Effect.fail(failure));
    });
    const { hedging } = plan.settings;
    const answer =
      hedging === undefined ? plan.run(cancel, clock, span, timer) : hedged(hedging, loop, span, timer, cancel.signal);
    answer.then(
      (value) => {
        timer.stop();
        if (cancel.aborted) return undefined;
        plan.budget.refund(loop.cost);
        return resume(Effect.succeed(value));
      },
      (cause: unknown) => {
        timer.stop();
        if (cancel.aborted) return;
        resume(cause instanceof AttemptFailure ? Effect.fail(cause) : Effect.die(cause));
      },
    );
    return Effect.sync(() => {
      timer.stop();
      cancel.abort();
    });
  });

const hedged = <A>(
  hedging: Hedging,
  { plan, clock }: RetryLoop<A>,
  span: Span | undefined,
  timer: AttemptTimer,
  signal: AbortSignal,
): Promise<A> => {
  let sent = 0;
  return hedging.around((signal) => plan.run(new Cancellation(signal), clock, span, timer, sent++), {
    signal,
    nowMs: () => steadyMs(clock),
    sleep: (ms, signal) => Effect.runPromise(clock.sleep(Duration.millis(ms)), { signal }),
    pay: () => plan.budget.pay(retryCost.transient),
  });
};

/** `onTimeout` is called once unless the timer was stopped. */
class RunningTimer implements AttemptTimer {
  readonly #loop: RetryLoop<unknown>;
  readonly #onTimeout: (failure: AttemptFailure) => void;
  #cancel: (() => void) | undefined;
  #spares: Set<(cause: Error) => void> | undefined;
  #isOver = false;

  constructor(loop: RetryLoop<unknown>, withinMs: number, onTimeout: (failure: AttemptFailure) => void) {
    this.#loop = loop;
    this.#onTimeout = onTimeout;
    this.#start(loop.plan.settings.attemptTimeoutMs, withinMs);
  }

  stop(): void {
    this.#isOver = true;
    this.#cancel?.();
    if (this.#spares !== undefined) this.#endSpares(new Error("the attempt is over"));
  }

  async aside<T>(waiting: Promise<T>): Promise<T> {
    const { plan } = this.#loop;
    this.#cancel?.();
    this.#start(Infinity, remainingMs(this.#loop));
    try {
      return await waiting;
    } finally {
      this.#cancel?.();
      if (!this.#isOver) this.#start(plan.settings.attemptTimeoutMs, remainingMs(this.#loop));
    }
  }

  spare<T>(begin: (cancel: Cancellation) => Promise<T>): Promise<T> {
    const spares = (this.#spares ??= new Set());
    return new Promise((resolve, reject) => {
      const cancel = new Cancellation();
      const end = (cause: Error): void => {
        cancel.abort();
        reject(cause);
      };
      spares.add(end);
      begin(cancel)
        .finally(() => spares.delete(end))
        .then(resolve, reject);
    });
  }

  #endSpares(cause: Error): void {
    for (const end of this.#spares ?? []) end(cause);
  }

  #start(attemptTimeoutMs: number, remainingMs: number): void {
    const { plan, clock } = this.#loop;
    const afterMs = Math.min(attemptTimeoutMs, remainingMs);
    this.#cancel =
      afterMs === Infinity
        ? undefined
        : after(clock, afterMs, () => {
            const isAttempt = attemptTimeoutMs <= remainingMs;
            const scope = isAttempt ? "attempt" : "deadline";
            const limitMs = isAttempt ? attemptTimeoutMs : plan.settings.deadlineMs;
            const failure = failedHere(plan, { _tag: "TimedOut", scope, limitMs });
            if (this.#spares === undefined || this.#spares.size === 0) this.#onTimeout(failure);
            else this.#endSpares(failure);
          });
  }
}

/** A failure without a response. */
export const failedHere = (plan: AttemptPlan<unknown>, reason: EngineErrorReason): AttemptFailure =>
  new AttemptFailure(new EngineError({ reason, url: plan.subject.url, ...counted(plan.state) }));
