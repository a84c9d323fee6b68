// Decides: how the attempts of one call follow each other in time: timeout, backoff, budget, deadline, breaker.
import * as Clock from "effect/Clock";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type * as Fiber from "effect/Fiber";
import * as Random from "effect/Random";
import * as Result from "effect/Result";
import type { Span } from "effect/Tracer";
import type { Breaker } from "./Breaker.ts";
import type { CallSettings } from "./ClientOptions.ts";
import { EngineError } from "./EngineError.ts";
import type { EngineEvent, EventSubject } from "./EngineEvent.ts";
import { AttemptFailure } from "./Failure.ts";
import type { HedgingTools } from "./Hedging.ts";
import { decideRetry, retryClassOf } from "./Retry.ts";
import { retryCost, type RetryBudget } from "./RetryBudget.ts";

/** What one call has used up so far. */
export interface CallState {
  /** Requests sent. */
  requests: number;
  /** Attempts whose body was cut or undecodable. */
  spoiled: number;
  /** Whether a refused token was already replaced. */
  renewed: boolean;
  /** Status of the last answer. */
  status: number | undefined;
}

/** One call, as it is attempted. */
export interface AttemptPlan<A> {
  readonly subject: EventSubject;
  readonly origin: string;
  readonly settings: CallSettings;
  readonly budget: RetryBudget;
  readonly breaker: Breaker | undefined;
  readonly emit: (event: EngineEvent) => void;
  readonly state: CallState;
  /** One attempt. Rejects with AttemptFailure, or with the signal's reason once it is aborted. */
  readonly run: (signal: AbortSignal, clock: Clock.Clock, span: Span) => Promise<A>;
}

/** Attempts it until it succeeds, fails for good, or runs out of attempts, budget or time. */
export const attempts = Effect.fnUntraced(function* <A>(plan: AttemptPlan<A>): Effect.fn.Return<A, AttemptFailure> {
  const { settings, budget, state } = plan;
  const clock = yield* Clock.Clock;
  const start = clock.monotonicTimeNanosUnsafe();
  const remainingMs = (): number => settings.deadlineMs - Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6;
  let lastCost = 0;
  for (let count = 1; ; count++) {
    const result = yield* Effect.result(attempt(plan, clock, remainingMs()));
    if (Result.isSuccess(result)) {
      budget.refund(lastCost);
      return result.success;
    }
    const failure = result.failure;
    const { reason, status } = failure.error;
    const retryClass = retryClassOf(reason);
    if (retryClass === "spoiled") state.spoiled += 1;
    const decision = decideRetry({
      policy: settings.retry,
      reason,
      attempts: count,
      spoiled: state.spoiled,
      hintMs: failure.hintMs,
      remainingMs: remainingMs(),
      random: yield* Random.next,
    });
    const cost = retryClass === "throttled" ? retryCost.throttled : retryCost.transient;
    if (failure.exhausted || !decision.retry || !budget.pay(cost)) return yield* Effect.fail(failure);
    lastCost = cost;
    const { delayMs, hinted } = decision;
    plan.emit({
      ...plan.subject,
      type: "retry",
      attempt: state.requests,
      delayMs,
      reason: reason._tag,
      status,
      hinted,
      budgetTokens: budget.tokens,
    });
    yield* Effect.sleep(Duration.millis(delayMs));
  }
});

/** One attempt: in its span, within its timeout, if the breaker lets it through. */
const attempt = <A>(
  plan: AttemptPlan<A>,
  clock: Clock.Clock,
  remainingMs: number,
): Effect.Effect<A, AttemptFailure> => {
  const spanned = Effect.useSpan("GET", spanOptions(plan), (span) =>
    Effect.onExit(send(plan, clock, span, remainingMs), (exit) =>
      Effect.sync(() => describeEnd(span, plan.state, exit)),
    ),
  );
  return plan.breaker === undefined ? spanned : guarded(plan.breaker, plan, clock, spanned);
};

/**
 * Sends one request and waits for its end or the timeout, whichever is first. One timer beside one promise: a race of two
 * fibers would cost as much as the rest of the call.
 */
const send = <A>(
  plan: AttemptPlan<A>,
  clock: Clock.Clock,
  span: Span,
  remainingMs: number,
): Effect.Effect<A, AttemptFailure> =>
  Effect.callback<A, AttemptFailure>((resume) => {
    const controller = new AbortController();
    const { signal } = controller;
    const timer = startTimer(plan, clock, remainingMs, (failure) => {
      controller.abort();
      resume(Effect.fail(failure));
    });
    const { hedging } = plan.settings;
    const run = (signal: AbortSignal): Promise<A> => plan.run(signal, clock, span);
    const answer = hedging === undefined ? run(signal) : hedging.around(run, hedgingTools(plan, clock, signal));
    const end = (effect: Effect.Effect<A, AttemptFailure>): void => {
      timer?.interruptUnsafe();
      // An aborted request has nobody left who waits for it.
      if (!signal.aborted) resume(effect);
    };
    answer.then(
      (value) => end(Effect.succeed(value)),
      (cause: unknown) => end(cause instanceof AttemptFailure ? Effect.fail(cause) : Effect.die(cause)),
    );
    return Effect.sync(() => {
      timer?.interruptUnsafe();
      controller.abort();
    });
  });

const startTimer = (
  plan: AttemptPlan<unknown>,
  clock: Clock.Clock,
  remainingMs: number,
  onTimeout: (failure: AttemptFailure) => void,
): Fiber.Fiber<void> | undefined => {
  const { attemptTimeoutMs, deadlineMs } = plan.settings;
  const afterMs = Math.min(attemptTimeoutMs, remainingMs);
  if (afterMs === Infinity) return undefined;
  const timer = Effect.runFork(clock.sleep(Duration.millis(afterMs)));
  timer.addObserver((exit) => {
    if (!Exit.isSuccess(exit)) return;
    const [scope, limitMs] =
      attemptTimeoutMs <= remainingMs ? (["attempt", attemptTimeoutMs] as const) : (["deadline", deadlineMs] as const);
    onTimeout(failedHere(plan, { _tag: "TimedOut", scope, limitMs }));
  });
  return timer;
};

const hedgingTools = (plan: AttemptPlan<unknown>, clock: Clock.Clock, signal: AbortSignal): HedgingTools => ({
  signal,
  nowMs: () => Number(clock.monotonicTimeNanosUnsafe()) / 1e6,
  sleep: (ms, signal) => Effect.runPromise(clock.sleep(Duration.millis(ms)), { signal }),
  pay: () => plan.budget.pay(retryCost.transient),
});

const failedHere = (plan: AttemptPlan<unknown>, reason: EngineError["reason"]): AttemptFailure =>
  new AttemptFailure(new EngineError({ reason, url: plan.subject.url, attempts: plan.state.requests }));

const guarded = <A>(
  breaker: Breaker,
  plan: AttemptPlan<A>,
  clock: Clock.Clock,
  sent: Effect.Effect<A, AttemptFailure>,
): Effect.Effect<A, AttemptFailure> =>
  Effect.suspend(() => {
    const { origin, subject, emit } = plan;
    const { retryAfterMs, changed } = breaker.admit(origin, clock.currentTimeMillisUnsafe());
    if (changed !== undefined) emit({ ...subject, type: "breaker", state: changed });
    if (retryAfterMs > 0) return Effect.fail(failedHere(plan, { _tag: "CircuitOpen", retryAfterMs }));
    return Effect.onExit(sent, (exit) =>
      Effect.sync(() => {
        const state = breaker.record(origin, clock.currentTimeMillisUnsafe(), soundness(exit));
        if (state !== undefined) emit({ ...subject, type: "breaker", state });
      }),
    );
  });

/** Whether the origin showed itself able to answer; undefined when nobody waited for it. */
const soundness = (exit: Exit.Exit<unknown, AttemptFailure>): boolean | undefined => {
  if (Exit.isSuccess(exit)) return true;
  const failure = Exit.findErrorOption(exit);
  return failure._tag === "None" ? undefined : retryClassOf(failure.value.error.reason) !== "transient";
};

/** Attributes by OpenTelemetry's semantic conventions of HTTP clients. */
const spanOptions = ({
  subject,
  origin,
  state,
}: AttemptPlan<unknown>): { kind: "client"; attributes: Record<string, unknown> } => {
  const attributes: Record<string, unknown> = {
    "http.request.method": "GET",
    "url.full": subject.url,
    "server.address": hostOf(origin),
  };
  if (state.requests > 0) attributes["http.request.resend_count"] = state.requests;
  return { kind: "client", attributes };
};

const hostOf = (origin: string): string => origin.slice(origin.indexOf("//") + 2);

const describeEnd = (span: Span, state: CallState, exit: Exit.Exit<unknown, AttemptFailure>): void => {
  if (state.status !== undefined) span.attribute("http.response.status_code", state.status);
  if (Exit.isSuccess(exit)) return;
  const failure = Exit.findErrorOption(exit);
  span.attribute("error.type", failure._tag === "None" ? "cancelled" : failure.value.error.reason._tag);
};
