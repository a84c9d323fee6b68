// The time of an attempt and of its call.
import type * as Clock from "effect/Clock";
import { counted, type AttemptPlan, type AttemptTimer } from "./AttemptPlan.ts";
import { EngineError, type EngineErrorReason } from "./EngineError.ts";
import { AttemptFailure } from "./Failure.ts";
import { after } from "./Timer.ts";

/** Who waits until when. */
export interface Timing {
  readonly plan: AttemptPlan<unknown>;
  readonly clock: Clock.Clock;
  /** When the call began, on the monotonic clock. */
  readonly start: bigint;
  /** What is left of the deadline now, in milliseconds. */
  readonly withinMs: number;
}

/** Starts the time of an attempt; `onTimeout` is told once that it is over, unless it was stopped. */
export const startTimer = (
  { plan, clock, start, withinMs }: Timing,
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
        const controller = new AbortController();
        const end = (cause: Error): void => {
          spares?.delete(end);
          controller.abort();
          reject(cause);
        };
        spares ??= new Set();
        spares.add(end);
        begin(controller.signal)
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

/** A failure that no answer told. */
export const failedHere = (plan: AttemptPlan<unknown>, reason: EngineErrorReason): AttemptFailure =>
  new AttemptFailure(new EngineError({ reason, url: plan.subject.url, ...counted(plan.state) }));
