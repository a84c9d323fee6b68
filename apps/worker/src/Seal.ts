// Decides: what an entry looks like outside the isolate's memory: sealed with its owner's key, bound to its cache key.
import { isValidatable, type Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";

/** Bytes of the initialisation vector of AES-GCM (NIST SP 800-38D, 8.2.2: random, 96 bits). */
const ivBytes = 12;
/** Bytes of the number before the description that says how long it is. */
const lengthBytes = 4;

const utf8 = new TextEncoder();
const text = new TextDecoder();

type Description = Omit<Entry, "bytes" | "other" | "owner" | "prepared">;

/** An entry as bytes that only the bearer of the owner's token can read, and only under this key. */
export const seal = async (key: string, entry: Entry, identity: Identity): Promise<Uint8Array<ArrayBuffer>> => {
  const { bytes, other: _other, owner: _owner, prepared: _prepared, ...rest } = entry;
  // What the upstream sent is needed again only to validate; clients get what is in `client`.
  const description: Description = isValidatable(entry) ? rest : { ...rest, received: [] };
  const head = utf8.encode(JSON.stringify(description));
  const plain = new Uint8Array(lengthBytes + head.byteLength + bytes.byteLength);
  new DataView(plain.buffer).setUint32(0, head.byteLength);
  plain.set(head, lengthBytes);
  plain.set(bytes, lengthBytes + head.byteLength);
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
  const cipher = await crypto.subtle.encrypt(parameters(iv, key), identity.key, plain);
  const sealed = new Uint8Array(ivBytes + cipher.byteLength);
  sealed.set(iv);
  sealed.set(new Uint8Array(cipher), ivBytes);
  return sealed;
};

/** The entry in sealed bytes. Undefined: they are another owner's, another key's, or not an entry. */
export const open = async (key: string, sealed: ArrayBuffer, identity: Identity): Promise<Entry | undefined> => {
  try {
    const iv = new Uint8Array(sealed, 0, ivBytes);
    const plain = await crypto.subtle.decrypt(parameters(iv, key), identity.key, new Uint8Array(sealed, ivBytes));
    const length = new DataView(plain).getUint32(0);
    const json = text.decode(new Uint8Array(plain, lengthBytes, length));
    const description = JSON.parse(json) as Description;
    // What JSON leaves out is there again, as undefined.
    const { tag, format } = description;
    return { ...description, tag, format, owner: identity.digest, bytes: new Uint8Array(plain, lengthBytes + length) };
  } catch {
    return undefined;
  }
};

const parameters = (iv: Uint8Array<ArrayBuffer>, key: string): AesGcmParams => ({
  name: "AES-GCM",
  iv,
  additionalData: utf8.encode(key),
});
