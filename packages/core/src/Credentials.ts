// Access tokens: sources, caching, renewal.
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import type { Trace, Tracing } from "./AttemptPlan.ts";
import type { CallSettings } from "./ClientOptions.ts";
import { EngineError } from "./EngineError.ts";
import type { EngineEvent } from "./EngineEvent.ts";
import type { Fetch } from "./Fetch.ts";
import type { RetryBudgets } from "./RetryBudget.ts";
import { InFlight, type Shared } from "./Deduplication.ts";
import { Cancellation } from "./Cancellation.ts";
import { tokenText, type ExpiringToken, type TokenContext, type TokenFunction, type TokenOption } from "./Token.ts";

/** With what a client sends requests: the exchange of a key is one. */
export interface ExchangeTools {
  readonly baseUrl: string;
  readonly fetch: Fetch;
  readonly settings: CallSettings;
  /** Pay for retries: an outage of the exchange is not multiplied either. */
  readonly budgets: RetryBudgets;
  readonly clock: Clock.Clock;
  readonly emit: ((event: EngineEvent) => void) | undefined;
  readonly trace: Trace;
  readonly tracing: Tracing | undefined;
}

/** What a keyed source may use besides. */
export interface KeyedContext extends TokenContext {
  readonly exchange: ExchangeTools;
}

/** A token is renewed so long before it expires, or when a tenth of its life is left if that is shorter; in milliseconds. */
export const renewBeforeExpiryMs = 60_000;

/** Tokens of different keys that are kept, at most; the oldest is dropped first. */
export const maxKeptTokens = 1_000;

/** Tokens for the requests of one client. */
export interface Credentials {
  /** Whether a refused token can be replaced by another one. */
  readonly renewable: boolean;
  /** The token to send now, undefined for none. `rejected` is one that was just refused: it is not given again. */
  readonly token: (
    tools: ExchangeTools,
    rejected?: string,
    cancel?: Cancellation,
  ) => Promise<string> | string | undefined;
}

/** Why a token is fetched. */
type Because = "first" | "expiry" | "rejected";

/** A source whose tokens are cached by key. */
export interface KeyedSource {
  readonly key: () => string | Promise<string>;
  readonly fetch: (key: string, context: KeyedContext) => Promise<ExpiringToken>;
}

const keyedSources = /* @__PURE__ */ new WeakMap<TokenFunction, KeyedSource>();

/** A token function of a keyed source. */
export const keyedToken = (source: KeyedSource): TokenFunction => {
  const option: TokenFunction = async (context) => source.fetch(await source.key(), context as KeyedContext);
  keyedSources.set(option, source);
  return option;
};

/** Whether tokens of this function belong to a key. */
export const isKeyed = (option: object): boolean => keyedSources.has(option as TokenFunction);

/** Credentials of an option. `onRenewal` is called for every token fetched after the first. */
export const makeCredentials = (
  option: TokenOption | undefined,
  onRenewal: (because: Because) => void,
): Credentials => {
  if (typeof option === "function") return renewedCredentials(option, onRenewal);
  const token = option === undefined ? undefined : tokenText(option);
  return { renewable: false, token: () => token };
};

interface Fetched {
  readonly token: string;
  /** When another one is fetched; undefined: it is for one request, since its source named no expiry. */
  readonly renewAtMs: number | undefined;
}

/** Tokens of a function, called for every request unless it named an expiry, or the token belongs to a key. */
const renewedCredentials = (fetchToken: TokenFunction, onRenewal: (because: Because) => void): Credentials => {
  const source = keyedSources.get(fetchToken);
  const kept = new Map<string, Fetched>();
  const inFlight = new InFlight<Fetched>((fetched) => fetched);
  let isFirst = true;

  const renew = async (key: string, tools: ExchangeTools, because: Because, signal: AbortSignal): Promise<Fetched> => {
    const nowMs = tools.clock.currentTimeMillisUnsafe();
    const context: KeyedContext = { nowMs, baseUrl: tools.baseUrl, signal, exchange: tools };
    const given = await (source === undefined ? fetchToken(context) : source.fetch(key, context));
    const { token: text, expiresAtMs }: Partial<ExpiringToken> =
      typeof given === "object" && given !== null ? given : { token: given };
    const token = tokenText(text);
    const isKept = typeof expiresAtMs === "number" && !Number.isNaN(expiresAtMs);
    const fetched = { token, renewAtMs: isKept ? renewalTime(nowMs, expiresAtMs) : undefined };
    const isNews = token !== kept.get(key)?.token;
    kept.delete(key);
    if (isKept) {
      const [oldest] = kept.size >= maxKeptTokens ? kept.keys() : [];
      if (oldest !== undefined) kept.delete(oldest);
      kept.set(key, fetched);
    }
    // Uncached tokens are fetched, not renewed.
    if (isNews && (isKept || isFirst || because === "rejected")) onRenewal(because);
    isFirst = false;
    return fetched;
  };

  const tokenOf = (
    key: string,
    tools: ExchangeTools,
    rejected: string | undefined,
    cancel: Cancellation,
  ): Promise<string> | string => {
    const state: { shared?: Shared } = {};
    const known = kept.get(key);
    const isRefused = rejected !== undefined && rejected === known?.token;
    if (known?.renewAtMs !== undefined && !isRefused && tools.clock.currentTimeMillisUnsafe() < known.renewAtMs)
      return known.token;
    const because = rejected !== undefined ? "rejected" : known === undefined ? "first" : "expiry";
    const renewed = (): Promise<Fetched> => renew(key, tools, because, cancel.signal);
    if (known === undefined && source === undefined) return renewed().then(({ token }) => token);
    // One renewal for all concurrent calls, unless its token must not be shared.
    return inFlight
      .dedupe(key, { clock: tools.clock, cancel, state }, renewed)
      .then(async (got) => (state.shared?.followed && got.renewAtMs === undefined ? await renewed() : got).token);
  };

  return {
    renewable: true,
    token: (tools, rejected, cancel = new Cancellation()) => {
      const key = source === undefined ? "" : source.key();
      return typeof key === "string"
        ? tokenOf(key, tools, rejected, cancel)
        : key.then((key) => tokenOf(key, tools, rejected, cancel));
    },
  };
};

const renewalTime = (nowMs: number, expiresAtMs: number): number =>
  expiresAtMs - Math.min(renewBeforeExpiryMs, (expiresAtMs - nowMs) / 10);

/** Runs an effect for a request of a call: with its clock, services and span. */
export const runForRequest = <A>(
  effect: Effect.Effect<A, unknown>,
  { clock, trace }: Pick<ExchangeTools, "clock" | "trace">,
  signal: AbortSignal,
): Promise<A> => {
  const timed = Effect.provideService(effect, Clock.Clock, clock);
  const traced = trace.span === undefined ? timed : Effect.withParentSpan(timed, trace.span);
  return Effect.runPromiseWith(trace.services ?? Context.empty())(traced, { signal });
};

/** The failure of a token source, as an error of a call. */
export const credentialsError = (url: string, cause: unknown): EngineError => {
  if (cause instanceof EngineError) return cause;
  const problem = cause instanceof Error ? cause.message : "the token source failed";
  return new EngineError({ reason: { _tag: "CredentialsFailed", problem }, url, attempts: 0 });
};
