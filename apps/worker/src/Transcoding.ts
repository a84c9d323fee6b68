// Bodies of the engines API: validity, engines, the other format.
import { equals, type DescMessage, type Message } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import {
  decode,
  decodeJson,
  encode,
  endpoints,
  schemaDigestHeader,
  schemaDigests,
  type Format,
  type ReadName,
} from "@bytenite-engines/core/wire";

export interface BodyContent {
  /** Whether it is a JSON object, or protobuf field after field to the last byte; an empty body is neither. */
  readonly isReadable: boolean;
  /** Names of the engines in it; null where that cannot be read. */
  readonly names: ReadonlyArray<string> | null;
}

const fatalUtf8 = new TextDecoder("utf-8", { fatal: true });

const schemaOf = (endpoint: ReadName): DescMessage => endpoints[endpoint].response;

/** Whether an answer names our schema, so that its field numbers are known. */
const isOurs = (endpoint: ReadName, digest: string | null | undefined): boolean =>
  digest === schemaDigests[schemaOf(endpoint).typeName];

/** The schema digest in stored fields, whose names are in lower case. */
export const digestIn = (fields: Readonly<Record<string, string>>): string | undefined =>
  fields[schemaDigestHeader.toLowerCase()];

/** Looks into a body. A format that is neither form is looked at as JSON. */
export const contentOf = (
  endpoint: ReadName,
  format: Format | undefined,
  bytes: Uint8Array,
  digest: string | null,
): BodyContent => {
  try {
    if (bytes.byteLength === 0) return { isReadable: false, names: null };
    if (format !== "protobuf") {
      const value: unknown = JSON.parse(fatalUtf8.decode(bytes));
      const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
      return { isReadable: isObject, names: isObject ? namesIn(value) : null };
    }
    const reader = new BinaryReader(bytes);
    while (reader.pos < reader.len) {
      const [number, type] = reader.tag();
      reader.skip(type, number);
    }
    return {
      isReadable: true,
      names: isOurs(endpoint, digest) ? namesIn(decode(schemaOf(endpoint), bytes, "protobuf")) : null,
    };
  } catch {
    return { isReadable: false, names: null };
  }
};

const namesIn = (value: object): ReadonlyArray<string> => {
  const { name, engines } = value as { readonly name?: unknown; readonly engines?: unknown };
  const listed = Array.isArray(engines) ? engines.map((engine) => (engine as { name?: unknown } | null)?.name) : [];
  return [...new Set([name, ...listed].filter((each) => typeof each === "string"))];
};

/**
 * The bytes of an answer in the other form; undefined where something would be lost or is uncertain: the answer does not name our
 * schema, has fields that it does not have, or does not read back equal.
 */
export const transcode = (
  endpoint: ReadName,
  bytes: Uint8Array<ArrayBuffer>,
  from: Format,
  digest: string | undefined,
): Uint8Array<ArrayBuffer> | undefined => {
  if (!isOurs(endpoint, digest) || bytes.byteLength === 0) return undefined;
  const schema = schemaOf(endpoint);
  try {
    const message = from === "protobuf" ? decode(schema, bytes, "protobuf") : fromJson(schema, bytes);
    if (message === undefined || hasUnknownFields(message)) return undefined;
    const to = from === "protobuf" ? "json" : "protobuf";
    const transcoded = encode(schema, message, to);
    // Not everything survives JSON (a negative zero does not).
    return equals(schema, decode(schema, transcoded, to), message) ? transcoded : undefined;
  } catch {
    return undefined;
  }
};

const fromJson = (schema: DescMessage, bytes: Uint8Array): Message | undefined => {
  const { message, unknownFields } = decodeJson(schema, JSON.parse(fatalUtf8.decode(bytes)));
  return unknownFields.size > 0 ? undefined : message;
};

const hasUnknownFields = (value: unknown): boolean => {
  if (Array.isArray(value)) return value.some(hasUnknownFields);
  if (typeof value !== "object" || value === null || value instanceof Uint8Array) return false;
  const { $unknown } = value as { readonly $unknown?: ReadonlyArray<unknown> };
  return ($unknown !== undefined && $unknown.length > 0) || Object.values(value).some(hasUnknownFields);
};
