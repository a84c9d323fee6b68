// Authentication by the Authorization field.
import { withoutBearer } from "@bytenite-engines/core/wire";
import QuickLRU from "quick-lru";
import { bytesOf, type User } from "./EngineStore.ts";
import { digestOf, maxRemembered, sameDigest } from "./Digest.ts";
import type { RateLimit } from "./RateLimit.ts";
import { ApiError } from "./ApiError.ts";
import type { SqlDriver } from "./SqlDriver.ts";
import { byId, bySelector, onlyIfGood } from "./Statements.ts";

/** Longest accepted token, in characters. */
export const maxTokenCharacters = 8_192;

/** How long an accepted credential is cached for reads, in milliseconds: the longest delay of a revocation. */
export const trustMs = 1_000;

/** Kinds of credentials: `api-key` for the token endpoint, the others for the API, `trial` only if allowed. */
export type CredentialKind = "token" | "api-key" | "trial" | "configured";

/** What a credential may do: each scope includes those before it. */
export const scopes = ["read", "publish", "manage"] as const;

/** `read` reads, `publish` also changes its user's engines, `manage` also uses the management API. */
export type Scope = (typeof scopes)[number];

/** A valid credential with its user. */
export interface Credential {
  readonly id: string;
  readonly kind: CredentialKind;
  readonly scope: Scope;
  readonly user: User;
}

/** The credential that a secret is, or undefined. Several users may have configured one secret: `accepts` chooses. */
export const recognise = async (
  sql: SqlDriver,
  secret: string,
  now: number,
  accepts: (credential: Credential) => boolean = () => true,
): Promise<Credential | undefined> => {
  if (secret.length > maxTokenCharacters) return undefined;
  const digest = await digestOf(secret);
  const [rows] = await sql.read([bySelector(digest.selector, now)]);
  for (const row of rows ?? []) {
    if (!sameDigest(bytesOf(row["digest"]) ?? new Uint8Array(), digest.bytes)) continue;
    const credential = credentialOf(row);
    if (credential !== undefined && accepts(credential)) return credential;
  }
  return undefined;
};

/** The credential in a row of `bySelector` or `byId`; undefined where its user is disabled. */
export const credentialOf = (row: Readonly<Record<string, unknown>>): Credential | undefined =>
  row["disabled"] === null || row["disabled"] === undefined
    ? {
        id: String(row["id"]),
        kind: row["kind"] as CredentialKind,
        scope: row["scope"] as Scope,
        user: { number: Number(row["user"]), id: String(row["uuid"]), name: String(row["name"]) },
      }
    : undefined;

/** Refuses a credential whose scope is not enough, with the challenge of RFC 6750, 3.1. */
export const requireScope = ({ scope }: Credential, needed: Scope): void => {
  if (scopes.indexOf(scope) >= scopes.indexOf(needed)) return;
  throw new ApiError("PERMISSION_DENIED", `this needs a token with scope ${needed}; this one has scope ${scope}`, {
    headers: { "WWW-Authenticate": `Bearer error="insufficient_scope", scope="${needed}"` },
  });
};

/** The token in an Authorization header: raw, as upstream takes it, or after `Bearer`. Refuses a missing one. */
export const tokenOf = (authorization: string | null): string => {
  const token = withoutBearer(authorization ?? "").trim();
  if (token === "") throw unauthenticated("Authorization header with an access token is missing");
  return token;
};

/** A driver for the writes of one credential: each is a transaction that fails with 401 unless the credential is still valid. */
export const writingAs = (sql: SqlDriver, { id }: Credential, now: () => number): SqlDriver => ({
  ...sql,
  write: async (statements) => {
    const at = now();
    try {
      return (await sql.write([onlyIfGood(id, at), ...statements])).slice(1);
    } catch (error) {
      const [[row] = []] = await sql.read([byId(id, at)]);
      throw row !== undefined && credentialOf(row) !== undefined ? error : notValid();
    }
  },
});

/** The refusal of a credential that is unknown, expired or revoked, or whose user is disabled or deleted. */
export const notValid = (): ApiError => unauthenticated("access token is not valid");

/** A 401 with the challenge of RFC 9110, 11.6.1. */
export const unauthenticated = (message: string): ApiError =>
  new ApiError("UNAUTHENTICATED", message, { headers: { "WWW-Authenticate": "Bearer" } });

type Lookup = (token: string, nowMs: number) => Promise<Credential | undefined>;

/** Limit of wrong credentials per address: burst, and rate per second. */
export const attemptLimit = { burst: 30, perSecond: 0.5 } as const;

/** Looks up an unknown credential; refused when the address has reached its limit. */
export const limited = async (
  attempts: RateLimit | undefined,
  address: string | undefined,
  lookup: () => Promise<Credential | undefined>,
): Promise<Credential | undefined> => {
  if (attempts === undefined || address === undefined) return lookup();
  // Counted before the lookup, so that concurrent ones count too; given back if the credential is valid.
  attempts.take(address);
  const credential = await lookup();
  if (credential !== undefined) attempts.giveBack(address);
  return credential;
};

/**
 * Caches valid credentials for `trustMs`; `fresh` looks up all the same. Only uncached ones count as attempts, so other clients at the
 * same address cannot lock out a token in use.
 */
export const makeAuthenticator = (
  lookup: Lookup,
  attempts?: RateLimit,
): ((token: string, nowMs: number, address?: string, fresh?: "fresh") => Promise<Credential | undefined>) => {
  const trusted = new QuickLRU<string, { readonly credential: Credential; readonly sinceMs: number }>({
    maxSize: maxRemembered,
  });
  return async (token, nowMs, address, fresh) => {
    const known = trusted.get(token);
    if (fresh === undefined && known !== undefined && nowMs >= known.sinceMs && nowMs - known.sinceMs < trustMs)
      return known.credential;
    const ask = () => lookup(token, nowMs);
    const credential = await (known === undefined ? limited(attempts, address, ask) : ask());
    trusted.delete(token);
    if (credential === undefined) return undefined;
    trusted.set(token, { credential, sinceMs: nowMs });
    return credential;
  };
};
