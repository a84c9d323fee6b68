// Access tokens for API keys.
import { keyedToken } from "./Credentials.ts";
import { jwtExpiryMs } from "./HttpRules.ts";
import type { ExpiringToken, TokenOption } from "./Token.ts";

/** An API key, and where it is exchanged. */
export interface ApiKeyOptions {
  /** URL of the exchange. Default: `auth/access_token` next to the base URL (`/v1/dev` -> `/v1/auth/access_token`). */
  readonly url?: string | URL;
}

/**
 * A token source for the option `token` of a client: exchanges the key for a token, which is used as long as `expiresIn` of the
 * answer (or the token's own `exp`) says, by all calls with the same key; and anew after a 401. The key may be a function: it
 * is asked for every request and may give each caller another key.
 */
export const apiKey = (key: string | (() => string | Promise<string>), options: ApiKeyOptions = {}): TokenOption =>
  keyedToken({
    key: typeof key === "string" ? () => key : key,
    fetch: async (secret, { baseUrl, nowMs, post }) => {
      const url = new URL(options.url ?? new URL("../auth/access_token", `${baseUrl}/`));
      const answer = await post(url.href, { apiKey: secret }, secret);
      const { token, expiresIn } = (typeof answer === "object" && answer !== null ? answer : {}) as Record<
        string,
        unknown
      >;
      if (typeof token !== "string" || token === "")
        throw new Error(`the answer of ${url.origin}${url.pathname} carries no token`);
      return withExpiry(token, Number(expiresIn), nowMs);
    },
  });

const withExpiry = (token: string, livesS: number, nowMs: number): ExpiringToken => {
  const expiresAtMs = livesS > 0 ? nowMs + livesS * 1000 : jwtExpiryMs(token);
  return expiresAtMs === undefined ? { token } : { token, expiresAtMs };
};
