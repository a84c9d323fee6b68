// Encryption of `platformConfig.token` (AES-256-GCM).

/** Bytes of the nonce that stands before each sealed secret (NIST SP 800-38D, 8.2). */
const nonceBytes = 12;

/** Fewest characters of the passphrase from which keys are derived. */
export const minKeyCharacters = 32;

/** Encrypts and decrypts secrets. `place` binds a secret to its engine (additional data of AES-GCM). */
export interface SecretBox {
  readonly seal: (secret: string, place: string) => Promise<Uint8Array>;
  /** Rejects with KeyError for another key or place. */
  readonly open: (sealed: Uint8Array, place: string) => Promise<string>;
}

/** A key that is too short, or another one than needed. */
export class KeyError extends Error {
  override readonly name = "KeyError";
}

const utf8 = new TextEncoder();

/** A key that nobody can read from what this gives. */
export const importKey = (
  bytes: Uint8Array<ArrayBuffer>,
  algorithm: "HKDF" | "AES-GCM" | HmacImportParams,
  usages: ReadonlyArray<KeyUsage>,
): Promise<CryptoKey> => crypto.subtle.importKey("raw", bytes, algorithm, false, [...usages]);

/** A key for one purpose, derived (HKDF, RFC 5869) from the operator's one key. Throws on a short key. */
export const deriveKeyBytes = async (key: string, purpose: string): Promise<Uint8Array<ArrayBuffer>> => {
  if (key.length < minKeyCharacters) {
    throw new KeyError(`BYTENITE_REGISTRY_KEY must have at least ${minKeyCharacters} characters`);
  }
  const material = await importKey(utf8.encode(key), "HKDF", ["deriveBits"]);
  const info = utf8.encode(`bytenite-engines registry ${purpose}`);
  const algorithm = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(), info };
  return new Uint8Array(await crypto.subtle.deriveBits(algorithm, material, 256));
};

/** A key in place of the operator's, where nothing has to be opened after the end of this process. */
export const passingKey = (): string => `${crypto.randomUUID()}${crypto.randomUUID()}`;

/** The box of a key. */
export const makeSecretBox = async (key: string): Promise<SecretBox> => {
  const bytes = await deriveKeyBytes(key, "secrets at rest");
  const aes = await importKey(bytes, "AES-GCM", ["encrypt", "decrypt"]);
  return {
    seal: async (secret, place) => {
      const iv = crypto.getRandomValues(new Uint8Array(nonceBytes));
      const algorithm = { name: "AES-GCM", iv, additionalData: utf8.encode(place) };
      const sealed = new Uint8Array(await crypto.subtle.encrypt(algorithm, aes, utf8.encode(secret)));
      const whole = new Uint8Array(nonceBytes + sealed.length);
      whole.set(iv);
      whole.set(sealed, nonceBytes);
      return whole;
    },
    open: async (sealed, place) => {
      const copy = new Uint8Array(sealed);
      const algorithm = { name: "AES-GCM", iv: copy.slice(0, nonceBytes), additionalData: utf8.encode(place) };
      try {
        return new TextDecoder().decode(await crypto.subtle.decrypt(algorithm, aes, copy.slice(nonceBytes)));
      } catch (error) {
        const problem = `the secret of ${place} does not open: BYTENITE_REGISTRY_KEY is not the key that sealed it`;
        throw new KeyError(problem, { cause: error });
      }
    },
  };
};
