// Errors and options of the Effect entry, and their plain form.
import type * as Cause from "effect/Cause";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Pull from "effect/Pull";
import * as Redacted from "effect/Redacted";
import * as Schedule from "effect/Schedule";
import { callOptionNames, type CallOptions, type ClientOptions } from "./ClientOptions.ts";
import { orInvalid } from "./ClientParts.ts";
import { isKeyed, runForRequest, type KeyedContext } from "./Credentials.ts";
import { EngineError as PlainError, type EngineErrorFields } from "./EngineError.ts";
import { assertObject, assertOptionNames, assertOptionTypes, defined, type Given } from "./OptionNames.ts";
import type { RetryPolicy } from "./Retry.ts";
import { closest } from "./Suggestion.ts";
import { facade, type Caller } from "./Run.ts";
import type { ExpiringToken, TokenContext, TokenOption } from "./Token.ts";

/** The one error of the client. `reason` has the kind: `Effect.catchReason("EngineError", "NotFound", ...)`. */
export interface EngineError extends PlainError, Cause.YieldableError {
  readonly toJSON: () => Record<string, unknown>;
}

/** The one error of the client. `reason` has the kind: `Effect.catchReason("EngineError", "NotFound", ...)`. */
export const EngineError = PlainError as unknown as new (fields: EngineErrorFields) => EngineError;

/** A token with the moment it expires, in milliseconds since 1970. */
export interface RedactedExpiringToken extends Omit<ExpiringToken, "token"> {
  readonly token: string | Redacted.Redacted;
}

/** A token as a function or an effect may give it. */
type GivenToken = string | Redacted.Redacted | ExpiringToken | RedactedExpiringToken;

/** Where tokens come from; each of them may be redacted. An effect is run for every request, as a function is called. */
export type RedactedTokenOption =
  | TokenOption
  | Redacted.Redacted
  | Effect.Effect<GivenToken, unknown>
  | ((context: TokenContext) => GivenToken | Promise<GivenToken>);

/** When and how often a call is sent again; times as numbers of milliseconds, or as durations. */
export interface EffectRetryPolicy extends Given<RetryPolicy> {
  readonly baseDelay?: Duration.Input | undefined;
  readonly throttledBaseDelay?: Duration.Input | undefined;
  readonly maxDelay?: Duration.Input | undefined;
  readonly maxRetryAfter?: Duration.Input | undefined;
  /**
   * Another backoff. Its input is the failure of the attempt. It decides the delays, but for those that the server asks for, and when
   * there are no more attempts; `maxAttempts` (then Infinity by default), the deadline and the retry budget still hold.
   */
  readonly schedule?: Schedule.Schedule<unknown, EngineError> | undefined;
}

/** Options of one call in Effect. */
export interface EngineCallOptions extends Omit<CallOptions, "token" | "retry"> {
  /** The value of `Authorization`: text, or a function that returns it. */
  readonly token?: RedactedTokenOption | null | undefined;
  /** Longest time for one request and its whole answer. Default 10 seconds. Wins over `attemptTimeoutMs`. */
  readonly attemptTimeout?: Duration.Input | undefined;
  /** Longest time for a call with all its requests and waits. Default 30 seconds. Wins over `deadlineMs`. */
  readonly deadline?: Duration.Input | undefined;
  readonly retry?: EffectRetryPolicy | undefined;
}

/** Options of a client in Effect. */
export interface EngineClientOptions extends EngineCallOptions, Pick<ClientOptions, "protobufVerification"> {}

type EffectOptions = Pick<EngineCallOptions, "token" | "attemptTimeout" | "deadline" | "retry">;
type Plain<O> = Omit<O, keyof EffectOptions> & Pick<CallOptions, "token" | "retry" | "attemptTimeoutMs" | "deadlineMs">;

const callTimes = ["attemptTimeout", "deadline"];
const names = [...callTimes, ...callOptionNames];

/** The same options without anything of Effect's. Throws TypeError for invalid times. */
export const plainOptions = <O extends EffectOptions>(options: O | undefined): Plain<O> | undefined => {
  if (options === undefined) return undefined;
  assertObject(options);
  const { token, attemptTimeout, deadline, retry, ...rest } = options;
  for (const name of Object.keys(rest))
    if (!names.includes(name) && callTimes.includes(closest(name, names)[0] ?? ""))
      assertOptionNames({ [name]: undefined }, names);
  const plain = {
    token: plainToken(token),
    attemptTimeoutMs: millis("attemptTimeout", attemptTimeout),
    deadlineMs: millis("deadline", deadline),
    retry: retry && plainRetry(retry),
  };
  return { ...rest, ...defined(plain) };
};

/** Each call as an effect, with options of Effect. */
export const effectful = (url: string, callers: Readonly<Record<string, Caller<never>>>): object =>
  facade(callers, (call, part) => (subject: never, options: EffectOptions | undefined) => {
    const plain = (): Plain<EffectOptions> | undefined => plainOptions(options);
    return orInvalid(url, plain, (plain) => Effect.map(call(subject, plain as never), part));
  });

const millis = (name: string, input: Duration.Input | undefined): number | undefined => {
  if (input === undefined) return undefined;
  const duration = Duration.fromInput(input);
  if (duration._tag === "None" || Number.isNaN(input) || Duration.isNegative(duration.value))
    throw new TypeError(
      `${name} must be a duration, e.g. "10 seconds", not ${typeof input === "number" ? input : JSON.stringify(input)}`,
    );
  return Duration.toMillis(duration.value);
};

const plainRetry = (retry: EffectRetryPolicy): Given<RetryPolicy> => {
  assertOptionNames(retry, retryNames, "retry");
  const { schedule, baseDelay, throttledBaseDelay, maxDelay, maxRetryAfter, ...plain } = retry;
  assertOptionTypes({ schedule }, { schedule: ["a Schedule of Effect", Schedule.isSchedule] });
  const times = {
    baseDelayMs: millis("retry.baseDelay", baseDelay),
    throttledBaseDelayMs: millis("retry.throttledBaseDelay", throttledBaseDelay),
    maxDelayMs: millis("retry.maxDelay", maxDelay),
    maxRetryAfterMs: millis("retry.maxRetryAfter", maxRetryAfter),
  };
  const backoff = schedule && { maxAttempts: Infinity, backoff: backoffOf(schedule) };
  return { ...backoff, ...defined(plain), ...defined(times) };
};

const retryTimes = ["baseDelay", "throttledBaseDelay", "maxDelay", "maxRetryAfter"];
const retryNames = ["maxAttempts", "factor", "schedule", ...retryTimes.flatMap((name) => [name, `${name}Ms`])];

/** The delays of a schedule; undefined at its end. */
const backoffOf =
  (schedule: Schedule.Schedule<unknown, EngineError>): NonNullable<RetryPolicy["backoff"]> =>
  () =>
    Effect.map(
      Schedule.toStep(schedule),
      (step) => (nowMs: number, error: EngineError) =>
        step(nowMs, error).pipe(
          Effect.map(([, delay]) => Duration.toMillis(delay)),
          Pull.catchDone(() => Effect.succeed(undefined)),
        ),
    );

const plainToken = (option: EngineCallOptions["token"]): CallOptions["token"] => {
  if (Redacted.isRedacted(option)) return Redacted.value(option);
  if (Effect.isEffect(option))
    return async (context) => {
      const { exchange, signal } = context as KeyedContext;
      return plainGiven(await runForRequest(option, exchange, signal));
    };
  if (typeof option !== "function" || isKeyed(option)) return option as TokenOption;
  return async (context) => plainGiven(await option(context));
};

const plainGiven = (given: GivenToken): string | ExpiringToken => {
  if (typeof given !== "object" || given === null) return given;
  if (Redacted.isRedacted(given)) return Redacted.value(given);
  const { token } = given;
  return { ...given, token: Redacted.isRedacted(token) ? Redacted.value(token) : token };
};
