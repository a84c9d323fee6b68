// Identities of users: digests and keys derived from their tokens.
import { jwtExpiryMs, withoutBearer } from "@bytenite-engines/core/wire";

interface Derived {
  /** Names the stored responses of the user. Never leaves the cache: not in a log, a header or a metric. */
  readonly digest: string;
  /** Encrypts them, so that they cannot be read without the token. */
  readonly key: CryptoKey;
}

export interface Identity extends Derived {
  /** The same by the previous server secret, during a rotation. */
  readonly previous: Derived | undefined;
  /** When the token expires (`exp` of a JWT), in milliseconds since the epoch; infinite when it does not say. */
  readonly expiresAtMs: number;
  /** Of the last 401 in this isolate: its number and its time. Earlier answers are not stored, nor used from the data centre. */
  revoked: { readonly sequence: number; readonly atMs: number };
  /** Whether this isolate has had stored answers of the user. */
  hasEntries: boolean;
}

/** Number of remembered identities. One takes about 1 kB plus its token. */
export const maxIdentities = 4_000;
/** Characters of remembered tokens, together. */
const maxTokenCharacters = 4_000_000;
const digestBits = 192;

const utf8 = new TextEncoder();

/** Identities of tokens; the least recently used ones are dropped first. */
export class Identities {
  readonly #known = new Map<string, Identity>();
  readonly #secrets: ReadonlyArray<string>;
  #characters = 0;

  /** `secrets`: the current server secret and the previous one; may be empty. */
  constructor(secrets: ReadonlyArray<string> = []) {
    this.#secrets = secrets;
  }

  recall(token: string): Identity | undefined {
    const identity = this.#known.get(token);
    if (identity !== undefined && this.#known.size > maxIdentities / 2) {
      this.#known.delete(token);
      this.#known.set(token, identity);
    }
    return identity;
  }

  /** The identity of a token: the same object for all requests. */
  async of(token: string): Promise<Identity> {
    const known = this.recall(token);
    if (known !== undefined) return known;
    const [current = "", previous] = this.#secrets;
    const made: Identity = {
      ...(await derive(token, current)),
      previous: previous === undefined ? undefined : await derive(token, previous),
      expiresAtMs: jwtExpiryMs(token) ?? Number.POSITIVE_INFINITY,
      revoked: { sequence: 0, atMs: 0 },
      hasEntries: false,
    };
    // Another request may have made it meanwhile.
    const meanwhile = this.#known.get(token);
    if (meanwhile !== undefined) return meanwhile;
    this.#known.set(token, made);
    this.#characters += token.length;
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= maxIdentities && this.#characters <= maxTokenCharacters) break;
      this.#known.delete(oldest);
      this.#characters -= oldest.length;
    }
    return made;
  }
}

export const ownersOf = (identity: Identity | undefined): ReadonlyArray<string> =>
  [identity, identity?.previous].flatMap((each) => each?.digest ?? []);

/** Visible ASCII, after a scheme and one space where it has one: anything else may be read as several texts. */
const credential = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+ )?[\x21-\x7e]+$/;

/** The token in an Authorization field: raw, after `Bearer`, or with another scheme. Undefined: it tells no users apart. */
export const tokenOf = (authorization: string): string | undefined =>
  credential.test(authorization) ? withoutBearer(authorization) || undefined : undefined;

/** Two outputs of HKDF over the token, with the server secret as salt (RFC 5869). */
const derive = async (token: string, serverSecret: string): Promise<Derived> => {
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
