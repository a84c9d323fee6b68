// Comparison of protobuf bytes with a JSON value.
import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { readTimestamp } from "../gen/readers.ts";
import { MessageBytes } from "../MessageBytes.ts";
import { isPlain, isPopulated, sameBytes, sameLink, type Values } from "./Sameness.ts";
import { tryWireFields, wireTypeOf, type Encoding, type Occurrence, type WireFields } from "./WireFields.ts";

/** Whether a field of a nested message may have a number. */
export type Allowed = (message: DescMessage, field: DescField, number: number, encoding: Encoding) => boolean;

const alternatives: Partial<Record<ScalarType, ReadonlyArray<ScalarType>>> = {
  [ScalarType.INT32]: [ScalarType.INT32, ScalarType.SINT32, ScalarType.SFIXED32],
  [ScalarType.UINT32]: [ScalarType.UINT32, ScalarType.FIXED32],
  [ScalarType.INT64]: [ScalarType.INT64, ScalarType.SINT64, ScalarType.SFIXED64],
  [ScalarType.UINT64]: [ScalarType.UINT64, ScalarType.FIXED64],
};

/** Possible encodings of a field with the documented JSON: OpenAPI does not distinguish int32 from sint32. */
export const encodingsOf = (field: DescField): ReadonlyArray<Encoding> => {
  if (field.message !== undefined) return ["message"];
  return field.scalar === undefined ? [] : (alternatives[field.scalar] ?? [field.scalar]);
};

/**
 * Whether the occurrences of a number, in that encoding, can be the value of the field. Tolerates defaults that are written and queries of
 * signed links: a false "no" leads to wrong numbers, a false "yes" only to fewer certain ones.
 */
export const matches = (
  field: DescField,
  encoding: Encoding,
  occurrences: ReadonlyArray<Occurrence> | undefined,
  value: unknown,
  allowed: Allowed,
): boolean => {
  if (occurrences === undefined) return !isPopulated(value);
  if (field.fieldKind === "list")
    return listMatches(field, encoding, occurrences, value as ReadonlyArray<unknown>, allowed);
  if (occurrences.some(({ wireType }) => wireType !== wireTypeOf(encoding))) return false;
  if (field.fieldKind === "message") {
    const payloads = occurrences.map(({ data }) => data);
    return messageMatches(field.message, payloads, value as Values | undefined, allowed);
  }
  const last = occurrences.at(-1);
  return field.fieldKind === "scalar" && last !== undefined && scalarMatches(encoding as ScalarType, last.data, value);
};

/** Most messages of a list that are compared with the JSON. */
const maxItems = 256;

const listMatches = (
  field: DescField & { fieldKind: "list" },
  encoding: Encoding,
  occurrences: ReadonlyArray<Occurrence>,
  values: ReadonlyArray<unknown>,
  allowed: Allowed,
): boolean => {
  const wireType = wireTypeOf(encoding);
  if (field.message !== undefined) {
    const { message } = field;
    return (
      occurrences.length === values.length &&
      occurrences
        .slice(0, maxItems)
        .every(
          (occurrence, index) =>
            occurrence.wireType === wireType &&
            messageMatches(message, [occurrence.data], values[index] as Values, allowed),
        )
    );
  }
  const items: Array<Uint8Array> = [];
  for (const occurrence of occurrences) {
    if (occurrence.wireType === wireType) items.push(occurrence.data);
    else if (occurrence.wireType !== WireType.LengthDelimited || !unpack(wireType, occurrence.data, items))
      return false;
  }
  return (
    items.length === values.length &&
    items.every((data, index) => scalarMatches(encoding as ScalarType, data, values[index]))
  );
};

/** The items of a packed list. */
const unpack = (wireType: WireType, packed: Uint8Array, items: Array<Uint8Array>): boolean => {
  const reader = new BinaryReader(packed);
  try {
    while (reader.pos < reader.len) items.push(reader.skip(wireType));
    return true;
  } catch {
    return false;
  }
};

const utf8 = new TextEncoder();
const text = new TextDecoder();

const scalarMatches = (scalar: ScalarType, data: Uint8Array, value: unknown): boolean => {
  if (scalar === ScalarType.STRING)
    return sameBytes(data, utf8.encode(value as string)) || sameLink(value as string, text.decode(data));
  if (scalar === ScalarType.BYTES) return sameBytes(data, value as Uint8Array);
  try {
    const wire = new BinaryReader(data)[readers[scalar]]();
    // A message with other field numbers may have 2 here.
    if (scalar === ScalarType.BOOL) return BigInt(wire) === BigInt(value as boolean);
    // JSON has the shortest form of a binary32.
    const expected = scalar === ScalarType.FLOAT ? Math.fround(value as number) : value;
    return wire === expected || (Number.isNaN(wire) && Number.isNaN(expected));
  } catch {
    return false;
  }
};

const readers = {
  [ScalarType.BOOL]: "uint64",
  [ScalarType.DOUBLE]: "double",
  [ScalarType.FLOAT]: "float",
  [ScalarType.INT64]: "int64",
  [ScalarType.UINT64]: "uint64",
  [ScalarType.INT32]: "int32",
  [ScalarType.FIXED64]: "fixed64",
  [ScalarType.FIXED32]: "fixed32",
  [ScalarType.UINT32]: "uint32",
  [ScalarType.SFIXED32]: "sfixed32",
  [ScalarType.SFIXED64]: "sfixed64",
  [ScalarType.SINT32]: "sint32",
  [ScalarType.SINT64]: "sint64",
} as const;

const messageMatches = (
  message: DescMessage,
  payloads: ReadonlyArray<Uint8Array>,
  value: Values | undefined,
  allowed: Allowed,
): boolean => {
  if (value === undefined) return payloads.every(({ length }) => length === 0);
  if (isPlain(message)) {
    const wire = tryWireFields(payloads);
    return wire !== undefined && message.fields.every((field) => carried(message, field, wire, value, allowed));
  }
  return message.typeName === "google.protobuf.Timestamp" && payloads.every((payload) => isTimestamp(payload, value));
};

/** Whether a number of the nested message may be the field's, if the field must be on the wire. */
const carried = (
  message: DescMessage,
  field: DescField,
  wire: WireFields,
  values: Values,
  allowed: Allowed,
): boolean => {
  const value = values[field.localName];
  if (!isPopulated(value)) return true;
  for (const [number, occurrences] of wire) {
    for (const encoding of encodingsOf(field)) {
      if (allowed(message, field, number, encoding) && matches(field, encoding, occurrences, value, allowed))
        return true;
    }
  }
  return false;
};

const isTimestamp = (payload: Uint8Array, value: Values): boolean => {
  try {
    const wire = readTimestamp(new MessageBytes(payload), payload.length);
    const { seconds, nanos } = value as unknown as Timestamp;
    return wire.$unknown === undefined && wire.seconds === seconds && wire.nanos === nanos;
  } catch {
    return false;
  }
};
