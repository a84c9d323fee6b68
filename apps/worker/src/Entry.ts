// Stored entries: fields, bodies, formats, encryption.
import { createRegistry, equals, type DescMessage, type Message } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { decode, decodeJson, encode, endpoints, schemaDigestHeader } from "@bytenite-engines/core/wire";
import { schemaDigests, type Format, type ReadName } from "@bytenite-engines/core/wire";
import { freshnessOf, parseDirectives, responseDirectives, splitList } from "@bytenite-engines/http-cache";
import { timeToLive, withVary } from "@bytenite-engines/http-cache";
import type { CacheEntry, ExchangeTimes, Freshness, StoredPart } from "@bytenite-engines/http-cache";
import { joined, type Bytes, type Lease } from "./Body.ts";
import { base64url, utf8 } from "./Identity.ts";

type Fields = ReadonlyArray<readonly [name: string, value: string]>;

export type EdgeStore = Pick<Cache, "match" | "put" | "delete">;

/** A Cache API that fails is as if it were not there, and what it has that cannot be read. */
export const orNothing = <A>(work: () => Promise<A> | undefined): Promise<A | undefined> =>
  (async () => await work())().catch(() => undefined);

export interface Answer {
  readonly status: number;
  readonly statusText?: string | undefined;
  readonly endpoint: ReadName | "other";
  readonly askedFormat: Format; // the requested format: part of the key
  /** The form of the bytes; undefined for a Content-Type that is neither, and for other paths. */
  readonly format: Format | undefined;
  readonly client: Fields; // fields for clients, without what changes with time or with the request; Age as received
  readonly bytes: Bytes;
  readonly stream?: ReadableStream<Bytes> | undefined; // where the bytes are too long to be read as a whole
  readonly freshness: Freshness | undefined;
  lease?: Lease | undefined; // the bytes in memory, while the request that fetched them is under way
}

export interface Entry extends Answer, CacheEntry {
  readonly freshness: Freshness;
  readonly owner: string; // digest of the owner's token; empty: everybody's
  readonly names: ReadonlyArray<string> | null; // names of the engines that it contains; null: unknown, perhaps any
  /** When the upstream was asked for it, or last confirmed it, in milliseconds since the epoch. */
  readonly fetchedAtMs: number;
  /** Of a 206: the part that the bytes are, and the Range of its request. */
  readonly part?: (StoredPart & { readonly askedRange: string }) | undefined;
  other?: Entry | "none" | undefined; // the other format, once requested; "none": it cannot be made
  /** Head of the last response from memory: it is the same within a second of its age. */
  prepared?: { readonly second: number; readonly mediaType: string; readonly head: Response } | undefined;
}

/** Targeted fields for a cache at Cloudflare's edge, the most specific one first (RFC 9213, 2.2). */
export const targetedFields: ReadonlyArray<string> = ["cloudflare-cdn-cache-control", "cdn-cache-control"];

/** Fields of the proxy's own, which pages may read and which replace those of the upstream. */
export const ownFields = "Server-Timing, X-Request-Id";

/** Fields of the upstream that nobody gets: replaced by our own, or what a server in front of this proxy would obey (paths of its files, lifetimes). */
export const notPassedOn = new RegExp(`^(?:${ownFields.replaceAll(", ", "|")}|x-accel-.*|x-sendfile)$`, "i");
/** Nor, in a response for one client: replaced by our own, or not for it. */
const notForClients =
  /^(?:access-control-(?:allow-.*|expose-headers|max-age)|alt-svc|(?:.*-)?cache-control|expires|pragma|set-cookie|surrogate-control)$/;
/** Nor, in a response of an endpoint: parts are not served, and the length may be that of another form. */
const notOfEndpoints = /^(?:accept-ranges|content-length)$/;
/** Directives for shared caches, and `private`, which is there anyway. */
const forShared = /^(?:private|public|s-maxage)\s*(?:=|$)/i;

export interface OwnFields {
  readonly browserMs: number; // lifetime for browsers, in milliseconds, where the upstream states none
  readonly freshness?: Freshness | undefined; // what this cache may do with the response, where it may store it
  readonly etag?: string | undefined;
  readonly isLost?: boolean | undefined; // whether the response is unusable, so that no client is to store it
}

/** The fields of a response for one client: no other cache may share it. `own` is undefined for other paths. */
export const clientFields = (status: number, received: Headers, times: ExchangeTimes, own?: OwnFields): Fields => {
  const fields = new Map(
    [...received].filter(
      ([name, value]) =>
        !notForClients.test(name) &&
        (own === undefined || !notOfEndpoints.test(name)) &&
        (name !== "age" || /^[0-9]+$/.test(value)),
    ),
  );
  // It adds to the upstream's own Cache-Control; ours contains it.
  const expires = received.get("expires");
  if (expires !== null && (received.get("cache-control") ?? "") !== "") fields.set("expires", expires);
  fields.set("cache-control", clientControl(status, received, times, own));
  const varies = own === undefined ? ["Authorization"] : ["Accept", "Authorization"];
  fields.set("vary", withVary(received.get("vary"), varies));
  if (own?.etag !== undefined) fields.set("etag", own.etag);
  return [...fields];
};

const maxAge = (ms: number): string => `private, max-age=${Math.floor(ms / 1000)}`;

/** Cache-Control for one client: as sent, else by Expires, else the lifetime for browsers, or less where this cache has less. */
const clientControl = (status: number, received: Headers, times: ExchangeTimes, own: OwnFields | undefined): string => {
  if (own?.isLost === true) return "private, no-store";
  const sent = splitList(received.get("cache-control") ?? "");
  if (sent.length > 0) return ["private", ...sent.filter((each) => !forShared.test(each))].join(", ");
  const stated = freshnessOf(status, received, responseDirectives(received, {}), times, {});
  if (stated.explicit) return maxAge(stated.lifetimeMs);
  const isOurs = own !== undefined && status === 200 && !responseDirectives(received, { targetedFields }).noStore;
  return isOurs ? maxAge(Math.min(own.browserMs, own.freshness?.lifetimeMs ?? Infinity)) : "private, no-store";
};

/** Digests of the bytes as they were sent (RFC 9530, and those before it): of other bytes they would be wrong. */
const digestFields: ReadonlyArray<string> = ["content-digest", "content-md5", "digest", "repr-digest"];

/** The fields of the bytes that are here: without a content coding that the runtime has decoded, in small letters only, and what belonged to it. */
export const asDecoded = (headers: Headers): Headers => {
  if (!/^\s*(?:gzip|br|identity)\s*$/.test(headers.get("content-encoding") ?? "")) return headers;
  const decoded = new Headers(headers);
  for (const name of ["content-encoding", "content-length", ...digestFields]) decoded.delete(name);
  return decoded;
};

export const fieldIn = (fields: Fields, name: string): string | undefined =>
  fields.find(([field]) => field === name.toLowerCase())?.[1];

/** A strong entity tag of bytes in a form: the first 16 bytes of their SHA-256. */
export const strongEtag = async (bytes: Bytes, format: Format | undefined): Promise<string> => {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).subarray(0, 16);
  return `"${format?.slice(0, 1) ?? "o"}${base64url(hash)}"`;
};

const fatalUtf8 = new TextDecoder("utf-8", { fatal: true });
const schemaOf = (endpoint: ReadName): DescMessage => endpoints[endpoint].response;

/** Whether an answer names our schema, so that its field numbers are known. */
const isOurs = (endpoint: ReadName, digest: string | null | undefined): boolean =>
  digest === schemaDigests[schemaOf(endpoint).typeName];

/** Names of the engines in a body; null: unknown. Undefined: neither a JSON object nor protobuf field after field to the last byte. */
export const namesOf = (
  endpoint: ReadName,
  format: Format | undefined,
  bytes: Uint8Array,
  digest: string | null,
): ReadonlyArray<string> | null | undefined => {
  try {
    if (bytes.byteLength === 0) return undefined;
    if (format !== "protobuf") {
      const value: unknown = JSON.parse(fatalUtf8.decode(bytes));
      return typeof value === "object" && value !== null && !Array.isArray(value) ? namesIn(value) : undefined;
    }
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [number, type] = reader.tag();
      reader.skip(type, number);
    }
    return isOurs(endpoint, digest) ? namesIn(decode(schemaOf(endpoint), bytes, "protobuf")) : null;
  } catch {
    return undefined;
  }
};

const namesIn = (value: object): ReadonlyArray<string> => {
  const { name, engines } = value as { readonly name?: unknown; readonly engines?: unknown };
  const listed = Array.isArray(engines) ? engines.map((engine: { name?: unknown } | null) => engine?.name) : [];
  return [...new Set([name, ...listed].filter((each) => typeof each === "string"))];
};

/** The bytes in the other form; undefined without our schema's digest, or where something would be lost: it has to read back equal. */
export const transcode = (
  endpoint: ReadName,
  bytes: Uint8Array<ArrayBuffer>,
  from: Format,
  digest: string | null | undefined,
): Uint8Array<ArrayBuffer> | undefined => {
  if (!isOurs(endpoint, digest) || bytes.byteLength === 0) return undefined;
  const schema = schemaOf(endpoint);
  const to = from === "protobuf" ? "json" : "protobuf";
  try {
    const message = from === "protobuf" ? decode(schema, bytes, "protobuf") : fromJson(schema, bytes);
    const transcoded = message && encode(schema, message, to);
    // Not everything survives JSON: a negative zero does not, nor does a field that the schema does not have.
    return transcoded &&
      equals(schema, decode(schema, transcoded, to), message, { unknown: true, registry: createRegistry() })
      ? transcoded
      : undefined;
  } catch {
    return undefined;
  }
};

const fromJson = (schema: DescMessage, bytes: Uint8Array): Message | undefined => {
  const { message, unknownFields } = decodeJson(schema, JSON.parse(fatalUtf8.decode(bytes)));
  return unknownFields.size > 0 ? undefined : message;
};

export const otherForm = (format: Format): Format => (format === "json" ? "protobuf" : "json");

/** Whether a response serves requests for this format: it has it, or was requested in it. */
export const hasForm = (answer: Answer, format: Format): boolean =>
  answer.endpoint === "other" || answer.format === format || answer.askedFormat === format;

export const formOf = (entry: Entry, format: Format): Entry | undefined =>
  hasForm(entry, format) ? entry : entry.other === "none" ? undefined : entry.other;

/** Longest body that is transcoded, in bytes: the message takes several times that. */
const maxTranscodedBytes = 1024 * 1024;

/** The entry in a form, made once. Undefined: not possible without loss, or by `no-transform` (RFC 9111, 5.2.2.6). */
export const inForm = async (entry: Entry, format: Format): Promise<Entry | undefined> => {
  if (!hasForm(entry, format) && entry.other === undefined) {
    const { endpoint, bytes, format: from, client, headers } = entry;
    const isPossible =
      endpoint !== "other" &&
      from !== undefined &&
      entry.status === 200 &&
      bytes.byteLength <= maxTranscodedBytes &&
      !parseDirectives(fieldIn(headers, "cache-control") ?? null).has("no-transform");
    const made = isPossible ? transcode(endpoint, bytes, from, fieldIn(client, schemaDigestHeader)) : undefined;
    entry.other = made === undefined ? "none" : otherOf(entry, made, format, await strongEtag(made, format));
  }
  return formOf(entry, format);
};

const otherOf = (entry: Entry, bytes: Bytes, format: Format, etag: string): Entry => {
  const client = entry.client.filter(([name]) => name !== "etag" && !digestFields.includes(name));
  const made = [...client, ["etag", etag] as const];
  return { ...entry, bytes, format, client: made, other: undefined, prepared: undefined, lease: undefined };
};

/** An entry that a soft purge lies on: it has to be validated, and is used only where the upstream fails. */
export const outdated = (entry: Entry): Entry => {
  const { other, freshness: before } = entry;
  const { lifetimeMs, staleIfErrorMs, neverStale } = before;
  const freshness = {
    ...before,
    lifetimeMs: 0,
    staleWhileRevalidateMs: 0,
    // As stale as it would be by its own lifetime, not more: the time for failures counts from there.
    staleIfErrorMs: neverStale ? staleIfErrorMs : lifetimeMs + staleIfErrorMs,
  };
  return { ...entry, freshness, prepared: undefined, other: typeof other === "object" ? outdated(other) : other };
};

export const isFresh = (entry: Entry, nowMs: number): boolean => timeToLive(entry.freshness, nowMs) > 0;

/** What is counted for an entry besides its bytes: objects, maps, and fields of so many characters. Measured, rounded up. */
const entryOverheadBytes = 2_000;
const usualFieldCharacters = 2_000;

export const sizeOf = ({ bytes, headers, client, other }: Entry): number => {
  const characters = [...headers, ...client].reduce((sum, [name, value]) => sum + name.length + value.length, 0);
  const beyond = Math.max(0, characters - usualFieldCharacters);
  return bytes.byteLength + entryOverheadBytes + beyond + (typeof other === "object" ? sizeOf(other) : 0);
};

/** Bytes of the initialisation vector of AES-GCM (NIST SP 800-38D, 8.2.2: random, 96 bits). */
const ivBytes = 12;
const lineFeed = 0x0a; // it ends the JSON, which has none itself

/** An entry as bytes that only the bearer of the owner's token can read, and only under this key. */
export const encryptEntry = async (key: string, entry: Entry, secret: CryptoKey): Promise<Bytes> => {
  const { bytes, other: _other, prepared: _prepared, lease: _lease, owner: _owner, ...rest } = entry;
  const text = utf8.encode(`${JSON.stringify([key, rest])}\n`);
  const iv = crypto.getRandomValues(new Uint8Array(ivBytes));
  const cipher = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, secret, joined([text, bytes]));
  return joined([iv, new Uint8Array(cipher)]);
};

/** The entry in encrypted bytes. Undefined: they are another owner's, another key's, or no entry. */
export const decryptEntry = (
  key: string,
  encrypted: ArrayBuffer,
  secret: CryptoKey,
  owner: string,
): Promise<Entry | undefined> =>
  orNothing(async () => {
    const iv = new Uint8Array(encrypted, 0, ivBytes);
    const data = new Uint8Array(encrypted, ivBytes);
    const plain = new Uint8Array(await crypto.subtle.decrypt({ name: "AES-GCM", iv }, secret, data));
    const end = plain.indexOf(lineFeed);
    const text = fatalUtf8.decode(plain.subarray(0, end));
    const [boundTo, rest] = JSON.parse(text) as [string, Omit<Entry, "bytes" | "owner">];
    return boundTo === key ? Object.assign(rest, { owner, bytes: plain.subarray(end + 1) }) : undefined;
  });
