// Decides: what an entry looks like outside the isolate's memory: sealed with its owner's key, bound to its cache key.
import type { Freshness } from "@bytenite-engines/http-cache";
import { isValidatable, type Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";

/** Bytes of the initialisation vector of AES-GCM (NIST SP 800-38D, 8.2.2: random, 96 bits). */
const ivBytes = 12;
/** Bytes of the number before the description that says how long it is. */
const lengthBytes = 4;

const utf8 = new TextEncoder();
const text = new TextDecoder();

/**
 * An entry but for its bytes and its owner, with the key that it is bound to, and without names: it is read with every hit in
 * the data centre.
 */
type Description = readonly [
  key: string,
  endpoint: Entry["endpoint"],
  tag: string | null,
  status: number,
  askedFormat: Entry["askedFormat"],
  format: Entry["askedFormat"] | null,
  fetchedAtMs: number,
  storable: boolean,
  freshness: FreshnessValues,
  client: Entry["client"],
  received: Entry["received"],
];

type FreshnessValues = readonly [number, boolean, number, number, number, number, boolean, boolean];

/** An entry as bytes that only the bearer of the owner's token can read, and only under this key. */
export const seal = async (key: string, entry: Entry, identity: Identity): Promise<Uint8Array<ArrayBuffer>> => {
  const { bytes } = entry;
  const head = utf8.encode(JSON.stringify(descriptionOf(key, entry)));
  const plain = new Uint8Array(lengthBytes + head.byteLength + bytes.byteLength);
  new DataView(plain.buffer).setUint32(0, head.byteLength);
  plain.set(head, lengthBytes);
  plain.set(bytes, lengthBytes + head.byteLength);
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
  const cipher = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, identity.key, plain);
  const sealed = new Uint8Array(ivBytes + cipher.byteLength);
  sealed.set(iv);
  sealed.set(new Uint8Array(cipher), ivBytes);
  return sealed;
};

/** The entry in sealed bytes. Undefined: they are another owner's, another key's, or not an entry. */
export const open = (key: string, sealed: ArrayBuffer, identity: Identity): Promise<Entry | undefined> => {
  if (sealed.byteLength < ivBytes) return Promise.resolve(undefined);
  const iv = new Uint8Array(sealed, 0, ivBytes);
  return crypto.subtle
    .decrypt({ name: "AES-GCM", iv }, identity.key, new Uint8Array(sealed, ivBytes))
    .then((plain) => read(key, plain, identity), nothing);
};

const nothing = (): undefined => undefined;

/** Whoever could make these bytes has the key; what is in them may yet be bound to another key of the cache, or no entry. */
const read = (key: string, plain: ArrayBuffer, identity: Identity): Entry | undefined => {
  try {
    const length = new DataView(plain).getUint32(0);
    const description = JSON.parse(text.decode(new Uint8Array(plain, lengthBytes, length))) as Description;
    if (description[0] !== key) return undefined;
    return entryOf(description, identity.digest, new Uint8Array(plain, lengthBytes + length));
  } catch {
    return undefined;
  }
};

const descriptionOf = (key: string, entry: Entry): Description => [
  key,
  entry.endpoint,
  entry.tag ?? null,
  entry.status,
  entry.askedFormat,
  entry.format ?? null,
  entry.fetchedAtMs,
  entry.storable,
  valuesOf(entry.freshness),
  entry.client,
  // Clients get what is in `client`. All that the upstream sent is needed again only to validate.
  isValidatable(entry) ? entry.received : entry.received.filter(([name]) => neededAgain.has(name)),
];

/** Fields that an answer is made by, whoever makes it: whether it may be transformed, and whether its age is told. */
const neededAgain: ReadonlySet<string> = new Set(["age", "cache-control"]);

const entryOf = (description: Description, owner: string, bytes: Uint8Array<ArrayBuffer>): Entry => {
  const [, endpoint, tag, status, askedFormat, format, fetchedAtMs, storable, values, client, received] = description;
  return {
    owner,
    endpoint,
    tag: tag ?? undefined,
    status,
    askedFormat,
    format: format ?? undefined,
    received,
    client,
    bytes,
    freshness: freshnessOf(values),
    fetchedAtMs,
    storable,
  };
};

const valuesOf = (freshness: Freshness): FreshnessValues => [
  freshness.lifetimeMs,
  freshness.explicit,
  freshness.initialAgeMs,
  freshness.responseTimeMs,
  freshness.staleWhileRevalidateMs,
  freshness.staleIfErrorMs,
  freshness.alwaysValidate,
  freshness.neverStale,
];

const freshnessOf = (values: FreshnessValues): Freshness => ({
  lifetimeMs: values[0],
  explicit: values[1],
  initialAgeMs: values[2],
  responseTimeMs: values[3],
  staleWhileRevalidateMs: values[4],
  staleIfErrorMs: values[5],
  alwaysValidate: values[6],
  neverStale: values[7],
});
