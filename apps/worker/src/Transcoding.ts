// Decides: whether an answer can be said in the other form without losing anything, and what it looks like there.
import { equals, type DescMessage, type Message } from "@bufbuild/protobuf";
import {
  decode,
  decodeJson,
  encode,
  endpoints,
  schemaDigestHeader,
  schemaDigests,
  type ReadName,
  type Format,
} from "@bytenite-engines/core/wire";
import { parseDirectives } from "@bytenite-engines/http-cache";
import type { Entry } from "./Entry.ts";

/** Names of stored fields are in lower case. */
const digestField = schemaDigestHeader.toLowerCase();

/** Believes the digest. */
export const byDigest = ({ endpoint, bytes, client }: Pick<Entry, "endpoint" | "bytes" | "client">) => {
  const schema: DescMessage = endpoints[endpoint].response;
  return client[digestField] === schemaDigests[schema.typeName] ? decode(schema, bytes, "protobuf") : undefined;
};

/** The bytes of an entry in its other form; undefined, too, where it is to reach clients as it is (RFC 9111, 5.2.2.6). */
export const transcodeEntry = (entry: Entry, from: Format): Uint8Array<ArrayBuffer> | undefined => {
  const { endpoint, bytes, client, received } = entry;
  const control = received.find(([name]) => name === "cache-control")?.[1];
  return parseDirectives(control).has("no-transform") ? undefined : transcode(endpoint, bytes, from, client);
};

/**
 * The bytes of an answer in the other form; undefined when something would be lost or is not certain: the numbers of the
 * upstream's protobuf are not, or are not ours where its JSON is to be written in them; the answer holds fields that the
 * schema does not know; or it does not decode.
 */
export const transcode = (
  endpoint: ReadName,
  bytes: Uint8Array<ArrayBuffer>,
  from: Format,
  fields: Readonly<Record<string, string>>,
  read: () => Message | undefined = () => byDigest({ endpoint, bytes, client: fields }),
): Uint8Array<ArrayBuffer> | undefined => {
  const schema: DescMessage = endpoints[endpoint].response;
  const digest = fields[digestField] ?? null;
  if (from === "json" && digest !== schemaDigests[schema.typeName]) return undefined;
  // To protobuf no bytes at all are a message with nothing in it; of this API they are an answer that got lost.
  if (bytes.byteLength === 0) return undefined;
  try {
    const message = from === "protobuf" ? read() : fromJson(schema, bytes);
    if (message === undefined || hasUnknownFields(message)) return undefined;
    const to = from === "protobuf" ? "json" : "protobuf";
    const transcoded = encode(schema, message, to);
    // Not everything survives JSON (a negative zero does not): what is kept is what was read back and found equal.
    return equals(schema, decode(schema, transcoded, to), message) ? transcoded : undefined;
  } catch {
    return undefined;
  }
};

const fatalUtf8 = new TextDecoder("utf-8", { fatal: true });

const fromJson = (schema: DescMessage, bytes: Uint8Array): Message | undefined => {
  const { message, unknownFields } = decodeJson(schema, JSON.parse(fatalUtf8.decode(bytes)));
  return unknownFields.size > 0 ? undefined : message;
};

/** Whether a message, or one inside it, carries fields that the schema does not know. */
const hasUnknownFields = (value: unknown): boolean => {
  if (Array.isArray(value)) return value.some(hasUnknownFields);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return false;
  const { $unknown } = value as { readonly $unknown?: ReadonlyArray<unknown> };
  return ($unknown !== undefined && $unknown.length > 0) || Object.values(value).some(hasUnknownFields);
};
