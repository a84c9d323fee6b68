// One attempt: a request or a hedged pair, with a timer.
import type * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import type { Span } from "effect/Tracer";
import type { AttemptPlan } from "./AttemptPlan.ts";
import { startTimer, type Timing } from "./AttemptTimer.ts";
import { AttemptFailure } from "./Failure.ts";
import type { HedgingTools } from "./Hedging.ts";
import { retryCost } from "./RetryBudget.ts";

/** One attempt of a call. */
export interface Attempt<A> extends Timing {
  readonly plan: AttemptPlan<A>;
  readonly span: Span | undefined;
}

/** Who is told how an attempt ended: one of them, once. */
export interface Ending<A> {
  readonly succeed: (value: A) => void;
  readonly fail: (failure: AttemptFailure) => void;
  readonly die: (cause: unknown) => void;
}

/** Sends one request; its end or the timeout counts, whichever is first. Interruption aborts it. */
export const send = <A>(attempt: Attempt<A>): Effect.Effect<A, AttemptFailure> =>
  Effect.callback<A, AttemptFailure>((resume) => {
    const abort = begin(attempt, {
      succeed: (value) => resume(Effect.succeed(value)),
      fail: (failure) => resume(Effect.fail(failure)),
      die: (cause) => resume(Effect.die(cause)),
    });
    return Effect.sync(abort);
  });

/** Begins an attempt, and gives what aborts it: after that, nobody is told anything. */
export const begin = <A>(attempt: Attempt<A>, ending: Ending<A>): (() => void) => {
  const { plan, clock, span } = attempt;
  const controller = new AbortController();
  const { signal } = controller;
  const timer = startTimer(attempt, (failure) => {
    controller.abort(failure.error);
    ending.fail(failure);
  });
  const { hedging } = plan.settings;
  let sent = 0;
  const run = (signal: AbortSignal): Promise<A> => plan.run(signal, clock, span, timer, sent++);
  const answer = hedging === undefined ? run(signal) : hedging.around(run, hedgingTools(plan, clock, signal));
  answer.then(
    (value) => {
      timer.stop();
      if (!signal.aborted) ending.succeed(value);
      return undefined;
    },
    (cause: unknown) => {
      timer.stop();
      if (signal.aborted) return;
      if (cause instanceof AttemptFailure) ending.fail(cause);
      else ending.die(cause);
    },
  );
  return () => {
    timer.stop();
    controller.abort();
  };
};

const hedgingTools = (plan: AttemptPlan<unknown>, clock: Clock.Clock, signal: AbortSignal): HedgingTools => ({
  signal,
  nowMs: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
  sleep: (ms, signal) => Effect.runPromise(clock.sleep(Duration.millis(ms)), { signal }),
  pay: () => plan.budget.pay(retryCost.transient),
});
