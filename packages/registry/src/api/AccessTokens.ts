// Signed access tokens (JWT): claims and verification.
import { errors, jwtVerify, SignJWT } from "jose";
import QuickLRU from "quick-lru";
import { credentialOf, recognise, scopes, type Credential, type Scope } from "./Authentication.ts";
import { maxRemembered } from "./Digest.ts";
import { deriveKeyBytes, passingKey } from "./SecretBox.ts";
import type { SqlDriver } from "./SqlDriver.ts";
import { byId } from "./Statements.ts";

/** Seconds an access token lives, as upstream's do. */
export const accessTokenSeconds = 3_600;

/** The scope of a token as OAuth writes it: `engines:read`, and one more word for each that includes it. */
export const scopeText = (scope: Scope): string =>
  ["engines:read", "engines:publish", "registry:manage"].slice(0, scopes.indexOf(scope) + 1).join(" ");

const issuer = "bytenite-engines-registry";

/** Signs access tokens and verifies them. */
export interface AccessTokens {
  /** A token for the user of an API key; invalid once that key is revoked. */
  readonly sign: (key: Credential, nowMs: number) => Promise<string>;
  /** The id of the API key behind a token, or undefined when it is not ours, altered or expired. */
  readonly verify: (token: string, nowMs: number) => Promise<string | undefined>;
}

/** Access tokens (JWT, HS256) under a key derived from the operator's, or under one that ends with this process. */
export const makeAccessTokens = async (key: string | undefined): Promise<AccessTokens> => {
  const secret = await deriveKeyBytes(key ?? passingKey(), "access tokens");
  const remembered = new QuickLRU<string, { readonly keyId: string; readonly expiresMs: number }>({
    maxSize: maxRemembered,
  });
  return {
    sign: (credential, nowMs) =>
      new SignJWT({ key: credential.id, scope: scopeText(credential.scope) })
        .setProtectedHeader({ alg: "HS256", typ: "JWT" })
        .setIssuer(issuer)
        .setSubject(credential.user.id)
        .setIssuedAt(Math.floor(nowMs / 1_000))
        .setExpirationTime(Math.floor(nowMs / 1_000) + accessTokenSeconds)
        .setJti(crypto.randomUUID())
        .sign(secret),
    verify: async (token, nowMs) => {
      const known = remembered.get(token);
      if (known !== undefined) return known.expiresMs > nowMs ? known.keyId : undefined;
      try {
        const options = { issuer, algorithms: ["HS256"], currentDate: new Date(nowMs) };
        const { payload } = await jwtVerify(token, secret, options);
        if (typeof payload["key"] !== "string" || payload.exp === undefined) return undefined;
        remembered.set(token, { keyId: payload["key"], expiresMs: payload.exp * 1_000 });
        return payload["key"];
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
};

/**
 * The credential behind a token, kept or signed. A signed one counts as a token of its user for as long as the API key
 * that it was made from is good.
 */
export const credentialOfToken = async (
  sql: SqlDriver,
  accessTokens: AccessTokens | undefined,
  token: string,
  nowMs: number,
  accepts?: (credential: Credential) => boolean,
): Promise<Credential | undefined> => {
  const keyId = token.startsWith("ey") ? await accessTokens?.verify(token, nowMs) : undefined;
  // Tokens of elsewhere may look the same, and be configured here.
  if (keyId === undefined) return recognise(sql, token, nowMs, accepts);
  const [[row] = []] = await sql.read([byId(keyId, nowMs)]);
  const key = row === undefined ? undefined : credentialOf(row);
  if (key === undefined) return undefined;
  const signed: Credential = { ...key, kind: "token" };
  return key.kind === "api-key" && (accepts?.(signed) ?? true) ? signed : undefined;
};
