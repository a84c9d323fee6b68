// Access tokens for API keys.
import * as Effect from "effect/Effect";
import { keyedToken, runForRequest, type ExchangeTools } from "./Credentials.ts";
import { failureOf, responseError, tooLarge } from "./Failure.ts";
import { jwtExpiryMs } from "./HttpRules.ts";
import { assertOptionNames } from "./OptionNames.ts";
import { sendOutside } from "./OutsideRequest.ts";
import { LimitExceeded, parseJson } from "./ReadLimits.ts";
import { redact } from "./Secret.ts";
import { tokenText, type ExpiringToken, type TokenOption } from "./Token.ts";
import { exchange, publicUrl } from "./Transport.ts";

/** An API key, and where it is exchanged. */
export interface ApiKeyOptions {
  /** URL of the exchange. Default: `auth/access_token` next to the base URL (`/v1/dev` -> `/v1/auth/access_token`). */
  readonly url?: string | URL | undefined;
}

/**
 * A token source for the option `token` of a client: exchanges the key for a token, which is used as long as `expiresIn` of the
 * answer (or the token's own `exp`) says, by all calls with the same key; and anew after a 401. The key may be a function: it
 * is asked for every request and may give each caller another key. Throws TypeError for a key that is neither, and an empty one.
 */
export const apiKey = (key: string | (() => string | Promise<string>), options: ApiKeyOptions = {}): TokenOption => {
  assertOptionNames(options, ["url"], "apiKey");
  const text = typeof key === "function" ? key : tokenText(key, "key");
  return keyedToken({
    key: typeof text === "function" ? async () => text() : () => text,
    fetch: async (secret, { baseUrl, nowMs, signal, exchange: tools }) => {
      const url = new URL(options.url ?? new URL("../auth/access_token", `${baseUrl}/`));
      const answer = await postJson(tools, url.href, { apiKey: secret }, secret, signal);
      const { token, expiresIn } = Object(answer) as Record<string, unknown>;
      if (typeof token !== "string" || token === "")
        throw new Error(`the answer of ${url.origin}${url.pathname} carries no token`);
      return withExpiry(token, Number(expiresIn), nowMs);
    },
  });
};

const withExpiry = (token: string, livesS: number, nowMs: number): ExpiringToken => {
  const expiresAtMs = livesS > 0 ? nowMs + livesS * 1000 : jwtExpiryMs(token);
  return expiresAtMs === undefined ? { token } : { token, expiresAtMs };
};

/** Sends a key as JSON, and resolves with the JSON of a success. Rejects with EngineError. The secret is redacted where the server repeats it. */
const postJson = (
  tools: ExchangeTools,
  url: string,
  json: unknown,
  secret: string,
  signal: AbortSignal,
): Promise<unknown> => {
  const { fetch, settings, clock } = tools;
  const { limits } = settings;
  const subject = { endpoint: "credentials", url: publicUrl(url) } as const;
  const headers = { accept: "application/json", "content-type": "application/json" };
  const request = { url, method: "POST", headers, body: JSON.stringify(json) };
  const sent = sendOutside(tools, subject, new URL(url).origin, async (cancel) => {
    const answer = await exchange(fetch, request, limits, cancel);
    if (answer.status < 200 || answer.status > 299)
      throw failureOf(answer, clock.currentTimeMillisUnsafe(), [secret], limits);
    try {
      return parseJson(answer.bytes, limits);
    } catch (cause) {
      if (cause instanceof LimitExceeded) throw tooLarge(answer, cause, [secret]);
      const reason = { _tag: "Undecodable", problem: "the answer to the token request is not JSON" } as const;
      throw responseError(answer, reason, [secret]);
    }
  });
  const failed = Effect.mapError(sent, (error) => error.with({ method: "POST", url: redact(error.url, [secret]) }));
  return runForRequest(failed, tools, signal);
};
