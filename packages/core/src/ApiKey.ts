// Access tokens for API keys.
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import { counted, countRequest, newState } from "./AttemptPlan.ts";
import { attempts } from "./Attempts.ts";
import { keyedToken, type ExchangeTools } from "./Credentials.ts";
import { EngineError } from "./EngineError.ts";
import { AttemptFailure, failureOf, tooLarge } from "./Failure.ts";
import { jwtExpiryMs } from "./HttpRules.ts";
import { LimitExceeded, parseJson, type ReadLimits } from "./ReadLimits.ts";
import { redact } from "./Secret.ts";
import type { ExpiringToken, TokenOption } from "./Token.ts";
import { exchange, publicUrl, type HttpResponse } from "./Transport.ts";

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
    fetch: async (secret, { baseUrl, nowMs, signal, exchange: tools }) => {
      const url = new URL(options.url ?? new URL("../auth/access_token", `${baseUrl}/`));
      const answer = await postJson(tools, { url: url.href, json: { apiKey: secret }, secret, signal });
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

/** A POST of JSON. */
interface TokenRequest {
  readonly url: string;
  readonly json: unknown;
  /** Redacted where the server repeats it. */
  readonly secret: string;
  /** Ends it at once. */
  readonly signal: AbortSignal;
}

/** Sends it, and resolves with the JSON of a success. Rejects with EngineError. */
const postJson = (
  { fetch, settings, budgets, clock, emit, trace, tracing }: ExchangeTools,
  { url, json, secret, signal }: TokenRequest,
): Promise<unknown> => {
  const subject = { endpoint: "credentials", url: publicUrl(url) } as const;
  const headers = { accept: "application/json", "content-type": "application/json" };
  const state = newState();
  const origin = new URL(url).origin;
  const sent = attempts({
    subject,
    tracing,
    origin,
    settings: { ...settings, hedging: undefined },
    budget: budgets(origin),
    breaker: undefined,
    emit: emit ?? (() => {}),
    state,
    run: async (cancel) => {
      countRequest(state);
      try {
        const request = { url, method: "POST", headers, body: JSON.stringify(json) } as const;
        const answer = await exchange(fetch, request, settings.limits, cancel);
        if (answer.status < 200 || answer.status > 299)
          throw failureOf(answer, clock.currentTimeMillisUnsafe(), [secret], settings.limits);
        return tokenJson(answer, settings.limits, secret);
      } catch (cause) {
        if (cause instanceof EngineError) throw new AttemptFailure(cause);
        if (!(cause instanceof SyntaxError)) throw cause;
        const reason = { _tag: "Undecodable", problem: "the answer to the token request is not JSON" } as const;
        throw new AttemptFailure(new EngineError({ reason, url: subject.url, attempts: 1 }));
      }
    },
  });
  const failed = Effect.mapError(sent, ({ error }) =>
    error.with({ method: "POST", ...counted(state), url: redact(error.url, [secret]) }),
  );
  const timed = Effect.provideService(failed, Clock.Clock, clock);
  const traced = trace.span === undefined ? timed : Effect.withParentSpan(timed, trace.span);
  return Effect.runPromiseWith(trace.services ?? Context.empty())(traced, { signal });
};

/** Throws SyntaxError for what is not JSON. */
const tokenJson = (answer: HttpResponse, limits: ReadLimits, secret: string): unknown => {
  try {
    return parseJson(answer.bytes, limits);
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw tooLarge(answer, cause, [secret]);
    throw cause instanceof SyntaxError ? cause : new SyntaxError("not in UTF-8", { cause });
  }
};
