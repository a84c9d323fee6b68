// Options of the Effect entry, with Redacted tokens.
import * as Redacted from "effect/Redacted";
import type { CallOptions, ClientOptions } from "./ClientOptions.ts";
import { isKeyed } from "./Credentials.ts";
import type { ExpiringToken, TokenContext, TokenOption } from "./Token.ts";

/** A token with the moment it expires, in milliseconds since 1970. */
export interface RedactedExpiringToken extends Omit<ExpiringToken, "token"> {
  readonly token: string | Redacted.Redacted;
}

/** A token as a function may give it. */
type GivenToken = string | Redacted.Redacted | ExpiringToken | RedactedExpiringToken;

/** Where tokens come from; each of them may be redacted. */
export type RedactedTokenOption =
  | TokenOption
  | Redacted.Redacted
  | ((context: TokenContext) => GivenToken | Promise<GivenToken>);

/** Options of one call in Effect. */
export interface EngineCallOptions extends Omit<CallOptions, "token"> {
  /** The access token, or where it comes from; sent as the value of `Authorization` as it is. */
  readonly token?: RedactedTokenOption | null;
}

/** Options of a client in Effect. */
export interface EngineClientOptions extends EngineCallOptions, Pick<ClientOptions, "protobufVerification"> {}

/** The same options without anything of Effect's. */
export const plainOptions = <O extends Pick<EngineCallOptions, "token">>(
  options: O | undefined,
): (Omit<O, "token"> & Pick<CallOptions, "token">) | undefined => {
  const token = options?.token;
  if (options === undefined || token === undefined || token === null)
    return options as (Omit<O, "token"> & Pick<CallOptions, "token">) | undefined;
  return { ...options, token: plainOption(token) };
};

const plainOption = (option: RedactedTokenOption): TokenOption => {
  if (typeof option !== "function") return plainText(option);
  if (isKeyed(option)) return option as TokenOption;
  return async (context) => {
    const given = await option(context);
    if (typeof given === "string" || Redacted.isRedacted(given)) return plainText(given);
    const { token, expiresAtMs } = given;
    return { token: plainText(token), ...(expiresAtMs === undefined ? {} : { expiresAtMs }) };
  };
};

const plainText = (token: string | Redacted.Redacted): string =>
  Redacted.isRedacted(token) ? Redacted.value(token) : token;
