// Bodies of the engines API: validity, engines, the other format.
import { createRegistry, equals, type DescMessage, type Message } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { decode, decodeJson, encode, endpoints, schemaDigests } from "@bytenite-engines/core/wire";
import type { Format, ReadName } from "@bytenite-engines/core/wire";

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
