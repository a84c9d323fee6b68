// Decides: how one attempt begins and ends: one request (or a hedged pair), one timer, whichever ends first.
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type { Span } from "effect/Tracer";
import type { AttemptPlan } from "./Attempts.ts";
import { EngineError, type EngineErrorReason } from "./EngineError.ts";
import { AttemptFailure } from "./Failure.ts";
import type { HedgingTools } from "./Hedging.ts";
import { retryCost } from "./RetryBudget.ts";

/** Who is told how an attempt ended: one of them, once. */
export interface Ending<A> {
  readonly succeed: (value: A) => void;
  readonly fail: (failure: AttemptFailure) => void;
  readonly die: (cause: unknown) => void;
}

/** Sends one request; its end or the timeout counts, whichever is first. Interruption aborts it. */
export const send = <A>(
  plan: AttemptPlan<A>,
  clock: Clock.Clock,
  span: Span | undefined,
  withinMs: number,
): Effect.Effect<A, AttemptFailure> =>
  Effect.callback<A, AttemptFailure>((resume) => {
    const abort = begin(plan, clock, span, withinMs, {
      succeed: (value) => resume(Effect.succeed(value)),
      fail: (failure) => resume(Effect.fail(failure)),
      die: (cause) => resume(Effect.die(cause)),
    });
    return Effect.sync(abort);
  });

/** Begins an attempt, and gives what aborts it: after that, nobody is told anything. */
export const begin = <A>(
  plan: AttemptPlan<A>,
  clock: Clock.Clock,
  span: Span | undefined,
  withinMs: number,
  ending: Ending<A>,
): (() => void) => {
  const controller = new AbortController();
  const { signal } = controller;
  const stopTimer = startTimer(plan, clock, withinMs, (failure) => {
    controller.abort();
    ending.fail(failure);
  });
  const { hedging } = plan.settings;
  const run = (signal: AbortSignal): Promise<A> => plan.run(signal, clock, span);
  const answer = hedging === undefined ? run(signal) : hedging.around(run, hedgingTools(plan, clock, signal));
  answer.then(
    (value) => {
      stopTimer();
      if (!signal.aborted) ending.succeed(value);
      return undefined;
    },
    (cause: unknown) => {
      stopTimer();
      if (signal.aborted) return;
      if (cause instanceof AttemptFailure) ending.fail(cause);
      else ending.die(cause);
    },
  );
  return () => {
    stopTimer();
    controller.abort();
  };
};

const startTimer = (
  plan: AttemptPlan<unknown>,
  clock: Clock.Clock,
  remainingMs: number,
  onTimeout: (failure: AttemptFailure) => void,
): (() => void) => {
  const { attemptTimeoutMs, deadlineMs } = plan.settings;
  const afterMs = Math.min(attemptTimeoutMs, remainingMs);
  if (afterMs === Infinity) return () => {};
  return after(clock, afterMs, () => {
    const isAttempt = attemptTimeoutMs <= remainingMs;
    const scope = isAttempt ? "attempt" : "deadline";
    onTimeout(failedHere(plan, { _tag: "TimedOut", scope, limitMs: isAttempt ? attemptTimeoutMs : deadlineMs }));
  });
};

/** The clock of the runtime. */
export const liveClock = /* @__PURE__ */ Context.get(Context.empty(), Clock.Clock);

/** Longest delay of `setTimeout`, in milliseconds. */
const maxTimerMs = 2_147_483_647;

/**
 * Runs `then` after so many milliseconds on the clock, unless stopped. On the runtime's own clock that is one timer, where a
 * sleeping fiber would cost a tenth of the call; on any other clock (TestClock) a fiber sleeps.
 */
const after = (clock: Clock.Clock, ms: number, then: () => void): (() => void) => {
  if (clock === liveClock && ms <= maxTimerMs) {
    const timer = setTimeout(then, ms);
    return () => clearTimeout(timer);
  }
  const sleeper = Effect.runFork(clock.sleep(Duration.millis(ms)));
  sleeper.addObserver((exit) => {
    if (Exit.isSuccess(exit)) then();
  });
  return () => sleeper.interruptUnsafe();
};

const hedgingTools = (plan: AttemptPlan<unknown>, clock: Clock.Clock, signal: AbortSignal): HedgingTools => ({
  signal,
  nowMs: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
  sleep: (ms, signal) => Effect.runPromise(clock.sleep(Duration.millis(ms)), { signal }),
  pay: () => plan.budget.pay(retryCost.transient),
});

/** A failure that no answer told. */
export const failedHere = (plan: AttemptPlan<unknown>, reason: EngineErrorReason): AttemptFailure =>
  new AttemptFailure(new EngineError({ reason, url: plan.subject.url, attempts: plan.state.requests }));
