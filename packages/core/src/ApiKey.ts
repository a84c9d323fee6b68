// Decides: how an API key becomes access tokens.
import type { TokenOption } from "./Credentials.ts";

/** An API key, and where it is exchanged. */
export interface ApiKeyOptions {
  /** URL of the exchange. Default: `auth/access_token` beside the base URL (`/v1/dev` -> `/v1/auth/access_token`). */
  readonly url?: string | URL;
}

/**
 * A token source for the option `token` of a client: exchanges the key for a token, which lives as long as `expiresIn` of the
 * answer (or the token's own `exp`) says, and anew after a 401. The key may be a function, asked for every exchange.
 */
export const apiKey =
  (key: string | (() => string | Promise<string>), options: ApiKeyOptions = {}): TokenOption =>
  async ({ baseUrl, nowMs, post }) => {
    const secret = typeof key === "string" ? key : await key();
    const url = new URL(options.url ?? new URL("../auth/access_token", `${baseUrl}/`));
    const answer = await post(url.href, { apiKey: secret }, secret);
    const { token, expiresIn } = (typeof answer === "object" && answer !== null ? answer : {}) as Record<
      string,
      unknown
    >;
    if (typeof token !== "string" || token === "")
      throw new Error(`the answer of ${url.origin}${url.pathname} carries no token`);
    const livesS = Number(expiresIn);
    return livesS > 0 ? { token, expiresAtMs: nowMs + livesS * 1000 } : token;
  };
