// Decides: how a call of the promise door goes without a fiber for as long as nothing fails: a fiber costs a tenth of a call.
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { attemptsAfter } from "./Attempts.ts";
import { answerOf, send, type Answer, type PreparedCall, type ResponseOf } from "./Calls.ts";
import type { EndpointName } from "./Endpoint.ts";
import type { EngineError } from "./EngineError.ts";
import { AttemptFailure } from "./Failure.ts";
import type { Received } from "./Receiving.ts";
import { begin, liveClock } from "./Sending.ts";
import { announce, type Followers } from "./Sharing.ts";

/** Sends a prepared call. Rejects with EngineError, and with the signal's reason once that is aborted. */
export const sendDirectly = <N extends EndpointName>(
  prepared: PreparedCall<N>,
  signal: AbortSignal | undefined,
): Promise<Answer<ResponseOf<N>>> => {
  const { plan, inFlight } = prepared;
  const { url } = plan.subject;
  // A breaker decides in the fiber, and whoever waits for another's exchange does so there.
  if (plan.breaker !== undefined || inFlight?.has(url) === true) return run(send(prepared), signal);
  return attempted(prepared, signal);
};

/** The attempts of a call, and the news of their end for those who came to share them. */
const attempted = async <N extends EndpointName>(
  { plan, inFlight }: PreparedCall<N>,
  signal: AbortSignal | undefined,
): Promise<Answer<ResponseOf<N>>> => {
  const { url } = plan.subject;
  const followers: Followers<Answer<ResponseOf<N>>, EngineError> = [];
  inFlight?.set(url, followers);
  try {
    const answer = answerOf(await received(plan, signal), plan.state);
    inFlight?.delete(url);
    if (followers.length > 0) announce(followers, Exit.succeed(answer));
    return answer;
  } catch (cause) {
    inFlight?.delete(url);
    announce(followers, signal?.aborted === true ? Exit.interrupt() : Exit.fail(cause as EngineError));
    throw cause;
  }
};

const received = async <N extends EndpointName>(
  plan: PreparedCall<N>["plan"],
  signal: AbortSignal | undefined,
): Promise<Received<N>> => {
  const start = liveClock.monotonicTimeNanosUnsafe();
  try {
    const first = await firstAttempt(plan, signal);
    plan.budget.refund(0);
    return first;
  } catch (failure) {
    if (!(failure instanceof AttemptFailure)) throw failure;
    const others = Effect.mapError(attemptsAfter(plan, failure, start), ({ error }) =>
      error.withAttempts(plan.state.requests),
    );
    return run(others, signal);
  }
};

const firstAttempt = <N extends EndpointName>(
  plan: PreparedCall<N>["plan"],
  signal: AbortSignal | undefined,
): Promise<Received<N>> =>
  new Promise((resolve, reject) => {
    const end = { succeed: resolve, fail: reject, die: reject };
    if (signal === undefined) {
      begin(plan, liveClock, undefined, plan.settings.deadlineMs, end);
      return;
    }
    let abort: (() => void) | undefined;
    const onAbort = (): void => {
      abort?.();
      reject(signal.reason);
    };
    const over =
      <T>(then: (value: T) => void) =>
      (value: T): void => {
        signal.removeEventListener("abort", onAbort);
        then(value);
      };
    signal.addEventListener("abort", onAbort, { once: true });
    abort = begin(plan, liveClock, undefined, plan.settings.deadlineMs, {
      succeed: over(end.succeed),
      fail: over(end.fail),
      die: over(end.die),
    });
    // What sends the request may itself have aborted the signal.
    if (signal.aborted) abort();
  });

const run = async <A>(effect: Effect.Effect<A, EngineError>, signal: AbortSignal | undefined): Promise<A> => {
  const exit = await Effect.runPromiseExit(effect, signal === undefined ? undefined : { signal });
  if (Exit.isSuccess(exit)) return exit.value;
  throw signal?.aborted === true && Cause.hasInterrupts(exit.cause) ? signal.reason : Cause.squash(exit.cause);
};
