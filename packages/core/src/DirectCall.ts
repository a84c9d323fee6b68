// Decides: how a call of the promise door goes without a fiber for as long as nothing fails: a fiber costs a tenth of a call.
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { attemptsAfter } from "./Attempts.ts";
import type { Answer, ResponseOf } from "./Answer.ts";
import { answerOf, send, type PreparedCall } from "./Calls.ts";
import type { EndpointName } from "./Endpoint.ts";
import type { EngineError } from "./EngineError.ts";
import type { Received } from "./Receiving.ts";
import { begin, type Attempt, type Ending } from "./Sending.ts";
import { liveClock } from "./Timer.ts";

/** Sends a prepared call. Rejects with EngineError, and with the signal's reason once that is aborted. */
export const sendDirectly = <N extends EndpointName>(
  prepared: PreparedCall<N>,
  signal: AbortSignal | undefined,
): Promise<Answer<ResponseOf<N>>> => {
  const { plan } = prepared;
  const { budget, settings, state } = plan;
  // A breaker decides in the fiber.
  if (plan.breaker !== undefined) return run(send(prepared), signal);
  return new Promise((resolve, reject) => {
    const start = liveClock.monotonicTimeNanosUnsafe();
    const succeed = (received: Received<N>): void =>
      resolve(answerOf(received, state, Number(liveClock.monotonicTimeNanosUnsafe() - start) / 1e6));
    const first: Ending<Received<N>> = {
      succeed: (received) => {
        budget.refund(0);
        succeed(received);
      },
      fail: (failure) => {
        const others = Effect.mapError(attemptsAfter(plan, failure, start), ({ error }) =>
          error.withAttempts(state.requests),
        );
        void run(others, signal).then(succeed, reject);
      },
      die: reject,
    };
    const attempt = { plan, clock: liveClock, span: undefined, start, withinMs: settings.deadlineMs };
    if (signal === undefined) begin(attempt, first);
    else beginWith(signal, attempt, first);
  });
};

/** Begins the first attempt; it dies of the signal's reason once that is aborted. */
const beginWith = <A>(signal: AbortSignal, attempt: Attempt<A>, ending: Ending<A>): void => {
  let abort: (() => void) | undefined;
  const onAbort = (): void => {
    abort?.();
    ending.die(signal.reason);
  };
  const over =
    <T>(then: (value: T) => void) =>
    (value: T): void => {
      signal.removeEventListener("abort", onAbort);
      then(value);
    };
  signal.addEventListener("abort", onAbort, { once: true });
  abort = begin(attempt, {
    succeed: over(ending.succeed),
    fail: over(ending.fail),
    die: over(ending.die),
  });
  // What sends the request may itself have aborted the signal.
  if (signal.aborted) abort();
};

/** Runs an effect. Rejects with its failure, and with the signal's reason once that is aborted. */
export const run = async <A>(effect: Effect.Effect<A, EngineError>, signal: AbortSignal | undefined): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect, signal === undefined ? undefined : { signal });
  if (Exit.isSuccess(exit)) return exit.value;
  throw signal?.aborted === true && Cause.hasInterrupts(exit.cause) ? signal.reason : Cause.squash(exit.cause);
};
