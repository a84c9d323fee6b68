// Request of a token source, with a separate deadline.
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import { counted, countRequest, newState, type Tracing } from "./AttemptPlan.ts";
import { attempts } from "./Attempts.ts";
import type { CallSettings } from "./ClientOptions.ts";
import { EngineError } from "./EngineError.ts";
import type { EngineEvent } from "./EngineEvent.ts";
import { AttemptFailure, failureOf, tooLarge } from "./Failure.ts";
import { LimitExceeded, parseJson, type ReadLimits } from "./ReadLimits.ts";
import type { RetryBudgets } from "./RetryBudget.ts";
import type { Trace } from "./Requester.ts";
import { redact } from "./Secret.ts";
import type { Fetch } from "./Fetch.ts";
import { exchange, publicUrl, type HttpResponse } from "./Transport.ts";

/** A POST of JSON, and by what it is sent. */
export interface TokenRequest {
  readonly url: string;
  readonly json: unknown;
  /** Redacted where the server repeats it. */
  readonly secret: string;
  readonly fetch: Fetch;
  readonly settings: CallSettings;
  /** Pays for retries: an outage of the exchange is not multiplied either. */
  readonly budgets: RetryBudgets;
  readonly clock: Clock.Clock;
  readonly emit: ((event: EngineEvent) => void) | undefined;
  /** Ends it at once. */
  readonly signal: AbortSignal;
  readonly trace: Trace;
  readonly tracing: Tracing | undefined;
}

/** Sends it, and resolves with the JSON of a success. Rejects with EngineError. */
export const postJson = ({
  url,
  json,
  secret,
  fetch,
  settings,
  budgets,
  clock,
  emit,
  signal,
  trace,
  tracing,
}: TokenRequest): Promise<unknown> => {
  const subject = { endpoint: "credentials", url: publicUrl(url) } as const;
  const headers = { accept: "application/json", "content-type": "application/json" };
  const state = newState();
  const origin = new URL(url).origin;
  const sent = attempts({
    subject,
    tracing,
    origin,
    settings: { ...settings, hedging: undefined },
    budget: budgets(origin),
    breaker: undefined,
    emit: emit ?? (() => {}),
    state,
    run: async (signal) => {
      countRequest(state);
      try {
        const request = { url, method: "POST", headers, body: JSON.stringify(json) } as const;
        const answer = await exchange(fetch, request, settings.limits, signal);
        if (answer.status < 200 || answer.status > 299)
          throw failureOf(answer, clock.currentTimeMillisUnsafe(), [secret], settings.limits);
        return tokenJson(answer, settings.limits, secret);
      } catch (cause) {
        if (cause instanceof EngineError) throw new AttemptFailure(cause);
        if (!(cause instanceof SyntaxError)) throw cause;
        const reason = { _tag: "Undecodable", problem: "the answer to the token request is no JSON" } as const;
        throw new AttemptFailure(new EngineError({ reason, url: subject.url, attempts: 1 }));
      }
    },
  });
  const failed = Effect.mapError(sent, ({ error }) =>
    error.with({ method: "POST", ...counted(state), url: redact(error.url, [secret]) }),
  );
  const timed = Effect.provideService(failed, Clock.Clock, clock);
  const traced = trace.span === undefined ? timed : Effect.withParentSpan(timed, trace.span);
  return Effect.runPromiseWith(trace.services ?? Context.empty())(traced, { signal });
};

/** Throws SyntaxError for what is no JSON. */
const tokenJson = (answer: HttpResponse, limits: ReadLimits, secret: string): unknown => {
  try {
    return parseJson(answer.bytes, limits);
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw tooLarge(answer, cause, [secret]);
    throw cause instanceof SyntaxError ? cause : new SyntaxError("not in UTF-8", { cause });
  }
};
