// Client for raw responses, with retries, budget, deadline, breaker.
import { binaryErrors } from "./BinaryErrors.ts";
import type * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { counted, newState } from "./AttemptPlan.ts";
import { attempts } from "./Attempts.ts";
import type { AttemptTimer } from "./AttemptPlan.ts";
import type { BodyLimits } from "./Body.ts";
import { assertHeaders, settingsOf, type ClientOptions } from "./ClientOptions.ts";
import { orInvalid } from "./ClientParts.ts";
import type { EndpointName } from "./Endpoint.ts";
import type { EngineError } from "./EngineError.ts";
import { safeListener } from "./EngineEvent.ts";
import { failureOf, wasNotProcessed } from "./Failure.ts";
import { request } from "./Requester.ts";
import { idempotentMethods, retryClassOf } from "./Retry.ts";
import { makeBudgets } from "./RetryBudget.ts";
import { run } from "./Run.ts";
import { credentialsIn } from "./Secret.ts";
import { defined } from "./OptionNames.ts";
import type { Cancellation } from "./Cancellation.ts";
import { lowerCased, publicUrl, type HttpResponse } from "./Transport.ts";

/**
 * What an exchanger is made of. Headers, the token and `traceparent` among them, come with each request; nothing is shared,
 * negotiated or read.
 */
export interface RawClientOptions extends Pick<
  ClientOptions,
  | "attemptTimeoutMs"
  | "breaker"
  | "deadlineMs"
  | "fetch"
  | "hedging"
  | "middleware"
  | "onEvent"
  | "retry"
  | "retryBudget"
> {
  readonly limits?: Partial<BodyLimits>;
}

/** One request, as it is to be sent. */
export interface RawRequest {
  readonly url: string;
  /** Default GET. One that is not idempotent is sent again only where it was certainly not carried out (RFC 9110, 9.2.2). */
  readonly method?: string;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** All headers, `authorization` and `accept` among them. Those that follow from URL and body are refused (InvalidArgument). */
  readonly headers: Readonly<Record<string, string>>;
  readonly endpoint: EndpointName;
  readonly signal?: AbortSignal;
}

/** The last answer, whatever its status. */
export interface RawResponse extends HttpResponse {
  readonly attempts: number;
  /** Requests that were sent. */
  readonly requests: number;
}

/** Sends requests with retries. */
export interface RawClient {
  /**
   * The response, also an error response when it is final or all attempts gave the like. Rejects with EngineError when
   * no answer came (Unreachable, TimedOut, TooLarge, RedirectRefused, CircuitOpen, a body cut short); with the signal's
   * reason once that is aborted.
   */
  send(request: RawRequest): Promise<RawResponse>;
}

/** The error of an answer with an error status, as every client has it. `token`: the one that was sent, to redact it. */
export const errorOf = (answer: HttpResponse, token?: string): EngineError =>
  failureOf(answer, Date.now(), token === undefined ? [] : [token], undefined, binaryErrors).error;

/** An exchanger; its budgets live as long as it. Throws TypeError or RangeError for options that cannot be. */
export const createRawClient = (options: RawClientOptions = {}): RawClient => {
  const { fetch = (url, init) => globalThis.fetch(url, init), breaker, onEvent } = options;
  const settings = settingsOf(options);
  const budgets = makeBudgets(options.retryBudget);
  const emit = onEvent ? safeListener(onEvent) : undefined;
  const client = { fetch, renewable: false, token: () => undefined, emit, inFlight: undefined, tracing: undefined };
  return {
    send: async ({ url, method = "GET", body, headers: given, endpoint, signal }) => {
      const headers = lowerCased(given);
      const state = newState();
      const subject = { endpoint, url: publicUrl(url), ...(method === "GET" ? {} : { method }) };
      const origin = new URL(url).origin;
      const asking = { subject, url, settings: { ...settings, headers }, state, ...defined({ body }) };
      const plan = {
        subject,
        origin,
        settings,
        budget: budgets(origin),
        breaker: breaker ?? undefined,
        emit: emit ?? (() => {}),
        state,
        ...(idempotentMethods.has(method) ? {} : { mayRepeat: wasNotProcessed }),
        run: (cancel: Cancellation, clock: Clock.Clock, _span: unknown, timer: AttemptTimer) => {
          const sent = { ...asking, clock, span: undefined, cancel, timer };
          return request(client, sent, headers["accept"] ?? "*/*", ({ answer }) => {
            if (answer.status < 400) return answer;
            const secrets = credentialsIn(url, headers);
            const failure = failureOf(answer, clock.currentTimeMillisUnsafe(), secrets, undefined, binaryErrors);
            if (retryClassOf(failure.error.reason) === "final") return answer;
            throw failure;
          });
        },
      };
      const sent = Effect.withFiber((fiber) => attempts(plan, fiber)).pipe(
        Effect.catch(({ answer, error }) =>
          answer === undefined ? Effect.fail(error.with({ ...counted(state), method })) : Effect.succeed(answer),
        ),
      );
      const checked = orInvalid(
        subject.url,
        () => assertHeaders(headers),
        () => sent,
        method,
      );
      return { ...(await run(checked, signal)), ...counted(state) };
    },
  };
};
