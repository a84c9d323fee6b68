// Requests that carry nothing of the client: no token, header field, middleware.
import type * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { counted, countRequest, newState, type CallState } from "./AttemptPlan.ts";
import { attempts } from "./Attempts.ts";
import type { Cancellation } from "./Cancellation.ts";
import type { ExchangeTools } from "./Credentials.ts";
import { EngineError } from "./EngineError.ts";
import type { EventSubject } from "./EngineEvent.ts";
import { AttemptFailure } from "./Failure.ts";

/** Sends a request with retries; `run` makes one attempt, and may throw EngineError. */
export const sendOutside = <A>(
  { settings, budgets, emit, tracing }: Pick<ExchangeTools, "settings" | "budgets" | "emit" | "tracing">,
  subject: EventSubject,
  origin: string,
  run: (cancel: Cancellation, clock: Clock.Clock, state: CallState) => Promise<A>,
): Effect.Effect<A, EngineError> => {
  const state = newState();
  const plan = {
    subject,
    tracing,
    origin,
    settings: { ...settings, hedging: undefined },
    budget: budgets(origin),
    breaker: undefined,
    emit: emit ?? (() => {}),
    state,
    run: async (cancel: Cancellation, clock: Clock.Clock) => {
      countRequest(state);
      try {
        return await run(cancel, clock, state);
      } catch (cause) {
        throw cause instanceof EngineError && !cancel.aborted ? new AttemptFailure(cause) : cause;
      }
    },
  };
  const sent = Effect.withFiber((fiber) => attempts(plan, fiber));
  return Effect.mapError(sent, ({ error }) => error.with(counted(state)));
};
