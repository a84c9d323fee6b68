// One attempt: a request or a hedged pair, with its timer.
import type * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import type { Span } from "effect/Tracer";
import { counted, type AttemptPlan, type AttemptTimer } from "./AttemptPlan.ts";
import { EngineError, type EngineErrorReason } from "./EngineError.ts";
import { AttemptFailure } from "./Failure.ts";
import type { HedgingTools } from "./Hedging.ts";
import { retryCost } from "./RetryBudget.ts";
import { after, Cancellation } from "./Timer.ts";

/** One attempt and its deadline. */
export interface Attempt<A> {
  readonly plan: AttemptPlan<A>;
  readonly clock: Clock.Clock;
  readonly span: Span | undefined;
  /** When the call began, on the monotonic clock. */
  readonly start: bigint;
  /** Remaining time until the deadline, in milliseconds. */
  readonly withinMs: number;
}

/** Sends one request, limited by the timeout. Interruption aborts it. */
export const send = <A>(attempt: Attempt<A>): Effect.Effect<A, AttemptFailure> =>
  Effect.callback<A, AttemptFailure>((resume) => {
    const { plan, clock, span } = attempt;
    const cancel = new Cancellation();
    const timer = startTimer(attempt, (failure) => {
      cancel.abort(failure.error);
      resume(Effect.fail(failure));
    });
    const { hedging } = plan.settings;
    let sent = 0;
    const run = (one: Cancellation): Promise<A> => plan.run(one, clock, span, timer, sent++);
    const answer =
      hedging === undefined
        ? run(cancel)
        : hedging.around((signal) => run(new Cancellation(signal)), hedgingTools(plan, clock, cancel.signal));
    answer.then(
      (value) => {
        timer.stop();
        if (!cancel.aborted) resume(Effect.succeed(value));
        return undefined;
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

const hedgingTools = (plan: AttemptPlan<unknown>, clock: Clock.Clock, signal: AbortSignal): HedgingTools => ({
  signal,
  nowMs: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
  sleep: (ms, signal) => Effect.runPromise(clock.sleep(Duration.millis(ms)), { signal }),
  pay: () => plan.budget.pay(retryCost.transient),
});

/** Starts the timer of an attempt; `onTimeout` is called once unless the timer was stopped. */
const startTimer = (
  { plan, clock, start, withinMs }: Attempt<unknown>,
  onTimeout: (failure: AttemptFailure) => void,
): AttemptTimer => {
  const { attemptTimeoutMs, deadlineMs } = plan.settings;
  let spares: Set<(cause: Error) => void> | undefined;
  const endSpares = (cause: Error): void => {
    for (const end of spares ?? []) end(cause);
  };
  const onLate = (failure: AttemptFailure): void => {
    if (spares === undefined || spares.size === 0) onTimeout(failure);
    else endSpares(failure);
  };
  const within = (limitMs: number, remainingMs: number): (() => void) =>
    startOne(plan, clock, limitMs, remainingMs, onLate);
  let cancel = within(attemptTimeoutMs, withinMs);
  let isOver = false;
  const remainingMs = (): number => deadlineMs - Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6;
  return {
    stop: () => {
      isOver = true;
      cancel();
      if (spares !== undefined) endSpares(new Error("the attempt is over"));
    },
    aside: async (waiting) => {
      cancel();
      cancel = within(Infinity, remainingMs());
      try {
        return await waiting;
      } finally {
        cancel();
        if (!isOver) cancel = within(attemptTimeoutMs, remainingMs());
      }
    },
    spare: (begin) =>
      new Promise((resolve, reject) => {
        const cancel = new Cancellation();
        const end = (cause: Error): void => {
          spares?.delete(end);
          cancel.abort();
          reject(cause);
        };
        spares ??= new Set();
        spares.add(end);
        begin(cancel)
          .finally(() => spares?.delete(end))
          .then(resolve, reject);
      }),
  };
};

const never = (): void => {};

const startOne = (
  plan: AttemptPlan<unknown>,
  clock: Clock.Clock,
  attemptTimeoutMs: number,
  remainingMs: number,
  onTimeout: (failure: AttemptFailure) => void,
): (() => void) => {
  const afterMs = Math.min(attemptTimeoutMs, remainingMs);
  if (afterMs === Infinity) return never;
  return after(clock, afterMs, () => {
    const isAttempt = attemptTimeoutMs <= remainingMs;
    const scope = isAttempt ? "attempt" : "deadline";
    const limitMs = isAttempt ? attemptTimeoutMs : plan.settings.deadlineMs;
    onTimeout(failedHere(plan, { _tag: "TimedOut", scope, limitMs }));
  });
};

/** A failure without a response. */
export const failedHere = (plan: AttemptPlan<unknown>, reason: EngineErrorReason): AttemptFailure =>
  new AttemptFailure(new EngineError({ reason, url: plan.subject.url, ...counted(plan.state) }));
