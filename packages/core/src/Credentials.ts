// Decides: where the token comes from, how long it is used, and that all callers share one renewal.
import { EngineError } from "./EngineError.ts";

/** A token with the moment it expires, in milliseconds since 1970. */
export interface ExpiringToken {
  readonly token: string;
  readonly expiresAtMs?: number;
}

/** What a token source may use: the time, and the client's own way to send a request with retries. */
export interface TokenContext {
  readonly nowMs: number;
  readonly baseUrl: string;
  /** Aborts when nobody waits for the token any more; `post` is then ended already. */
  readonly signal: AbortSignal;
  /**
   * Sends a POST with a JSON body by the client's transport, retried like any call; resolves with the JSON of a success.
   * `secret` is blotted out where the server repeats it in an error.
   */
  readonly post: (url: string, json: unknown, secret: string) => Promise<unknown>;
}

/** What a renewal is made with. */
export interface RenewalTools extends Omit<TokenContext, "signal" | "post"> {
  readonly post: (url: string, json: unknown, secret: string, signal: AbortSignal) => Promise<unknown>;
}

/** Where tokens come from: text, a function, or a source such as `apiKey(...)`. */
export type TokenOption =
  | string
  | ((context: TokenContext) => string | ExpiringToken | Promise<string | ExpiringToken>);

/** A token is renewed so long before it expires, or when a tenth of its life is left if that is shorter; in milliseconds. */
export const renewBeforeExpiryMs = 60_000;

/** Tokens for the requests of one client. */
export interface Credentials {
  /** Whether a refused token can be replaced by another one. */
  readonly renewable: boolean;
  /**
   * The token to send now, undefined for none. `rejected` is one that was just refused: it is not given again. Who gives up
   * by the signal need not wait; when nobody waits any more, the renewal ends.
   */
  readonly token: (
    tools: RenewalTools,
    rejected?: string,
    signal?: AbortSignal,
  ) => Promise<string | undefined> | string | undefined;
}

/** Why a token is fetched. */
type Because = "first" | "expiry" | "rejected";

/** A token on its way. */
interface Renewal {
  readonly token: Promise<string>;
  readonly controller: AbortController;
  waiters: number;
}

/** Credentials of an option. `onRenewal` is told of every other token that was fetched. */
export const makeCredentials = (
  option: TokenOption | undefined,
  onRenewal: (because: Because) => void,
): Credentials => {
  if (typeof option === "function") return new RenewedCredentials(option, onRenewal);
  const token = option === undefined ? undefined : assertToken(option);
  return { renewable: false, token: () => token };
};

class RenewedCredentials implements Credentials {
  readonly renewable = true;
  readonly #fetchToken: Exclude<TokenOption, string>;
  readonly #onRenewal: (because: Because) => void;
  #current: { readonly token: string; readonly renewAtMs: number } | undefined;
  #renewal: Renewal | undefined;

  constructor(fetchToken: Exclude<TokenOption, string>, onRenewal: (because: Because) => void) {
    this.#fetchToken = fetchToken;
    this.#onRenewal = onRenewal;
  }

  token(tools: RenewalTools, rejected?: string, signal?: AbortSignal): Promise<string> | string {
    const current = this.#current;
    const refused = rejected !== undefined && rejected === current?.token;
    if (current !== undefined && !refused && tools.nowMs < current.renewAtMs) return current.token;
    const because = refused ? "rejected" : current === undefined ? "first" : "expiry";
    this.#renewal ??= this.#begin(tools, because);
    return this.#join(this.#renewal, signal);
  }

  #begin(tools: RenewalTools, because: Because): Renewal {
    const controller = new AbortController();
    const token = this.#renew(tools, because, controller.signal).finally(() => this.#forget(renewal));
    const renewal: Renewal = { token, controller, waiters: 0 };
    return renewal;
  }

  #forget(renewal: Renewal): void {
    if (this.#renewal === renewal) this.#renewal = undefined;
  }

  async #join(renewal: Renewal, signal: AbortSignal | undefined): Promise<string> {
    renewal.waiters += 1;
    const leave = (): void => {
      renewal.waiters -= 1;
      if (renewal.waiters > 0) return;
      this.#forget(renewal);
      renewal.controller.abort();
    };
    signal?.addEventListener("abort", leave, { once: true });
    try {
      return await renewal.token;
    } finally {
      signal?.removeEventListener("abort", leave);
    }
  }

  async #renew(tools: RenewalTools, because: Because, signal: AbortSignal): Promise<string> {
    const { nowMs, baseUrl, post } = tools;
    const fetched = await this.#fetchToken({
      nowMs,
      baseUrl,
      signal,
      post: (url, json, secret) => post(url, json, secret, signal),
    });
    const token = assertToken(typeof fetched === "string" ? fetched : fetched.token);
    const expiresAtMs = (typeof fetched === "string" ? undefined : fetched.expiresAtMs) ?? jwtExpiryMs(token);
    const isNews = token !== this.#current?.token;
    this.#current = { token, renewAtMs: expiresAtMs === undefined ? 0 : renewalTime(nowMs, expiresAtMs) };
    if (isNews) this.#onRenewal(because);
    return token;
  }
}

const renewalTime = (nowMs: number, expiresAtMs: number): number =>
  expiresAtMs - Math.min(renewBeforeExpiryMs, Math.max(0, expiresAtMs - nowMs) / 10);

/** The `exp` of a JWT (RFC 7519, 4.1.4) in milliseconds, or undefined for any other token. The signature is not looked at. */
export const jwtExpiryMs = (token: string): number | undefined => {
  const payload = token.split(".")[1];
  if (payload === undefined) return undefined;
  try {
    const claims = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { exp?: unknown } | null;
    return typeof claims?.exp === "number" ? claims.exp * 1000 : undefined;
  } catch {
    return undefined;
  }
};

/** A header value cannot carry control characters, and nobody wants to see the token in the error about that. */
const assertToken = (token: string): string => {
  const trimmed = typeof token === "string" ? token.trim() : "";
  if (trimmed === "") throw new InvalidToken("it is empty");
  if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(trimmed))
    throw new InvalidToken("it has characters that no HTTP header can carry");
  return trimmed;
};

/** A token that cannot be sent. */
export class InvalidToken extends Error {}

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
