// Decides: how a message is written as JSON on this API.
import {
  ScalarType,
  toJson,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";

/**
 * The JSON of a message as grpc-gateway writes it: every field, in declaration order; zero values as they are, unset
 * messages and timestamps as null, empty lists as []. A float is printed in the shortest form that reads back to the
 * same binary32 (0.1, not 0.10000000149011612).
 */
export const encodeJson = <D extends DescMessage>(schema: D, message: MessageShape<D>): JsonObject =>
  completed(schema, toJson(schema, message, { alwaysEmitImplicit: true }) as JsonObject);

const completed = (schema: DescMessage, json: JsonObject): JsonObject => {
  const whole: JsonObject = {};
  for (const field of schema.fields) whole[field.jsonName] = completedField(field, json[field.jsonName]);
  return whole;
};

const completedField = (field: DescField, value: JsonValue | undefined): JsonValue => {
  if (value === undefined) return null;
  if (isPlainMessage(field)) {
    return Array.isArray(value)
      ? value.map((item) => completed(field.message, item as JsonObject))
      : completed(field.message, value as JsonObject);
  }
  if (field.scalar === ScalarType.FLOAT) return Array.isArray(value) ? value.map(shortestFloat) : shortestFloat(value);
  return value;
};

/** A message whose JSON is an object of its fields, which a Timestamp is not. */
const isPlainMessage = (field: DescField): field is DescField & { message: DescMessage } =>
  field.message !== undefined && !field.message.typeName.startsWith("google.protobuf.");

/** Up to here every whole number is a binary32 of its own, so it is its own shortest form. */
const maxExactFloat = 2 ** 24;

const shortestFloat = (value: JsonValue): JsonValue => {
  if (typeof value !== "number" || (Number.isInteger(value) && Math.abs(value) <= maxExactFloat)) return value;
  const binary32 = Math.fround(value);
  for (let digits = 1; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits));
    if (Math.fround(candidate) === binary32) return candidate;
  }
  return value;
};
