// Identities of users: digests and keys derived from their tokens.
import { jwtExpiryMs, withoutBearer } from "@bytenite-engines/core/wire";
import { recentOf } from "./Recent.ts";

export type Identity = Awaited<ReturnType<typeof newIdentity>>;

export const maxIdentities = 4_000; // number of remembered identities. One takes about 1 kB plus its token
const maxTokenCharacters = 4_000_000; // characters of remembered tokens, together
const digestBits = 192;
export const utf8 = new TextEncoder();

const newIdentity = async (token: string, [current = "", previous]: ReadonlyArray<string>) => ({
  ...(await derive(token, current)),
  /** The same by the previous server secret, during a rotation. */
  previous: previous === undefined ? undefined : await derive(token, previous),
  /** When the token expires (`exp` of a JWT), in milliseconds since the epoch; infinite when it does not say. */
  expiresAtMs: jwtExpiryMs(token) ?? Number.POSITIVE_INFINITY,
  /** The last 401 in this isolate. Earlier answers are not stored, nor used from the data centre. */
  revoked: { sequence: 0, atMs: 0 },
  notesReadAtMs: 0, // when the purges that other isolates recorded were last read for the user
  noted: { count: 0, untilMs: 0 }, // purges by the user that were recorded for others lately, and until when they are counted
  hasEntries: false, // whether this isolate has had stored answers of the user
});

/** Identities of tokens. `secrets`: the current server secret and the previous one; may be empty. */
export const createIdentities = (secrets: ReadonlyArray<string> = []) => {
  const known = recentOf<Identity>(maxIdentities, undefined, maxTokenCharacters, (token) => token.length);
  return {
    recall: known.get,
    /** The identity of a token: the same object for all requests. */
    of: async (token: string): Promise<Identity> => {
      const made = known.get(token) ?? (await newIdentity(token, secrets));
      // Another request may have made it meanwhile.
      const meanwhile = known.get(token);
      if (meanwhile === undefined) known.set(token, made);
      return meanwhile ?? made;
    },
  };
};

export const ownersOf = (identity: Identity | undefined): ReadonlyArray<string> =>
  [identity, identity?.previous].flatMap((each) => each?.digest ?? []);

/** Visible ASCII, after a scheme and one space where it has one: anything else may be read as several texts. */
const credential = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+ )?[\x21-\x7e]+$/;

/** The token in an Authorization field: raw, after `Bearer`, or with another scheme. Undefined: it tells no users apart. */
export const tokenOf = (authorization: string): string | undefined =>
  credential.test(authorization) ? withoutBearer(authorization) || undefined : undefined;

/**
 * Two outputs of HKDF over the token, with the server secret as salt (RFC 5869). The digest names the stored responses of the user, and
 * never leaves the cache: not in a log, a header or a metric. They cannot be read without the key.
 */
const derive = async (token: string, serverSecret: string) => {
  const { subtle } = crypto;
  const secret = await subtle.importKey("raw", utf8.encode(token), "HKDF", false, ["deriveBits", "deriveKey"]);
  const salt = utf8.encode(serverSecret);
  const hkdf = (info: string): HkdfParams => ({ name: "HKDF", hash: "SHA-256", salt, info: utf8.encode(info) });
  const digest = await subtle.deriveBits(hkdf("bytenite-engines edge identity"), secret, digestBits);
  const aes = { name: "AES-GCM", length: 256 };
  const uses: ReadonlyArray<KeyUsage> = ["encrypt", "decrypt"];
  const key = await subtle.deriveKey(hkdf("bytenite-engines edge encryption"), secret, aes, false, uses);
  return { digest: base64url(new Uint8Array(digest)), key };
};

/** Bytes as text that needs no escape in a URL or a header (RFC 4648, 5), without padding. */
export const base64url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
