// Text of field values in paths and queries.
import {
  isMessage,
  ScalarType,
  toJson,
  type DescEnum,
  type DescField,
  type DescMessage,
  type Message,
} from "@bufbuild/protobuf";
import { hasImplicitPresence } from "../Descriptor.ts";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import { attempted } from "../ReadLimits.ts";

/** How the value of a well-known type is written; apart, since most requests have none and protobuf-es's JSON writer is large. */
export type WellKnownText = (descriptor: DescMessage, value: unknown) => string;

/** What a message, or an object that one is made from, has in a field. */
export const localValue = (source: unknown, { oneof, localName }: DescField): unknown => {
  const values = source as Readonly<Record<string, unknown>> | undefined;
  if (oneof === undefined) return values?.[localName];
  const choice = values?.[oneof.localName] as { readonly case?: string; readonly value?: unknown } | undefined;
  return choice?.case === localName ? choice.value : undefined;
};

/** Whether a field has a value that travels: `isFieldSet` of protobuf-es, at a fifth of its size. */
export const isSet = (message: Message, field: DescField): boolean => {
  const value = localValue(message, field);
  if (field.oneof !== undefined) return value !== undefined;
  // A default of proto2 is on the prototype.
  if (!hasImplicitPresence(field)) return value !== undefined && Object.hasOwn(message, field.localName);
  if (field.fieldKind === "map") return Object.keys(value as object).length > 0;
  if (Array.isArray(value) || value instanceof Uint8Array) return value.length > 0;
  return field.scalar === ScalarType.STRING ? value !== "" : Number(value) !== 0;
};

/** An invalid value of a type; the message names the valid ones, e.g. `must be true or false`. */
export class FieldTextError extends Error {}

/** The text of a scalar: base64 for bytes, the shortest form for numbers. */
export const scalarText = (scalar: ScalarType, value: unknown): string => {
  if (value instanceof Uint8Array) return base64Encode(value);
  return String(scalar === ScalarType.FLOAT ? shortestFloat(value as number) : value);
};

/** Up to here every whole number is a binary32 of its own, so it is its own shortest form. */
const maxExactFloat = 2 ** 24;

/** The number with the fewest digits that reads back to the same binary32. */
export const shortestFloat = (value: number): number => {
  if (Number.isInteger(value) && Math.abs(value) <= maxExactFloat) return value;
  for (let digits = 1; digits <= 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === Math.fround(value)) return short;
  }
  return value;
};

const trueTexts = /^(?:1|t|T|TRUE|true|True)$/;
const falseTexts = /^(?:0|f|F|FALSE|false|False)$/;

/** The scalar in a text, as grpc-gateway reads it; whole numbers in decimal only. Throws FieldTextError. */
export const parseScalar = (scalar: ScalarType, text: string): string | number | bigint | boolean | Uint8Array => {
  switch (scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.BOOL:
      if (trueTexts.test(text)) return true;
      if (falseTexts.test(text)) return false;
      throw new FieldTextError("must be true or false");
    case ScalarType.BYTES: {
      // In a query a `+` has become a space; both alphabets are read, padded or not.
      const bytes = attempted(() => base64Decode(text.replaceAll(" ", "+")));
      if (bytes === undefined) throw new FieldTextError("must be base64");
      return bytes;
    }
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return parseFloating(scalar, text);
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return wholeNumber(text, -(2n ** 63n), 2n ** 63n - 1n);
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return wholeNumber(text, 0n, 2n ** 64n - 1n);
    case ScalarType.UINT32:
    case ScalarType.FIXED32:
      return Number(wholeNumber(text, 0n, 2n ** 32n - 1n));
    default:
      return Number(wholeNumber(text, -(2n ** 31n), 2n ** 31n - 1n));
  }
};

/** Throws FieldTextError for a value that is none of a scalar: of another kind, out of range, or ill-formed text. */
export const assertScalar = (scalar: ScalarType, value: unknown): void => {
  const kind = typeof value;
  switch (scalar) {
    case ScalarType.STRING:
      if (kind === "string" && (value as string).isWellFormed()) return;
      throw new FieldTextError("must be well-formed text");
    case ScalarType.BYTES:
      if (value instanceof Uint8Array) return;
      throw new FieldTextError("must be a Uint8Array");
    case ScalarType.BOOL:
      if (kind === "boolean") return;
      throw new FieldTextError("must be true or false");
    default: {
      const isKind = kind === "number" || (isLong(scalar) && (kind === "bigint" || kind === "string"));
      parseScalar(scalar, isKind ? String(value) : "");
    }
  }
};

/** Whether it is an integer of 64 bits. */
export const isLong = (scalar: ScalarType | undefined): boolean => longs.has(scalar);

const longs: ReadonlySet<ScalarType | undefined> = /* @__PURE__ */ new Set([
  ScalarType.INT64,
  ScalarType.UINT64,
  ScalarType.SINT64,
  ScalarType.FIXED64,
  ScalarType.SFIXED64,
]);

/** Longest decimal that is read; no 64-bit number has more digits, without leading zeros. */
const maxDigits = 40;

const wholeNumber = (text: string, least: bigint, most: bigint): bigint => {
  const value = text.length <= maxDigits && /^-?[0-9]+$/.test(text) ? BigInt(text) : undefined;
  if (value === undefined || value < least || value > most)
    throw new FieldTextError(`must be a whole number from ${least} to ${most}`);
  return value;
};

const parseFloating = (scalar: ScalarType, text: string): number => {
  if (/^[-+]?(?:Inf|Infinity)$/.test(text)) return text.startsWith("-") ? -Infinity : Infinity;
  if (text === "NaN") return Number.NaN;
  const value = /^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$/.test(text) ? Number(text) : Number.NaN;
  const rounded = scalar === ScalarType.FLOAT ? Math.fround(value) : value;
  if (!Number.isFinite(rounded)) throw new FieldTextError("must be a number");
  return rounded;
};

/** The name of an enum value; its number where it has none. */
export const enumText = (descriptor: DescEnum, value: number): string => descriptor.value[value]?.name ?? String(value);

/** The enum value with a name or number. Throws FieldTextError. */
export const parseEnum = (descriptor: DescEnum, text: string): number => {
  const named = descriptor.values.find(({ name }) => name === text);
  if (named !== undefined) return named.number;
  const isNumber = /^-?[0-9]{1,10}$/.test(text);
  if (!isNumber || (!descriptor.open && descriptor.value[Number(text)] === undefined))
    throw new FieldTextError(`must be a value of ${descriptor.typeName}`);
  return Number(parseScalar(ScalarType.INT32, text));
};

/** Throws FieldTextError for a value that is not a number of the enum. */
export const assertEnum = (descriptor: DescEnum, value: unknown): void =>
  void parseEnum(descriptor, typeof value === "number" ? String(value) : "");

/** Well-known types with one value in JSON, allowed in a path or query. */
const textualTypes: ReadonlySet<string> = /* @__PURE__ */ new Set(
  "Timestamp Duration FieldMask Struct Value ListValue DoubleValue FloatValue Int64Value UInt64Value Int32Value UInt32Value BoolValue StringValue BytesValue"
    .split(" ")
    .map((name) => `google.protobuf.${name}`),
);

/** Whether a message is one text in JSON: Timestamp, Duration, FieldMask, the wrappers, Struct, Value, ListValue. */
export const isTextual = ({ typeName }: DescMessage): boolean => textualTypes.has(typeName);

/**
 * The JSON form of a value of a well-known type, without the quotes of a string; a FieldMask has proto names. The value is as protobuf-es keeps it in a
 * field: wrappers and Structs are often not messages there.
 */
export const wellKnownText: WellKnownText = (descriptor, value) => {
  const wrapped = wrappedScalar(descriptor);
  if (wrapped !== undefined) return scalarText(wrapped, isMessage(value) ? (value as Wrapper).value : value);
  if (!isMessage(value)) return JSON.stringify(value);
  // Proto names: grpc-gateway requires them, and readers of the JSON form accept them.
  if (isMessage(value, FieldMaskSchema)) return value.paths.join(",");
  const json = toJson(descriptor, value);
  return typeof json === "string" && descriptor.typeName !== "google.protobuf.Value" ? json : JSON.stringify(json);
};

type Wrapper = Message & { readonly value: unknown };

/** The type of the value in a wrapper. */
export const wrappedScalar = (descriptor: DescMessage): ScalarType | undefined =>
  descriptor.typeName.endsWith("Value") && descriptor.fields.length === 1 ? descriptor.fields[0]?.scalar : undefined;
