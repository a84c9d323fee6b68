// Access tokens, as a user of the client gives them.
import { kindOf } from "./OptionNames.ts";

/** A token, and until when it is good for all calls of the client, in milliseconds since 1970. Without that it is for one request. */
export interface ExpiringToken {
  readonly token: string;
  readonly expiresAtMs?: number | undefined;
}

/** What a token source may use. */
export interface TokenContext {
  readonly nowMs: number;
  readonly baseUrl: string;
  /** Aborts when the request that the token is for is given up. */
  readonly signal: AbortSignal;
}

/**
 * A function that gives the token of one request. It is asked for every request, and once more after a 401, so it may give each
 * caller another one. With `expiresAtMs` its token is kept until then and used for every call of the client.
 */
export type TokenFunction = (context: TokenContext) => string | ExpiringToken | Promise<string | ExpiringToken>;

/** Where tokens come from: text, a function, or a source such as `apiKey(...)`. */
export type TokenOption = string | TokenFunction;

/**
 * A token as it is sent. Throws TypeError for one that no header can carry: control characters, nothing at all. Nobody wants to see
 * the token in the error about that.
 */
export const tokenText = (token: unknown, name = "token"): string => {
  if (typeof token !== "string") throw new TypeError(`${name} must be text, not ${kindOf(token)}`);
  const trimmed = token.trim();
  if (trimmed === "") throw new TypeError(`${name} is empty`);
  if (!/^[\x21-\x7e](?:[\x20-\x7e]*[\x21-\x7e])?$/.test(trimmed))
    throw new TypeError(`${name} has characters that no HTTP header can carry`);
  return trimmed;
};
