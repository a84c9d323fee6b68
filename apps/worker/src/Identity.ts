// Decides: whose entries a request may see.
import { base64url } from "./Base64Url.ts";

/** The user of a token, as far as the cache knows one: by what only the bearer of the token can compute. */
export interface Identity {
  /** Digest of the token: names the owner's entries. Never leaves the cache: not in a log, a header, a metric. */
  readonly digest: string;
  /** Encrypts the owner's entries; derived from the token, so that they cannot be read without it. */
  readonly key: CryptoKey;
  /** When the token expires (`exp` of a JWT), in milliseconds since the epoch; infinite when it does not say. */
  readonly expiresAtMs: number;
  /** What is known of it in this data centre; shared by all requests of the isolate, numbers only. */
  readonly notes: {
    /** When the upstream last answered it 401 or 403: nothing older may be used. */
    turnedAwayAtMs: number;
    /** When the notes of other isolates were last read. */
    readAtMs: number;
  };
}

/** Number of identities that are remembered. A remembered one takes about 1 kB beside its token. */
export const maxIdentities = 4_000;
/** Characters of tokens that are remembered, together. */
const maxTokenCharacters = 4_000_000;
/** Bits of a digest: too many to find two tokens with the same one; each more makes every key longer. */
const digestBits = 192;

const utf8 = new TextEncoder();

/** Remembers the identities of tokens, least recently used ones are dropped first. */
export class Identities {
  readonly #known = new Map<string, Identity>();
  #characters = 0;

  /** The identity of a token, if it is remembered. */
  recall(token: string): Identity | undefined {
    const identity = this.#known.get(token);
    if (identity !== undefined && this.#known.size > maxIdentities / 2) {
      this.#known.delete(token);
      this.#known.set(token, identity);
    }
    return identity;
  }

  /** The identity of a token. */
  async of(token: string): Promise<Identity> {
    const known = this.recall(token);
    if (known !== undefined) return known;
    const made = await identify(token);
    // Another request may have made it meanwhile. There is one for all of them: what is noted of it holds for each.
    const identity = this.#known.get(token) ?? made;
    if (identity === made) this.#characters += token.length;
    this.#known.set(token, identity);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= maxIdentities && this.#characters <= maxTokenCharacters) break;
      this.#known.delete(oldest);
      this.#characters -= oldest.length;
    }
    return identity;
  }
}

/**
 * A credential: visible ASCII, after a scheme and one space where it has one. Anything else may be read as several texts, or as the
 * same text for several tokens.
 */
const credential = /^(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+ )?[\x21-\x7e]+$/;

/** Whether an Authorization field holds a credential that can tell users apart. */
export const isCredential = (authorization: string): boolean =>
  credential.test(authorization) && !/^bearer$/i.test(authorization);

/** The token in an Authorization field that holds a credential: raw, after `Bearer`, or with another scheme before it. */
export const tokenOf = (authorization: string | null): string | undefined => authorization?.replace(/^bearer /i, "");

/** Digest and key are two outputs of HKDF over the token; neither tells anything of the other. */
const identify = async (token: string): Promise<Identity> => {
  const secret = await crypto.subtle.importKey("raw", utf8.encode(token), "HKDF", false, ["deriveBits", "deriveKey"]);
  const derive = (info: string): HkdfParams => ({
    name: "HKDF",
    hash: "SHA-256",
    salt: new Uint8Array(),
    info: utf8.encode(info),
  });
  const digest = await crypto.subtle.deriveBits(derive("bytenite-engines edge identity"), secret, digestBits);
  const key = await crypto.subtle.deriveKey(
    derive("bytenite-engines edge encryption"),
    secret,
    { name: "AES-GCM", length: 256 },
    false,
    ["encrypt", "decrypt"],
  );
  return {
    digest: base64url(new Uint8Array(digest)),
    key,
    expiresAtMs: expiryOf(token),
    notes: { turnedAwayAtMs: 0, readAtMs: 0 },
  };
};

/** The `exp` of a JWT in milliseconds. It is not verified: the upstream does that, this only shortens lives. */
export const expiryOf = (token: string): number => {
  const payload = token.split(".", 3)[1];
  if (payload === undefined) return Number.POSITIVE_INFINITY;
  try {
    const json = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/"))) as { readonly exp?: unknown };
    return typeof json.exp === "number" ? json.exp * 1000 : Number.POSITIVE_INFINITY;
  } catch {
    return Number.POSITIVE_INFINITY;
  }
};
