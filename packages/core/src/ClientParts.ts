// Decides: what one client consists of, from its options.
import type { Breaker } from "./Breaker.ts";
import type { Answer } from "./Calls.ts";
import { baseUrlOf, settingsOf, type CallSettings, type ClientOptions } from "./ClientOptions.ts";
import { makeCredentials } from "./Credentials.ts";
import type { EngineError } from "./EngineError.ts";
import type { EngineEvent } from "./EngineEvent.ts";
import { NegotiationMemory } from "./NegotiationMemory.ts";
import type { RequesterParts } from "./Requester.ts";
import { RetryBudget } from "./RetryBudget.ts";
import type { InFlight } from "./Sharing.ts";
import { postJson } from "./TokenExchange.ts";
import type { Trust } from "./trust/Verdict.ts";
import { makeTrust } from "./trust/WireTrust.ts";

/** A client, taken apart. */
export interface ClientParts extends RequesterParts {
  readonly baseUrl: string;
  readonly origin: string;
  readonly settings: CallSettings;
  readonly budget: RetryBudget;
  readonly breaker: Breaker | undefined;
  readonly memory: NegotiationMemory;
  readonly trust: Trust;
  readonly inFlight: InFlight<Answer<unknown>, EngineError>;
}

/** The parts of a client. Throws TypeError or RangeError for options that cannot be, with the option's name. */
export const makeClientParts = (options: ClientOptions): ClientParts => {
  const baseUrl = baseUrlOf(options.baseUrl);
  const emit = options.onEvent === undefined ? undefined : harmless(options.onEvent);
  const settings = settingsOf(options);
  const fetch = options.fetch ?? ((url, init) => globalThis.fetch(url, init));
  const credentials = makeCredentials(options.token, (because) =>
    emit?.({ type: "renewal", endpoint: "credentials", url: baseUrl, because }),
  );
  return {
    baseUrl,
    origin: new URL(baseUrl).origin,
    settings,
    fetch,
    emit,
    renewable: credentials.renewable,
    token: (clock, rejected) => {
      const post = (url: string, json: unknown, secret: string): Promise<unknown> =>
        postJson({ url, json, secret, fetch, settings, clock, emit });
      return credentials.token({ nowMs: clock.currentTimeMillisUnsafe(), baseUrl, post }, rejected);
    },
    budget: new RetryBudget(options.retryBudget),
    breaker: options.breaker,
    memory: new NegotiationMemory(),
    trust: makeTrust(options.trust),
    inFlight: new Map(),
  };
};

/** A listener that throws must not take a call down. */
const harmless =
  (listener: (event: EngineEvent) => void): ((event: EngineEvent) => void) =>
  (event) => {
    try {
      listener(event);
    } catch {
      // Its own affair.
    }
  };
