// Parts of a client, made from its options.
import * as Effect from "effect/Effect";
import type { Breaker } from "./FailureRateBreaker.ts";
import {
  assertSignal,
  baseUrlOf,
  callOptionNames,
  given,
  settingsOf,
  type CallOptions,
  type CallSettings,
} from "./ClientOptions.ts";
import type { Tracing } from "./AttemptPlan.ts";
import { makeCredentials } from "./Credentials.ts";
import { invalidArgument, type EngineError } from "./EngineError.ts";
import { safeListener } from "./EngineEvent.ts";
import { assertOptionNames } from "./OptionNames.ts";
import { copyOf, type RequesterParts } from "./Requester.ts";
import { makeBudgets, type RetryBudget, type RetryBudgets } from "./RetryBudget.ts";
import { isCredential } from "./Secret.ts";
import { InFlight } from "./Deduplication.ts";
import type { Fetch } from "./Fetch.ts";

/** Parts of a client. */
export interface ClientParts extends RequesterParts {
  readonly baseUrl: string;
  readonly origin: string;
  readonly settings: CallSettings;
  readonly budgets: RetryBudgets;
  readonly budget: RetryBudget;
  readonly breaker: Breaker | undefined;
}

/** The parts of a client. Invalid options throw TypeError or RangeError with the option's name. `others`: names of options besides those of every call. */
export const makeClientParts = (
  options: CallOptions,
  others: ReadonlyArray<string>,
  tracing?: Tracing,
): ClientParts => {
  assertOptionNames(options, [...callOptionNames, ...others]);
  return { ...partsOf(options, undefined, tracing), inFlight: new InFlight(copyOf) };
};

/** The parts for one call: the client's own where the call has no options of its own. */
export const partsOfCall = <P extends ClientParts>(parts: P, options: CallOptions | undefined): P =>
  options === undefined || callOptionNames.every((name) => options[name] === undefined)
    ? parts
    : { ...parts, ...partsOf(options, parts, parts.tracing) };

/** The parts that options make, on those of the client. */
const partsOf = (options: CallOptions, base: ClientParts | undefined, tracing: Tracing | undefined): ClientParts => {
  const baseUrl = options.baseUrl === undefined && base !== undefined ? base.baseUrl : baseUrlOf(options.baseUrl);
  const origin = new URL(baseUrl).origin;
  // What the client was given is for its own origin.
  const isAtHome = base === undefined || origin === base.origin;
  const settings = settingsOf(options, isAtHome ? base?.settings : withoutCredentials(base.settings));
  const fetch: Fetch = options.fetch ?? base?.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const { onEvent } = options;
  const emit = onEvent === undefined ? base?.emit : onEvent === null ? undefined : safeListener(onEvent);
  const budgets =
    options.retryBudget === undefined && base !== undefined ? base.budgets : makeBudgets(options.retryBudget);
  const onRenewal = (because: "first" | "expiry" | "rejected"): void =>
    emit?.({ type: "token-refresh", endpoint: "credentials", url: baseUrl, because });
  const hasToken = base === undefined || options.token !== undefined || !isAtHome;
  const credentials = hasToken ? makeCredentials(options.token ?? undefined, onRenewal) : undefined;
  return {
    baseUrl,
    origin,
    settings,
    fetch,
    emit,
    tracing,
    renewable: (credentials ?? base)?.renewable === true,
    token: (clock, rejected, cancel, trace) =>
      credentials === undefined
        ? base?.token(clock, rejected, cancel, trace)
        : credentials.token({ baseUrl, fetch, settings, budgets, clock, emit, trace, tracing }, rejected, cancel),
    budgets,
    budget: budgets(origin),
    breaker: given(options.breaker, base?.breaker),
    inFlight: undefined,
  };
};

/**
 * A call with the parts for its options. Invalid options are InvalidArgument, and nothing is sent. `others`: names of options
 * besides those of every call.
 */
export const withPartsOfCall = <A, P extends ClientParts>(
  parts: P,
  options: CallOptions | undefined,
  others: ReadonlyArray<string>,
  call: (own: P) => Effect.Effect<A, EngineError>,
): Effect.Effect<A, EngineError> => {
  const own = (): P => {
    if (options === undefined) return parts;
    assertOptionNames(options, [...callOptionNames, ...others]);
    assertSignal(options);
    return partsOfCall(parts, options);
  };
  return orInvalid(parts.baseUrl, own, call);
};

/** A call with what `make` returns; what that throws is InvalidArgument, and nothing is sent. */
export const orInvalid = <A, B>(
  url: string,
  make: () => A,
  call: (made: A) => Effect.Effect<B, EngineError>,
  method?: string,
): Effect.Effect<B, EngineError> =>
  Effect.suspend(() => {
    let made: A;
    try {
      made = make();
    } catch (cause) {
      return Effect.fail(invalidOptions(url, cause, method));
    }
    return call(made);
  });

/** The error of invalid options or parameters. */
export const invalidOptions = (url: string, cause: unknown, method?: string): EngineError =>
  invalidArgument(url, cause instanceof Error ? cause.message : String(cause), method, cause);

/** Settings without credentials in headers. */
const withoutCredentials = (settings: CallSettings): CallSettings => ({
  ...settings,
  headers: Object.fromEntries(Object.entries(settings.headers).filter(([name]) => !isCredential(name))),
});
