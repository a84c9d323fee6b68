// Decides: what is kept of an upstream's answer, and what of its header is handed on.
import { formatOf, type ReadName, type Format } from "@bytenite-engines/core/wire";
import { withVary, type Freshness } from "@bytenite-engines/http-cache";
import { base64url } from "./Base64Url.ts";

/** An answer as it came, bytes untouched, with all that is known of it. */
export interface Entry {
  /** Digest of the owner's token. */
  readonly owner: string;
  readonly endpoint: ReadName;
  readonly tag: string | undefined;
  readonly status: number;
  /** The form that the upstream was asked for: part of the key. */
  readonly askedFormat: Format;
  /** The form of the bytes that came; undefined for a Content-Type that is neither. */
  readonly format: Format | undefined;
  /** The upstream's end-to-end fields. */
  readonly received: ReadonlyArray<readonly [string, string]>;
  /** Those that a client gets, with our own; without what changes with time or with the request. */
  readonly client: Readonly<Record<string, string>>;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly freshness: Freshness;
  /** When the upstream was asked for it, or last confirmed it, in milliseconds since the epoch. */
  readonly fetchedAtMs: number;
  /** Whether the answer may be stored. */
  readonly storable: boolean;
  /** The other form, once it was asked for: made from this one, or known not to be possible without loss. */
  other?: Entry | "lossy";
  /** Head of the last answer from memory. */
  prepared?: Prepared;
}

/** Age and ttl count seconds, so within one second the head of a hit is the same. */
export interface Prepared {
  readonly second: number;
  readonly mediaType: string;
  /** An answer without a body: status and header are taken from it as they are, where a header would be looked up by name. */
  readonly head: Response;
}

/** The upstream's fields of an entry, to look names up in. */
export const receivedHeaders = (entry: Entry): Headers => {
  const headers = new Headers();
  for (const [name, value] of entry.received) headers.append(name, value);
  return headers;
};

/** Whether the upstream gave something by which it can say later that the answer still holds. */
export const isValidatable = (entry: Entry): boolean =>
  entry.received.some(([name]) => name === "etag" || name === "last-modified");

/** Fields of the upstream that do not reach clients as they are: replaced by our own, or not meant for them. */
const notHandedOn: ReadonlySet<string> = new Set([
  "access-control-allow-credentials",
  "access-control-allow-headers",
  "access-control-allow-methods",
  "access-control-allow-origin",
  "access-control-expose-headers",
  "access-control-max-age",
  "age",
  "alt-svc",
  "cache-control",
  // Parts are not served here.
  "accept-ranges",
  "surrogate-control",
  "content-length",
  "expires",
  "pragma",
  "server-timing",
  "set-cookie",
  "x-request-id",
]);

/** Fields that steer one cache (RFC 9213). A cache further down that obeys them would share one user's answer with all. */
const targeted = /.-cache-control$/;

/** The fields that clients of an answer get: the upstream's that may travel on, and our own in the place of others. */
export const clientFields = (received: Headers, cacheControl: string, etag: string): Record<string, string> => {
  const fields: Record<string, string> = {};
  for (const [name, value] of received) {
    if (!notHandedOn.has(name) && !targeted.test(name)) fields[name] = value;
  }
  // It adds to the upstream's own Cache-Control; in ours it is contained.
  const expires = received.get("expires");
  if (expires !== null && (received.get("cache-control") ?? "") !== "") fields["expires"] = expires;
  fields["cache-control"] = cacheControl;
  fields["vary"] = withVary(received.get("vary"), ["Accept", "Authorization"]);
  if (etag !== "") fields["etag"] = etag;
  return fields;
};

/** Digests of the bytes as they were sent (RFC 9530, and those before it): of other bytes they would be wrong. */
const digestFields: ReadonlyArray<string> = ["content-digest", "content-md5", "digest", "repr-digest"];

export const withoutDigests = (headers: Headers): Headers => {
  const rest = new Headers(headers);
  for (const name of digestFields) rest.delete(name);
  return rest;
};

/** Whether an object is an answer for those who want this form: it has it, or is what came when it was asked for. */
export const hasForm = (object: Entry, format: Format): boolean =>
  object.format === format || object.askedFormat === format;

/** The form that is not this one. */
export const otherForm = (format: Format): Format => (format === "json" ? "protobuf" : "json");

/** An entry in its other form: all of it but the bytes, their form and their tag. */
export const inOtherForm = (entry: Entry, changed: Pick<Entry, "bytes" | "format" | "client">): Entry => {
  const { other: _other, prepared: _prepared, ...rest } = entry;
  const client: Record<string, string> = { ...entry.client, etag: changed.client["etag"] ?? "" };
  for (const name of digestFields) delete client[name];
  return { ...rest, bytes: changed.bytes, format: changed.format, client };
};

/** The form of an answer by its Content-Type. */
export const entryFormat = (headers: Headers): Format | undefined => formatOf(headers.get("content-type"));

/** A strong entity tag of bytes in a form: the first 16 bytes of their SHA-256. */
export const strongEtag = async (bytes: Uint8Array<ArrayBuffer>, format: Format | undefined): Promise<string> => {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).subarray(0, 16);
  return `"${format?.slice(0, 1) ?? "o"}${base64url(hash)}"`;
};

/** What is counted for an entry beside its bytes: objects, maps, the header's values. Measured, rounded up. */
const entryOverheadBytes = 2_000;

/** Bytes of memory that an entry takes, its other form included. */
export const sizeOf = (entry: Entry): number =>
  entry.bytes.byteLength +
  entryOverheadBytes +
  (entry.other === undefined || entry.other === "lossy" ? 0 : sizeOf(entry.other));
