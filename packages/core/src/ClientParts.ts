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
  type ClientOptions,
} from "./ClientOptions.ts";
import type { Tracing } from "./AttemptPlan.ts";
import { makeCredentials } from "./Credentials.ts";
import type { TokenOption } from "./Token.ts";
import { invalidArgument, type EngineError } from "./EngineError.ts";
import { safeListener } from "./EngineEvent.ts";
import { assertOptionNames } from "./OptionNames.ts";
import type { RequesterParts } from "./Requester.ts";
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
  others: ReadonlyArray<keyof ClientOptions>,
  tracing?: Tracing,
): ClientParts => {
  assertOptionNames(options, [...callOptionNames, ...others]);
  const baseUrl = baseUrlOf(options.baseUrl);
  const origin = new URL(baseUrl).origin;
  const settings = settingsOf(options);
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const emit = listener(options.onEvent);
  const budgets = makeBudgets(options.retryBudget);
  return {
    baseUrl,
    origin,
    settings,
    fetch,
    emit,
    tracing,
    ...tokenParts({ baseUrl, settings, fetch, emit, budgets, tracing }, options.token),
    budgets,
    budget: budgets(origin),
    breaker: given(options.breaker, undefined),
    inFlight: new InFlight(),
  };
};

/** The parts for one call: the client's own where the call has no options of its own. */
export const partsOfCall = <P extends ClientParts>(parts: P, options: CallOptions | undefined): P => {
  if (options === undefined || callOptionNames.every((name) => options[name] === undefined)) return parts;
  const baseUrl = options.baseUrl === undefined ? parts.baseUrl : baseUrlOf(options.baseUrl);
  const origin = new URL(baseUrl).origin;
  const isAtHome = origin === parts.origin;
  const settings = settingsOf(options, isAtHome ? parts.settings : withoutCredentials(parts.settings));
  const fetch = options.fetch ?? parts.fetch;
  const emit = options.onEvent === undefined ? parts.emit : listener(options.onEvent);
  const budgets = options.retryBudget === undefined ? parts.budgets : makeBudgets(options.retryBudget);
  // What the client was given is for its own origin.
  const token = options.token === undefined && !isAtHome ? null : options.token;
  return {
    ...parts,
    baseUrl,
    origin,
    settings,
    fetch,
    emit,
    ...(token === undefined ? {} : tokenParts({ ...parts, baseUrl, settings, fetch, emit, budgets }, token)),
    budgets,
    budget: budgets(origin),
    breaker: given(options.breaker, parts.breaker),
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
): Effect.Effect<A, EngineError> =>
  Effect.suspend(() => {
    if (options === undefined) return call(parts);
    let own: P;
    try {
      assertOptionNames(options, [...callOptionNames, ...others]);
      assertSignal(options);
      own = partsOfCall(parts, options);
    } catch (cause) {
      return Effect.fail(invalidOptions(parts.baseUrl, cause));
    }
    return call(own);
  });

/** The error of invalid options. */
export const invalidOptions = (url: string, cause: unknown): EngineError =>
  invalidArgument(url, cause instanceof Error ? cause.message : String(cause), undefined, cause);

/** Settings without credentials in headers. */
const withoutCredentials = (settings: CallSettings): CallSettings => ({
  ...settings,
  headers: Object.fromEntries(Object.entries(settings.headers).filter(([name]) => !isCredential(name))),
});

const listener = (option: CallOptions["onEvent"]): ClientParts["emit"] =>
  option === undefined || option === null ? undefined : safeListener(option);

const tokenParts = (
  parts: Pick<ClientParts, "baseUrl" | "settings" | "fetch" | "emit" | "budgets" | "tracing">,
  option: TokenOption | null | undefined,
): Pick<ClientParts, "renewable" | "token"> => {
  const { baseUrl, settings, fetch, emit, budgets, tracing } = parts;
  const credentials = makeCredentials(option ?? undefined, (because) =>
    emit?.({ type: "token-refresh", endpoint: "credentials", url: baseUrl, because }),
  );
  return {
    renewable: credentials.renewable,
    token: (clock, rejected, cancel, trace) => {
      const exchange = { fetch, settings, budgets, clock, emit, trace, tracing };
      return credentials.token({ clock, baseUrl, exchange }, rejected, cancel);
    },
  };
};
