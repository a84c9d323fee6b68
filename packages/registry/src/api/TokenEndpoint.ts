// Exchange of API keys at `/v1/auth/access_token`.
import { requestIdFrom } from "@bytenite-engines/core/wire";
import { accessTokenSeconds, scopeText, type AccessTokens } from "./AccessTokens.ts";
import { limited, recognise, unauthenticated, type Credential } from "./Authentication.ts";
import type { User } from "./EngineStore.ts";
import type { RateLimit } from "./RateLimit.ts";
import { ApiError } from "./ApiError.ts";
import { errorAnswer, headersOf, type Answer, type RequestHead } from "./Answer.ts";
import type { SqlDriver } from "./SqlDriver.ts";
import { otherMethod } from "./Web.ts";

/** Where API keys are exchanged. */
export const tokenPath = "/v1/auth/access_token";

/** Longest body that is read there, in bytes. */
export const maxTokenBodyBytes = 16 * 1_024;

/** Dependencies. Without `accessTokens` the response is UNIMPLEMENTED. */
export interface TokenEndpointOptions {
  readonly sql: SqlDriver;
  readonly accessTokens: AccessTokens | undefined;
  readonly addressOf?: (head: RequestHead) => string | undefined;
  readonly attempts?: RateLimit;
  /** Rate limit per user; throws when exceeded. */
  readonly checkRate?: (user: User) => void | Promise<void>;
  readonly onFault?: (error: unknown, requestId: string) => void;
  readonly now?: () => number;
}

/** Answers `{token, expiresIn, scope}` for `{apiKey}`; `expiresIn` is a string, as upstream writes it. JSON only. */
export const makeTokenEndpoint =
  ({ sql, accessTokens, addressOf, attempts, checkRate, onFault, now = Date.now }: TokenEndpointOptions) =>
  async (head: RequestHead): Promise<Answer> => {
    const requestId = requestIdFrom(head.header("x-request-id"));
    const headers = { ...headersOf({ jsonOnly: true }, "application/json", requestId), "Cache-Control": "no-store" };
    let user: string | undefined;
    try {
      const other = otherMethod(head.method, ["POST"]);
      if (other !== undefined) {
        return {
          ...other,
          headers: { ...headers, ...other.headers },
          logFields: { endpoint: "auth", user },
        };
      }
      if (accessTokens === undefined) throw new ApiError("UNIMPLEMENTED", "access tokens are not configured here");
      const apiKey = apiKeyIn(await head.body(maxTokenBodyBytes));
      const credential = await limited(attempts, addressOf?.(head), () => recognise(sql, apiKey, now(), isKey));
      if (credential === undefined) throw unauthenticated("API key is not valid");
      user = credential.user.name;
      await checkRate?.(credential.user);
      const token = await accessTokens.sign(credential, now());
      const body = JSON.stringify({ token, expiresIn: String(accessTokenSeconds), scope: scopeText(credential.scope) });
      return { status: 200, headers, body, logFields: { endpoint: "auth", user } };
    } catch (error) {
      return errorAnswer(error, headers, { logFields: { endpoint: "auth", user }, onFault });
    }
  };

const isKey = ({ kind }: Credential): boolean => kind === "api-key";

const apiKeyIn = (body: Uint8Array): string => {
  let parsed: unknown;
  try {
    parsed = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    throw new ApiError("INVALID_ARGUMENT", "body must be JSON");
  }
  const apiKey = typeof parsed === "object" && parsed !== null ? (parsed as Record<string, unknown>)["apiKey"] : "";
  if (typeof apiKey !== "string" || apiKey === "") {
    throw new ApiError("INVALID_ARGUMENT", 'body must be {"apiKey": "..."}');
  }
  return apiKey;
};
