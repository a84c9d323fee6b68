// Codec of the engines API's messages, without protobuf-es.
import type { Message } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import { binaryErrors } from "../BinaryErrors.ts";
import { newMessage } from "../Descriptor.ts";
import { EngineMessageSchema } from "../gen/descriptors.ts";
import { isSet } from "../http-rule/FieldText.ts";
import type { PathField } from "../http-rule/HttpRule.ts";
import { decodeJsonWithin } from "../JsonReader.ts";
import type { Format } from "../MediaType.ts";
import { readMessage } from "../MessageReader.ts";
import type { MessageCodec } from "../Reading.ts";

/** Reads all messages, and writes the only one that is a body: EngineMessage. */
export const engineCodec: MessageCodec = {
  create: newMessage,
  encode: (_schema, message, { pathFields }, format) => encoded(message, pathFields, format),
  readJson: decodeJsonWithin,
  readProtobuf: readMessage,
  errors: binaryErrors,
  around: ({ typeName }) => {
    throw new TypeError(`no answer is a field of ${typeName}`);
  },
  wellKnown: undefined,
};

/**
 * An EngineMessage has text and bytes only. By hand, into one buffer: protobuf-es's writer is as large as this file, and a string of
 * base64 for a large archive takes many times its memory.
 */
const encoded = (message: Message, pathFields: ReadonlyArray<PathField>, format: Format): Uint8Array<ArrayBuffer> => {
  const utf8 = new TextEncoder();
  const values = message as unknown as Readonly<Record<string, string | Uint8Array>>;
  const pieces: Array<Uint8Array | Base64> = [];
  for (const field of EngineMessageSchema.fields) {
    if (!isSet(message, field) || pathFields.some(({ name }) => name === field.name)) continue;
    const value = values[field.localName] ?? "";
    if (format === "protobuf") {
      const bytes = typeof value === "string" ? utf8.encode(value) : value;
      pieces.push(Uint8Array.of(field.number * 8 + lengthDelimited, ...varint(bytes.byteLength)), bytes);
      continue;
    }
    const name = `${pieces.length === 0 ? "{" : ","}${JSON.stringify(field.jsonName)}:`;
    if (typeof value === "string") pieces.push(utf8.encode(name + JSON.stringify(value)));
    else pieces.push(utf8.encode(`${name}"`), { base64: value }, utf8.encode('"'));
  }
  if (format === "json") pieces.push(utf8.encode(pieces.length === 0 ? "{}" : "}"));
  return joined(pieces);
};

/** Bytes that are written as base64. */
interface Base64 {
  readonly base64: Uint8Array;
}

const joined = (pieces: ReadonlyArray<Uint8Array | Base64>): Uint8Array<ArrayBuffer> => {
  const lengths = pieces.map((piece) =>
    "base64" in piece ? Math.ceil(piece.base64.byteLength / 3) * 4 : piece.byteLength,
  );
  const whole = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
  let offset = 0;
  for (const [index, piece] of pieces.entries()) {
    if ("base64" in piece) writeBase64(piece.base64, whole, offset);
    else whole.set(piece, offset);
    offset += lengths[index] as number;
  }
  return whole;
};

/** Bytes that become one string of base64 at a time; whole triples. */
const bytesAtOnce = 49_152;

const writeBase64 = (bytes: Uint8Array, into: Uint8Array, start: number): void => {
  for (let at = 0; at < bytes.length; at += bytesAtOnce) {
    const text = base64Encode(bytes.subarray(at, at + bytesAtOnce));
    new TextEncoder().encodeInto(text, into.subarray(start + (at / 3) * 4));
  }
};

/** The wire type of text and bytes. */
const lengthDelimited = 2;

const varint = (value: number): ReadonlyArray<number> =>
  value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...varint(Math.floor(value / 0x80))];
