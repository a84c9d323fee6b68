// Digests of secrets, compared in constant time.
import QuickLRU from "quick-lru";

/** Hexadecimal digits of the digest by which a credential is looked up; the rest is compared in constant time. */
const selectorDigits = 16;

/** Tokens that this process remembers, so that a busy one is hashed, verified and looked up once. */
export const maxRemembered = 10_000;

/** Longest token that is remembered, in characters: unknown tokens must not fill the memory. */
const maxRememberedLength = 1_024;

/** The stored form of a secret. `selector` finds the row, `bytes` (the whole SHA-256) decides. */
export interface SecretDigest {
  readonly selector: string;
  readonly bytes: Uint8Array;
}

const remembered = new QuickLRU<string, SecretDigest>({ maxSize: maxRemembered });
const utf8 = new TextEncoder();

/** The digest of a secret. Secrets here are random and long, so a plain hash cannot be searched through. */
export const digestOf = async (secret: string): Promise<SecretDigest> => {
  const known = remembered.get(secret);
  if (known !== undefined) return known;
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(secret)));
  const digest = { selector: hexOf(bytes).slice(0, selectorDigits), bytes };
  if (secret.length > maxRememberedLength) return digest;
  remembered.set(secret, digest);
  return digest;
};

/** Whether two digests are the same, in a time that does not depend on where they differ. */
export const sameDigest = (a: Uint8Array, b: Uint8Array): boolean =>
  a.reduce((difference, byte, index) => difference | (byte ^ (b[index] as number)), a.length ^ b.length) === 0;

const hexOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** A new secret of 256 random bits, with a prefix for its kind. */
export const newSecret = (prefix: string): string => `${prefix}_${hexOf(crypto.getRandomValues(new Uint8Array(32)))}`;
