// Stored entries: fields, formats, encryption.
import { formatOf, schemaDigestHeader, type Format, type ReadName } from "@bytenite-engines/core/wire";
import {
  freshnessOf,
  responseDirectives,
  splitList,
  timeToLive,
  withVary,
  type CacheEntry,
  type Freshness,
  type StoredPart,
} from "@bytenite-engines/http-cache";
import type { Lease } from "./Body.ts";
import { base64url, type Identity } from "./Identity.ts";
import { digestIn, transcode } from "./Transcoding.ts";

/** An answer as clients get it, stored or not. */
export interface Answer {
  readonly status: number;
  readonly statusText?: string | undefined;
  readonly endpoint: ReadName | "other";
  /** The requested format: part of the key. */
  readonly askedFormat: Format;
  /** The form of the bytes; undefined for a Content-Type that is neither, and for other paths. */
  readonly format: Format | undefined;
  /** Fields for clients, without what changes with time or with the request. */
  readonly client: ReadonlyArray<readonly [string, string]>;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Where the bytes are too long to be read as a whole. */
  readonly stream?: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly freshness: Freshness | undefined;
  /** Age of the answer on receipt, where the upstream stated one, in milliseconds. */
  readonly ageMs?: number | undefined;
  /** The bytes in memory, while the request that fetched them is under way. */
  lease?: Lease | undefined;
}

export interface Entry extends Answer, CacheEntry {
  readonly status: number;
  readonly freshness: Freshness;
  /** Digest of the owner's token; empty: everybody's. */
  readonly owner: string;
  /** Names of the engines that it contains; null: unknown, perhaps any. */
  readonly names: ReadonlyArray<string> | null;
  /** When the upstream was asked for it, or last confirmed it, in milliseconds since the epoch. */
  readonly fetchedAtMs: number;
  /** Of a 206: the part that the bytes are, and the Range of its request. */
  readonly part?: (StoredPart & { readonly askedRange: string }) | undefined;
  /** The other format, once requested; "none": it cannot be made. */
  other?: Entry | "none" | undefined;
  /** Head of the last response from memory. */
  prepared?: Prepared | undefined;
}

/** Age and ttl count seconds, so within one second the head of a hit is the same. */
export interface Prepared {
  readonly second: number;
  readonly mediaType: string;
  /** A response without a body: status and fields are taken from it as they are. */
  readonly head: Response;
}

/** Fields of the proxy's own, which pages may read and which replace those of the upstream. */
export const ownFields = ["Age", "Server-Timing", "X-Request-Id"] as const;

/** Fields of the upstream that clients do not get: replaced by our own, or not for them. */
const notForClients = new RegExp(
  `^(?:${ownFields.join("|")}|access-control-(?:allow-.*|expose-headers|max-age)|alt-svc|(?:.*-)?cache-control|expires|pragma|set-cookie|surrogate-control)$`,
  "i",
);
/** Nor, in a response of an endpoint: parts are not served, and the length may be that of another form. */
const notOfEndpoints: ReadonlySet<string> = new Set(["accept-ranges", "content-length"]);

/** Cache-Control of what no client is to store. */
const neverStored = "private, no-store";

const nameOf = (directive: string): string => (directive.split("=", 1)[0] ?? "").trim().toLowerCase();

/** Directives for shared caches, and `private`, which is there anyway. */
const forShared: ReadonlySet<string> = new Set(["private", "public", "s-maxage"]);

/** Options of freshness for clients: a private cache that obeys no targeted field. */
const clientOptions = { shared: false, apparentAge: false };

/** Targeted fields for a cache at Cloudflare's edge, the most specific one first (RFC 9213, 2.2). */
export const targetedFields: ReadonlyArray<string> = ["cloudflare-cdn-cache-control", "cdn-cache-control"];

/** What an endpoint adds to the fields for clients. */
interface EndpointFields {
  /** Lifetime for browsers, in milliseconds, where the upstream states none. */
  readonly browserMs: number;
  /** What this cache may do with the response, where it may store it. */
  readonly freshness?: Freshness | undefined;
  readonly etag?: string | undefined;
  /** Whether the response is unusable, so that no client is to store it. */
  readonly isLost?: boolean;
}

/** The fields of a response for one client: no other cache may share it. `endpoint` is undefined for other paths. */
export const clientFields = (
  status: number,
  received: Headers,
  times: { readonly requestTimeMs: number; readonly responseTimeMs: number },
  endpoint?: EndpointFields,
): ReadonlyArray<readonly [string, string]> => {
  const fields = [...received].filter(
    ([name]) => !notForClients.test(name) && (endpoint === undefined || !notOfEndpoints.has(name)),
  );
  // It adds to the upstream's own Cache-Control; ours contains it.
  const expires = received.get("expires");
  if (expires !== null && (received.get("cache-control") ?? "") !== "") fields.push(["expires", expires]);
  const ours = new Map(fields).set("cache-control", clientControl(status, received, times, endpoint));
  if (endpoint === undefined) return [...ours];
  ours.set("vary", withVary(received.get("vary"), ["Accept", "Authorization"]));
  if (endpoint.etag !== undefined) ours.set("etag", endpoint.etag);
  return [...ours];
};

/**
 * Cache-Control for clients: what the upstream sent, for one client. Where it sent none: what Expires says, else the lifetime for
 * browsers, or less where this cache has less.
 */
const clientControl = (
  status: number,
  received: Headers,
  times: { readonly requestTimeMs: number; readonly responseTimeMs: number },
  endpoint: EndpointFields | undefined,
): string => {
  if (endpoint?.isLost === true) return neverStored;
  const sent = splitList(received.get("cache-control") ?? "");
  if (sent.length > 0) return ["private", ...sent.filter((directive) => !forShared.has(nameOf(directive)))].join(", ");
  const stated = freshnessOf(status, received, responseDirectives(received, clientOptions), times, clientOptions);
  if (stated.explicit) return `private, max-age=${Math.floor(stated.lifetimeMs / 1000)}`;
  const isOurs = endpoint !== undefined && status === 200 && !responseDirectives(received, { targetedFields }).noStore;
  if (!isOurs) return neverStored;
  return `private, max-age=${Math.floor(Math.min(endpoint.browserMs, endpoint.freshness?.lifetimeMs ?? Infinity) / 1000)}`;
};

/** Digests of the bytes as they were sent (RFC 9530, and those before it): of other bytes they would be wrong. */
const digestFields: ReadonlySet<string> = new Set(["content-digest", "content-md5", "digest", "repr-digest"]);

/** Content codings that the runtime asks for, and decodes. */
const decodedCodings: ReadonlySet<string> = new Set(["gzip", "br", "identity"]);

/** The fields of the bytes that are here: without a coding that was decoded, and what belonged to it. */
export const asDecoded = (headers: Headers): Headers => {
  const coding = headers.get("content-encoding");
  if (coding === null || !decodedCodings.has(coding.trim().toLowerCase())) return headers;
  const decoded = new Headers(headers);
  for (const name of ["content-encoding", "content-length", ...digestFields]) decoded.delete(name);
  return decoded;
};

export const formatIn = (headers: Headers): Format | undefined => formatOf(headers.get("content-type"));

export const schemaDigestIn = (headers: Headers): string | null => headers.get(schemaDigestHeader);

/** A strong entity tag of bytes in a form: the first 16 bytes of their SHA-256. */
export const strongEtag = async (bytes: Uint8Array<ArrayBuffer>, format: Format | undefined): Promise<string> => {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).subarray(0, 16);
  return `"${format?.slice(0, 1) ?? "o"}${base64url(hash)}"`;
};

export const otherForm = (format: Format): Format => (format === "json" ? "protobuf" : "json");

/** Whether a response serves requests for this format: it has it, or was requested in it. */
export const hasForm = (answer: Answer, format: Format): boolean =>
  answer.endpoint === "other" || answer.format === format || answer.askedFormat === format;

/** Longest body that is transcoded, in bytes: the message takes several times that. */
const maxTranscodedBytes = 1024 * 1024;

/**
 * The entry in a form: itself, or its other form, which is made once. Undefined: it cannot be made without loss, or the answer must
 * not be transformed (RFC 9111, 5.2.2.6).
 */
export const inForm = async (entry: Entry, format: Format): Promise<Entry | undefined> => {
  if (hasForm(entry, format)) return entry;
  if (entry.other === undefined) {
    const { endpoint, bytes, format: from } = entry;
    const fields = Object.fromEntries(entry.client);
    const control = splitList(entry.headers.find(([name]) => name === "cache-control")?.[1] ?? "");
    const isPossible =
      endpoint !== "other" &&
      from !== undefined &&
      entry.status === 200 &&
      bytes.byteLength <= maxTranscodedBytes &&
      !control.some((directive) => nameOf(directive) === "no-transform");
    const made = isPossible ? transcode(endpoint, bytes, from, digestIn(fields)) : undefined;
    entry.other = made === undefined ? "none" : otherOf(entry, made, format, await strongEtag(made, format));
  }
  return entry.other === "none" ? undefined : entry.other;
};

const otherOf = (entry: Entry, bytes: Uint8Array<ArrayBuffer>, format: Format, etag: string): Entry => {
  const client = entry.client.filter(([name]) => name !== "etag" && !digestFields.has(name));
  const made = [...client, ["etag", etag] as const];
  return { ...entry, bytes, format, client: made, other: undefined, prepared: undefined, lease: undefined };
};

/** What a validated entry keeps of the other form that was made of it. */
export const withOtherOf = (entry: Entry, validated: Entry): Entry => {
  const { other } = validated;
  if (other !== undefined && other !== "none" && other.format !== undefined) {
    entry.other = otherOf(entry, other.bytes, other.format, Object.fromEntries(other.client)["etag"] ?? "");
  }
  return entry;
};

/** An entry that a soft purge lies on: it has to be validated, and is used only where the upstream fails. */
export const outdated = (entry: Entry): Entry => {
  const freshness = { ...entry.freshness, lifetimeMs: 0, staleWhileRevalidateMs: 0 };
  // As stale as it would be by its own lifetime, not more: the time for failures counts from there.
  const aged = { ...freshness, staleIfErrorMs: entry.freshness.lifetimeMs + entry.freshness.staleIfErrorMs };
  return { ...entry, freshness: entry.freshness.neverStale ? freshness : aged, prepared: undefined, other: undefined };
};

/**
 * The Range field as far as it applies to a stored answer: null where If-Range names another representation (RFC 9110, 13.1.5).
 * A date never applies: Last-Modified alone is not a strong validator.
 */
export const rangeFor = (method: string, asked: Headers, { headers }: Entry): string | null => {
  // "A server MUST ignore a Range header field received with a request method that is unrecognized or for which range handling is not
  // defined. For this specification, GET is the only method for which range handling is defined" (RFC 9110, 14.2).
  if (method !== "GET") return null;
  const ifRange = asked.get("if-range");
  if (ifRange === null) return asked.get("range");
  const etag = headers.find(([name]) => name.toLowerCase() === "etag")?.[1];
  return ifRange === etag && !ifRange.startsWith("W/") ? asked.get("range") : null;
};

export const isFresh = (entry: Entry, nowMs: number): boolean => timeToLive(entry.freshness, nowMs) > 0;

/** What is counted for an entry besides its bytes: objects, maps, field values. Measured, rounded up. */
const entryOverheadBytes = 2_000;

/** Bytes of memory that an entry takes, with its other form. */
export const sizeOf = (entry: Entry): number =>
  entry.bytes.byteLength +
  entryOverheadBytes +
  (entry.other === undefined || entry.other === "none" ? 0 : sizeOf(entry.other));

/** Bytes of the initialisation vector of AES-GCM (NIST SP 800-38D, 8.2.2: random, 96 bits). */
const ivBytes = 12;
/** Bytes of the two numbers before the description and the received fields that give their lengths. */
const lengthsBytes = 8;

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** An entry as bytes that only the bearer of the owner's token can read, and only under this key. */
export const encryptEntry = async (key: string, entry: Entry, secret: CryptoKey): Promise<Uint8Array<ArrayBuffer>> => {
  const { bytes, headers, other: _other, prepared: _prepared, lease: _lease, owner: _owner, ...rest } = entry;
  const parts = [utf8.encode(JSON.stringify([key, rest])), utf8.encode(JSON.stringify(headers)), bytes];
  const lengths = new DataView(new ArrayBuffer(lengthsBytes));
  parts.slice(0, 2).forEach((part, index) => lengths.setUint32(index * 4, part.byteLength));
  const plain = await new Blob([lengths, ...parts]).arrayBuffer();
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
  const cipher = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, secret, plain);
  return new Uint8Array(await new Blob([iv, cipher]).arrayBuffer());
};

/** The entry in encrypted bytes. Undefined: they are another owner's, another key's, or no entry. */
export const decryptEntry = async (
  key: string,
  encrypted: ArrayBuffer,
  identity: Pick<Identity, "key">,
  owner: string,
): Promise<Entry | undefined> => {
  if (encrypted.byteLength < ivBytes + lengthsBytes) return undefined;
  try {
    const iv = new Uint8Array(encrypted, 0, ivBytes);
    const data = new Uint8Array(encrypted, ivBytes);
    const plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, identity.key, data);
    const lengths = new DataView(plain);
    const fieldsAt = lengthsBytes + lengths.getUint32(0);
    const bytesAt = fieldsAt + lengths.getUint32(4);
    const description = text.decode(new Uint8Array(plain, lengthsBytes, fieldsAt - lengthsBytes));
    const [boundTo, entry] = JSON.parse(description) as [string, Omit<Entry, "headers" | "bytes" | "owner">];
    if (boundTo !== key) return undefined;
    let headers: Entry["headers"] | undefined;
    return {
      ...entry,
      owner,
      bytes: new Uint8Array(plain, bytesAt),
      // Read for a validation alone, and as long as the rest.
      get headers() {
        return (headers ??= JSON.parse(text.decode(new Uint8Array(plain, fieldsAt, bytesAt - fieldsAt))));
      },
    };
  } catch {
    return undefined;
  }
};
