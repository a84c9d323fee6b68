// Decoding of response bodies in their actual format.
import type { DescMessage, JsonValue, MessageShape } from "@bufbuild/protobuf";
import { formatOf } from "./MediaType.ts";
import { decodeJsonWithin } from "./JsonReader.ts";
import { readMessage } from "./MessageReader.ts";
import { defaultReadLimits, LimitExceeded, parseJson, type ReadLimits } from "./ReadLimits.ts";

/** A body: decoded JSON, or protobuf that is not verified yet. */
export type Reading<D extends DescMessage> =
  | {
      readonly format: "json";
      readonly message: MessageShape<D>;
      /** Unknown fields, by path. */
      readonly unknownFields: ReadonlyMap<string, JsonValue>;
    }
  | { readonly format: "protobuf"; readonly bytes: Uint8Array };

/** An undecodable body. */
export class UnreadableBody extends Error {}

/**
 * Reads a body by its Content-Type, and by its first byte where that contradicts: a JSON message begins with `{`, which no
 * protobuf message does (it would be a group). Throws UnreadableBody for anything that is neither, LimitExceeded for what unfolds
 * to too much. `mayBeEmpty`: no bytes may be an empty message in protobuf.
 */
export const read = <D extends DescMessage>(
  schema: D,
  contentType: string | null | undefined,
  bytes: Uint8Array,
  limits: ReadLimits = defaultReadLimits,
  mayBeEmpty = false,
): Reading<D> => {
  const labelled = formatOf(contentType);
  if (bytes.byteLength === 0) {
    if (labelled === "protobuf" && mayBeEmpty) return { format: "protobuf", bytes };
    throw new UnreadableBody("the body is empty");
  }
  // JSON other than an object is not tried as protobuf: `[]` would decode as revision 93.
  if (looksLikeJson(bytes) || labelled === "json") {
    const json = jsonIn(bytes, limits, labelled !== "json" && bytes[0] === 0x0a);
    if (json !== undefined) return readJson(schema, json, limits);
    // A line feed is JSON's white space, and also how a protobuf message with its first field begins.
    if (looksLikeJson(bytes) && bytes[0] !== 0x0a) throw new UnreadableBody("malformed JSON, or not in UTF-8");
  }
  if (labelled === undefined)
    throw new UnreadableBody(`its Content-Type is ${contentType ?? "missing"}, and it is no JSON`);
  if (labelled === "json" && !isProtobuf(schema, bytes, limits))
    throw new UnreadableBody("it is labelled JSON, and is none");
  return { format: "protobuf", bytes };
};

/** Whether the first byte after a byte order mark and JSON's white space is `{`. */
export const looksLikeJson = (bytes: Uint8Array): boolean => {
  let index = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
  while (bytes[index] === 0x20 || bytes[index] === 0x09 || bytes[index] === 0x0a || bytes[index] === 0x0d) index += 1;
  return bytes[index] === 0x7b;
};

/** The JSON, or undefined. LimitExceeded is ignored for bytes that may be protobuf. */
const jsonIn = (bytes: Uint8Array, limits: ReadLimits, isDoubtful: boolean): JsonValue | undefined => {
  try {
    return parseJson(bytes, limits);
  } catch (cause) {
    if (cause instanceof LimitExceeded && !isDoubtful) throw cause;
    return undefined;
  }
};

const readJson = <D extends DescMessage>(schema: D, json: JsonValue, limits: ReadLimits): Reading<D> => {
  try {
    return { format: "json", ...decodeJsonWithin(schema, json, limits) };
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw cause;
    throw new UnreadableBody(`its JSON is no ${schema.typeName}: ${cause instanceof Error ? cause.message : ""}`, {
      cause,
    });
  }
};

const isProtobuf = (schema: DescMessage, bytes: Uint8Array, limits: ReadLimits): boolean => {
  try {
    readMessage(schema, bytes, limits);
    return true;
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw cause;
    return false;
  }
};
