// Decides: what one client consists of, from its options.
import type { Breaker } from "./Breaker.ts";
import type { Answer } from "./Calls.ts";
import { baseUrlOf, settingsOf, type CallOptions, type CallSettings, type ClientOptions } from "./ClientOptions.ts";
import { makeCredentials, type TokenOption, type RenewalTools } from "./Credentials.ts";
import type { EngineError } from "./EngineError.ts";
import { harmless } from "./EngineEvent.ts";
import { NegotiationMemory } from "./NegotiationMemory.ts";
import type { RequesterParts } from "./Requester.ts";
import { makeBudgets, type RetryBudget, type RetryBudgets } from "./RetryBudget.ts";
import type { InFlight } from "./Sharing.ts";
import { postJson } from "./TokenExchange.ts";
import type { Trust } from "./trust/Verdict.ts";
import type { Fetch } from "./Transport.ts";
import { makeTrust } from "./trust/WireTrust.ts";

/** A client, taken apart. */
export interface ClientParts extends RequesterParts {
  readonly baseUrl: string;
  readonly origin: string;
  readonly settings: CallSettings;
  readonly budgets: RetryBudgets;
  readonly budget: RetryBudget;
  readonly breaker: Breaker | undefined;
  readonly memory: NegotiationMemory;
  readonly trust: Trust;
  /** The exchanges that calls may share; undefined for a call with options of its own, which nothing else is identical to. */
  readonly inFlight: InFlight<Answer<unknown>, EngineError> | undefined;
}

/** The parts of a client. Throws TypeError or RangeError for options that cannot be, with the option's name. */
export const makeClientParts = (options: ClientOptions): ClientParts => {
  const baseUrl = baseUrlOf(options.baseUrl);
  const settings = settingsOf(options);
  const fetch: Fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const emit = options.onEvent === undefined ? undefined : harmless(options.onEvent);
  const origin = new URL(baseUrl).origin;
  const budgets = makeBudgets(options.retryBudget);
  return {
    baseUrl,
    origin,
    settings,
    fetch,
    emit,
    ...tokenParts({ baseUrl, settings, fetch, emit, budgets }, options.token),
    budgets,
    budget: budgets(origin),
    breaker: options.breaker,
    memory: new NegotiationMemory(),
    trust: makeTrust(options.trust),
    inFlight: new Map(),
  };
};

/** The parts for one call: the client's own where the call has no options of its own. */
export const partsOfCall = (parts: ClientParts, options: CallOptions | undefined): ClientParts => {
  if (options === undefined || callOptionNames.every((name) => options[name] === undefined)) return parts;
  const settings = settingsOf(options, parts.settings);
  const fetch = options.fetch ?? parts.fetch;
  const emit = options.onEvent === undefined ? parts.emit : harmless(options.onEvent);
  const { baseUrl, budgets } = parts;
  const token =
    options.token === undefined ? {} : tokenParts({ baseUrl, settings, fetch, emit, budgets }, options.token);
  const breaker = options.breaker ?? parts.breaker;
  return { ...parts, settings, fetch, emit, ...token, breaker, inFlight: undefined };
};

const callOptionNames: ReadonlyArray<keyof CallOptions> = [
  "format",
  "headers",
  "retry",
  "attemptTimeoutMs",
  "deadlineMs",
  "limits",
  "share",
  "hedging",
  "middleware",
  "propagateTrace",
  "token",
  "fetch",
  "onEvent",
  "breaker",
];

const tokenParts = (
  { baseUrl, settings, fetch, emit, budgets }: Pick<ClientParts, "baseUrl" | "settings" | "fetch" | "emit" | "budgets">,
  option: TokenOption | undefined,
): Pick<ClientParts, "renewable" | "token"> => {
  const credentials = makeCredentials(option, (because) =>
    emit?.({ type: "renewal", endpoint: "credentials", url: baseUrl, because }),
  );
  return {
    renewable: credentials.renewable,
    token: (clock, rejected, signal) => {
      const post: RenewalTools["post"] = (url, json, secret, signal) =>
        postJson({ url, json, secret, fetch, settings, budgets, clock, emit, signal });
      return credentials.token({ nowMs: clock.currentTimeMillisUnsafe(), baseUrl, post }, rejected, signal);
    },
  };
};
