// Access tokens: sources, caching, renewal.
import type * as Clock from "effect/Clock";
import type { Trace, Tracing } from "./AttemptPlan.ts";
import type { CallSettings } from "./ClientOptions.ts";
import { EngineError } from "./EngineError.ts";
import type { EngineEvent } from "./EngineEvent.ts";
import type { Fetch } from "./Fetch.ts";
import type { RetryBudgets } from "./RetryBudget.ts";
import { InFlight } from "./Deduplication.ts";
import { Cancellation } from "./Cancellation.ts";
import { tokenText, type ExpiringToken, type TokenContext, type TokenFunction, type TokenOption } from "./Token.ts";

/** With what a client sends requests: the exchange of a key is one. */
export interface ExchangeTools {
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

/** Context of a renewal. */
export interface RenewalTools extends Pick<TokenContext, "baseUrl"> {
  readonly clock: Clock.Clock;
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
    tools: RenewalTools,
    rejected?: string,
    cancel?: Cancellation,
  ) => Promise<string | undefined> | string | undefined;
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
  if (typeof option === "function") return new RenewedCredentials(option, onRenewal);
  const token = option === undefined ? undefined : tokenText(option);
  return { renewable: false, token: () => token };
};

/** A cached token, shared by calls. */
interface Kept {
  readonly token: string;
  readonly renewAtMs: number;
}

/** A token, and whether its source named its expiry. */
interface Fetched {
  readonly token: string;
  readonly isKept: boolean;
}

/**
 * Tokens of a function, called for every request unless it named an expiry, or the token belongs to a key.
 */
class RenewedCredentials implements Credentials {
  readonly renewable = true;
  readonly #fetchToken: TokenFunction;
  readonly #source: KeyedSource | undefined;
  readonly #onRenewal: (because: Because) => void;
  readonly #kept = new Map<string, Kept>();
  readonly #inFlight = new InFlight<Fetched>();
  #isFirst = true;

  constructor(fetchToken: TokenFunction, onRenewal: (because: Because) => void) {
    this.#fetchToken = fetchToken;
    this.#source = keyedSources.get(fetchToken);
    this.#onRenewal = onRenewal;
  }

  token(tools: RenewalTools, rejected?: string, cancel = new Cancellation()): Promise<string> | string {
    const key = this.#source === undefined ? "" : this.#source.key();
    return typeof key === "string"
      ? this.#tokenOf(key, tools, rejected, cancel)
      : key.then((key) => this.#tokenOf(key, tools, rejected, cancel));
  }

  #tokenOf(
    key: string,
    tools: RenewalTools,
    rejected: string | undefined,
    cancel: Cancellation,
  ): Promise<string> | string {
    const kept = this.#kept.get(key);
    const refused = rejected !== undefined && rejected === kept?.token;
    if (kept !== undefined && !refused && tools.clock.currentTimeMillisUnsafe() < kept.renewAtMs) return kept.token;
    const because = rejected !== undefined ? "rejected" : kept === undefined ? "first" : "expiry";
    const renewed = (): Promise<Fetched> => this.#renew(key, tools, because, cancel.signal);
    const isShared = kept !== undefined || this.#source !== undefined;
    return isShared ? this.#together(key, tools, cancel, renewed) : renewed().then(({ token }) => token);
  }

  /** One renewal for all concurrent calls, unless its token must not be shared. */
  async #together(
    key: string,
    { clock }: RenewalTools,
    cancel: Cancellation,
    renewed: () => Promise<Fetched>,
  ): Promise<string> {
    const { outcome, followed } = await this.#inFlight.dedupe(key, clock, cancel, renewed);
    if ("cause" in outcome) throw outcome.cause;
    return followed && !outcome.value.isKept ? (await renewed()).token : outcome.value.token;
  }

  async #renew(key: string, tools: RenewalTools, because: Because, signal: AbortSignal): Promise<Fetched> {
    const { clock, baseUrl, exchange } = tools;
    const nowMs = clock.currentTimeMillisUnsafe();
    const context: KeyedContext = { nowMs, baseUrl, signal, exchange };
    const given = await (this.#source === undefined ? this.#fetchToken(context) : this.#source.fetch(key, context));
    const isExpiring = typeof given === "object" && given !== null;
    const { token: text, expiresAtMs }: Partial<ExpiringToken> = isExpiring ? given : { token: given };
    const token = tokenText(text);
    const isKept = typeof expiresAtMs === "number" && !Number.isNaN(expiresAtMs);
    const isNews = token !== this.#kept.get(key)?.token;
    this.#kept.delete(key);
    if (isKept) {
      const [oldest] = this.#kept.size >= maxKeptTokens ? this.#kept.keys() : [];
      if (oldest !== undefined) this.#kept.delete(oldest);
      this.#kept.set(key, { token, renewAtMs: renewalTime(nowMs, expiresAtMs) });
    }
    // Uncached tokens are fetched, not renewed.
    if (isNews && (isKept || this.#isFirst || because === "rejected")) this.#onRenewal(because);
    this.#isFirst = false;
    return { token, isKept };
  }
}

const renewalTime = (nowMs: number, expiresAtMs: number): number =>
  expiresAtMs - Math.min(renewBeforeExpiryMs, Math.max(0, expiresAtMs - nowMs) / 10);

/** The failure of a token source, as an error of a call. */
export const credentialsError = (url: string, cause: unknown): EngineError =>
  cause instanceof EngineError
    ? cause
    : new EngineError({
        reason: {
          _tag: "CredentialsFailed",
          problem: cause instanceof Error ? cause.message : "the token source failed",
        },
        url,
        attempts: 0,
      });
