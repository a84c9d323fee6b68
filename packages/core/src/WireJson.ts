// Decides: how a message is written as JSON on this API, and how generously its JSON is read.
import {
  fromJson,
  ScalarType,
  toJson,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";

/** Deepest nesting of arrays and objects that is read; the API itself needs four levels. */
export const maxJsonDepth = 64;

/** A decoded message, and the paths of the keys that the schema does not know (`engines[0].newField`). */
export interface DecodedJson<D extends DescMessage> {
  readonly message: MessageShape<D>;
  readonly unknownKeys: ReadonlyArray<string>;
}

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

/**
 * Reads the JSON of a message. Tolerated: null for absent, unknown keys (counted), numbers and booleans as strings and
 * the reverse, proto names beside JSON names. Throws on anything that would have to be guessed, and past `maxJsonDepth`.
 */
export const decodeJson = <D extends DescMessage>(
  schema: D,
  json: JsonValue,
  maxDepth = maxJsonDepth,
): DecodedJson<D> => {
  const unknownKeys: Array<string> = [];
  const known = tolerated(schema, json, { path: "", depth: 0, maxDepth, unknownKeys });
  return { message: fromJson(schema, known, { ignoreUnknownFields: true }), unknownKeys };
};

const fieldsByName = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();
const namesOf = (schema: DescMessage): ReadonlyMap<string, DescField> => {
  let names = fieldsByName.get(schema);
  if (names === undefined) {
    names = new Map(schema.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]));
    fieldsByName.set(schema, names);
  }
  return names;
};

/** Where the reader stands, and what it has found that the schema does not know. */
interface Place {
  readonly path: string;
  readonly depth: number;
  readonly maxDepth: number;
  readonly unknownKeys: Array<string>;
}

const tolerated = (schema: DescMessage, json: JsonValue, place: Place): JsonValue => {
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw new TypeError(`${schema.typeName}${place.path === "" ? "" : ` at ${place.path}`} is not a JSON object`);
  }
  const names = namesOf(schema);
  const known: JsonObject = {};
  for (const key of Object.keys(json)) {
    const value = json[key];
    if (value === undefined) continue;
    const field = names.get(key);
    const at = { ...place, path: place.path === "" ? key : `${place.path}.${key}`, depth: place.depth + 1 };
    if (field === undefined) {
      assertDepth(value, at.depth, at.maxDepth);
      place.unknownKeys.push(at.path);
    } else if (value !== null) {
      known[field.jsonName] = toleratedField(field, value, at);
    }
  }
  return known;
};

const toleratedField = (field: DescField, value: JsonValue, place: Place): JsonValue => {
  if (place.depth > place.maxDepth) throw new RangeError(tooDeep(place.maxDepth));
  if (field.fieldKind === "list" && Array.isArray(value)) {
    return value.map((item, index) =>
      toleratedItem(field, item, { ...place, path: `${place.path}[${index}]`, depth: place.depth + 1 }),
    );
  }
  return toleratedItem(field, value, place);
};

const toleratedItem = (field: DescField, value: JsonValue, place: Place): JsonValue => {
  if (isPlainMessage(field)) return tolerated(field.message, value, place);
  switch (field.scalar) {
    case ScalarType.STRING:
      return typeof value === "number" || typeof value === "boolean" ? String(value) : value;
    case ScalarType.BOOL:
      return value === "true" ? true : value === "false" ? false : value;
    default:
      return value;
  }
};

const assertDepth = (value: JsonValue, depth: number, maxDepth: number): void => {
  if (depth > maxDepth) throw new RangeError(tooDeep(maxDepth));
  if (typeof value !== "object" || value === null) return;
  for (const child of Object.values(value)) if (child !== undefined) assertDepth(child, depth + 1, maxDepth);
};

const tooDeep = (maxDepth: number): string => `JSON nested deeper than maxJsonDepth = ${maxDepth}`;
