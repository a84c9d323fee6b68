// State and plan of one call.
import type * as Clock from "effect/Clock";
import type * as Context from "effect/Context";
import type * as Effect from "effect/Effect";
import type * as Fiber from "effect/Fiber";
import type { Span } from "effect/Tracer";
import type { Breaker } from "./FailureRateBreaker.ts";
import type { CallSettings } from "./ClientOptions.ts";
import type { EngineEvent, EventSubject } from "./EngineEvent.ts";
import type { AttemptFailure } from "./Failure.ts";
import type { RetryBudget } from "./RetryBudget.ts";
import type { Cancellation } from "./Cancellation.ts";
import type { Shared } from "./Deduplication.ts";

/** State of one call. */
export interface CallState {
  /** Requests sent: several in an attempt that is hedged, renews a token, or compares formats. */
  requests: number;
  /** The attempt under way, from 1. */
  attempt: number;
  /** Attempts that sent a request. */
  attempts: number;
  /** Attempts with a truncated or undecodable body. */
  corrupt: number;
  /** Whether a refused token was already replaced. */
  renewed: boolean;
  /** Status of the last answer. */
  status: number | undefined;
  /** Services of the fiber of the call: its tracer. */
  services: Context.Context<never> | undefined;
  /** Of a deduplicated response. */
  shared: Shared | undefined;
}

/** The time of one attempt, which runs from the start. */
export interface AttemptTimer {
  stop(): void;
  /** Waits for something with the time of the attempt stopped: what that takes counts on the deadline of the call only. */
  aside<T>(waiting: Promise<T>): Promise<T>;
  /**
   * Waits for something that the answer does not hang on. If the attempt is over before it ends, it is aborted, and this
   * rejects: for lack of time the attempt does not fail then, since it has its answer.
   */
  spare<T>(begin: (cancel: Cancellation) => Promise<T>): Promise<T>;
}

/** Spans of calls; only in the Effect entries. */
export interface Tracing {
  readonly call: <A, E>(effect: Effect.Effect<A, E>, name: string, template: string) => Effect.Effect<A, E>;
  readonly attempt: <A>(
    plan: AttemptPlan<A>,
    fiber: Fiber.Fiber<unknown, unknown>,
    attempt: (span: Span | undefined) => Effect.Effect<A, AttemptFailure>,
  ) => Effect.Effect<A, AttemptFailure>;
  /** The header field of that name; undefined: none is sent. */
  readonly traceparent: (span: Span | undefined) => string | undefined;
}

/** Parent of the spans of a request. */
export interface Trace {
  readonly span: Span | undefined;
  readonly services: Context.Context<never> | undefined;
}

/** Plan of one call. */
export interface AttemptPlan<A> {
  readonly tracing?: Tracing | undefined;
  readonly subject: EventSubject;
  readonly origin: string;
  readonly settings: CallSettings;
  readonly budget: RetryBudget;
  readonly breaker: Breaker | undefined;
  readonly emit: (event: EngineEvent) => void;
  readonly state: CallState;
  /** Whether the request may be sent again after a failure that would allow it; absent: always. */
  readonly mayRepeat?: ((failure: AttemptFailure) => boolean) | undefined;
  /** One attempt, or its `hedge`-th hedged request. Rejects with AttemptFailure, or with the reason of `cancel` once that ends it. */
  readonly run: (
    cancel: Cancellation,
    clock: Clock.Clock,
    span: Span | undefined,
    timer: AttemptTimer,
    hedge?: number,
  ) => Promise<A>;
}

/** Initial state of a call. */
export const newState = (): CallState => ({
  requests: 0,
  attempt: 0,
  attempts: 0,
  corrupt: 0,
  renewed: false,
  status: undefined,
  // From the start: an object that gets fields later takes more memory.
  services: undefined,
  shared: undefined,
});

/** Counts a request that is sent. */
export const countRequest = (state: CallState): void => {
  state.requests += 1;
  state.attempts = Math.max(state.attempts, state.attempt);
};

/** Attempts and requests so far. */
export const counted = ({ attempts, requests }: CallState): Pick<CallState, "attempts" | "requests"> => ({
  attempts,
  requests,
});
