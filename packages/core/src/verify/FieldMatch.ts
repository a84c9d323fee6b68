// Comparison of protobuf with JSON.
import { ScalarType, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { attempted } from "../ReadLimits.ts";
import { tryWireFields, wireTypeOf, type Encoding, type Occurrence, type WireFields } from "./WireFields.ts";

/** A message by the local names of its fields. */
export type Values = Readonly<Record<string, unknown>>;

/** A message that is an object in JSON, unlike a Timestamp. */
export const isPlain = (message: DescMessage): boolean => !message.typeName.startsWith("google.protobuf.");

/** Whether a value must be on the wire: set messages, and scalars that are not zero or empty. */
export const isPopulated = (value: unknown): boolean =>
  Array.isArray(value) || value instanceof Uint8Array ? value.length > 0 : Boolean(value) || Number.isNaN(value);

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);

/** Whether two links differ at most in their query, which has the signature. */
const address = /^https?:[^?]*\?/;
export const sameLink = (a: string, b: string): boolean => {
  const [start] = address.exec(a) ?? [];
  return start !== undefined && b.startsWith(start);
};

/** Whether protobuf and JSON of a message are equal in all fields of the schema. */
export const sameMessage = (schema: DescMessage, protobuf: Message, json: Message): boolean =>
  schema.fields.every((field) => {
    const a = (protobuf as unknown as Values)[field.localName];
    const b = (json as unknown as Values)[field.localName];
    if (!Array.isArray(a)) return sameItem(field, a, b);
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => sameItem(field, item, b[index]));
  });

const sameItem = (field: DescField, a: unknown, b: unknown): boolean => {
  if (field.message !== undefined && a !== undefined && b !== undefined) {
    return sameMessage(field.message, a as Message, b as Message);
  }
  if (a instanceof Uint8Array) return sameBytes(a, b as Uint8Array);
  if (typeof a === "string") return a === b || sameLink(a, b as string);
  // JSON has the shortest form of a binary32.
  return Object.is(field.scalar === ScalarType.FLOAT ? Math.fround(b as number) : b, a) || a === b;
};

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

/** Its encoding in our contract. */
export const ownEncoding = (field: DescField): Encoding => encodingsOf(field)[0] ?? "message";

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
    const isSame = ({ wireType: of, data }: Occurrence, index: number): boolean =>
      of === wireType && messageMatches(message, [data], values[index] as Values, allowed);
    return occurrences.length === values.length && occurrences.slice(0, maxItems).every(isSame);
  }
  const items: Array<Uint8Array> = [];
  const isWellFormed = occurrences.every(({ wireType: of, data }) => {
    if (of === wireType) return items.push(data);
    if (of !== WireType.LengthDelimited) return false;
    return attempted(() => {
      const packed = new BinaryReader(data);
      while (packed.pos < packed.len) items.push(packed.skip(wireType));
      return true;
    });
  });
  const isSame = (data: Uint8Array, index: number): boolean =>
    scalarMatches(encoding as ScalarType, data, values[index]);
  return isWellFormed && items.length === values.length && items.every(isSame);
};

const utf8 = new TextEncoder();
const text = new TextDecoder();

const scalarMatches = (scalar: ScalarType, data: Uint8Array, value: unknown): boolean => {
  if (scalar === ScalarType.STRING)
    return sameBytes(data, utf8.encode(value as string)) || sameLink(value as string, text.decode(data));
  if (scalar === ScalarType.BYTES) return sameBytes(data, value as Uint8Array);
  // A message with other field numbers may have 2 where there is a boolean.
  const method = scalar === ScalarType.BOOL ? "uint64" : ScalarType[scalar].toLowerCase();
  const wire = attempted(() => new BinaryReader(data)[method as "uint64" | "double"]());
  if (wire === undefined) return false;
  if (scalar === ScalarType.BOOL) return BigInt(wire) === BigInt(value as boolean);
  // JSON has the shortest form of a binary32.
  const expected = scalar === ScalarType.FLOAT ? Math.fround(value as number) : value;
  return wire === expected || (Number.isNaN(wire) && Number.isNaN(expected));
};

const messageMatches = (
  message: DescMessage,
  payloads: ReadonlyArray<Uint8Array>,
  value: Values | undefined,
  allowed: Allowed,
): boolean => {
  if (value === undefined) return payloads.every(({ length }) => length === 0);
  const wire = tryWireFields(payloads);
  if (wire === undefined) return false;
  if (isPlain(message)) return message.fields.every((field) => carried(message, field, wire, value, allowed));
  // The numbers of Google's messages are public.
  const { fields } = message;
  return (
    message.typeName === "google.protobuf.Timestamp" &&
    [...wire.keys()].every((number) => fields.some((field) => field.number === number)) &&
    fields.every((field) => matches(field, ownEncoding(field), wire.get(field.number), value[field.localName], allowed))
  );
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
  return [...wire].some(([number, occurrences]) =>
    encodingsOf(field).some(
      (encoding) => allowed(message, field, number, encoding) && matches(field, encoding, occurrences, value, allowed),
    ),
  );
};
