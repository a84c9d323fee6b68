// Tolerant JSON reader for messages.
import { ScalarType, type DescField, type DescMessage, type JsonValue, type MessageShape } from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { newMessage } from "./Descriptor.ts";
import { maxFloat } from "./http-rule/FieldText.ts";
import { attempted, defaultReadLimits, LimitExceeded, tooDeep, type ReadLimits } from "./ReadLimits.ts";
import { parseTimestamp } from "./Timestamp.ts";

/** Deepest nesting of arrays and objects that is read by default; the API itself needs four levels. */
export const maxJsonDepth = defaultReadLimits.maxJsonDepth;

/** A decoded message, and its unknown members by path (`engines[0].newField`). */
export interface DecodedJson<D extends DescMessage> {
  readonly message: MessageShape<D>;
  readonly unknownFields: ReadonlyMap<string, JsonValue>;
}

/**
 * Reads the JSON of a message. Tolerated: null for absent, unknown keys (kept in the result), numbers and booleans as
 * strings and the reverse, proto names as well as JSON names, both alphabets of base64, offsets and nine digits in timestamps.
 * Throws TypeError or RangeError, with the path, on anything that would have to be guessed, and past `maxDepth`.
 */
export const decodeJson = <D extends DescMessage>(
  schema: D,
  json: JsonValue,
  maxDepth = maxJsonDepth,
): DecodedJson<D> => decodeJsonWithin(schema, json, { ...defaultReadLimits, maxJsonDepth: maxDepth });

/** The same, within all limits. Throws LimitExceeded past one. */
export const decodeJsonWithin = <D extends DescMessage>(
  schema: D,
  json: JsonValue,
  limits: ReadLimits,
): DecodedJson<D> => {
  const unknownFields = new Map<string, JsonValue>();
  const place: Place = { path: "", depth: 0, limits, count: { items: 0 }, unknownFields };
  return { message: readMessage(schema, json, place) as MessageShape<D>, unknownFields };
};

/** State of the reader, with unknown members. */
interface Place {
  readonly path: string;
  readonly depth: number;
  readonly limits: ReadLimits;
  /** Messages, list items and unknown fields so far. */
  readonly count: { items: number };
  readonly unknownFields: Map<string, JsonValue>;
}

const fieldsByName = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();
const namesOf = (schema: DescMessage): ReadonlyMap<string, DescField> => {
  let names = fieldsByName.get(schema);
  if (names === undefined) {
    names = new Map(schema.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]));
    fieldsByName.set(schema, names);
  }
  return names;
};

const readMessage = (schema: DescMessage, json: JsonValue, place: Place): unknown => {
  if (schema.typeName === "google.protobuf.Timestamp") return readTimestamp(json, place);
  if (typeof json !== "object" || json === null || Array.isArray(json)) throw wrong(place, "a JSON object", json);
  countItem(place);
  const names = namesOf(schema);
  const message = newMessage(schema) as unknown as Record<string, unknown>;
  for (const key of Object.keys(json)) {
    const value = json[key];
    if (value === undefined) continue;
    const field = names.get(key);
    const at: Place = { ...place, path: place.path === "" ? key : `${place.path}.${key}`, depth: place.depth + 1 };
    if (field === undefined) {
      assertDepth(value, at);
      countItem(at);
      place.unknownFields.set(at.path, value);
    } else if (value !== null) {
      message[field.localName] = readField(field, value, at);
    }
  }
  return message;
};

const readField = (field: DescField, json: JsonValue, place: Place): unknown => {
  if (place.depth > place.limits.maxJsonDepth) throw tooDeep(place.limits.maxJsonDepth);
  if (field.fieldKind !== "list") return readValue(field, json, place);
  if (!Array.isArray(json)) throw wrong(place, "a JSON array", json);
  const { maxEnginesPerPage } = place.limits;
  if (field.message !== undefined && json.length > maxEnginesPerPage)
    throw new LimitExceeded("maxEnginesPerPage", maxEnginesPerPage);
  return json.map((item, index) => {
    // A message is counted where it is read.
    if (field.message === undefined) countItem(place);
    return readValue(field, item, { ...place, path: `${place.path}[${index}]`, depth: place.depth + 1 });
  });
};

const readValue = (field: DescField, json: JsonValue, place: Place): unknown =>
  field.message === undefined ? readScalar(field.scalar, json, place) : readMessage(field.message, json, place);

const readScalar = (scalar: ScalarType | undefined, json: JsonValue, place: Place): unknown => {
  switch (scalar) {
    case ScalarType.STRING:
      if (typeof json === "string") {
        // Half a surrogate pair is not a character, and protobuf could not carry it.
        if (json.isWellFormed()) return json;
        throw wrong(place, "well-formed text", json);
      }
      if (typeof json === "number" || typeof json === "boolean") return String(json);
      throw wrong(place, "text", json);
    case ScalarType.BOOL:
      if (typeof json === "boolean") return json;
      if (json === "true" || json === "false") return json === "true";
      throw wrong(place, "true or false", json);
    case ScalarType.BYTES:
      return readBytes(json, place);
    case ScalarType.INT32:
      return readInteger(json, -0x8000_0000, 0x7fff_ffff, place);
    case ScalarType.UINT32:
      return readInteger(json, 0, 0xffff_ffff, place);
    case ScalarType.FLOAT:
      return readFloat(json, place);
    default:
      // No message of this API has another type; a contract that gains one fails its tests here.
      throw new TypeError(`no reader for the type of ${place.path}`);
  }
};

const readInteger = (json: JsonValue, least: number, most: number, place: Place): number => {
  const value = readNumber(json);
  if (!Number.isInteger(value) || value < least || value > most) {
    throw wrong(place, `a whole number from ${least} to ${most}`, json);
  }
  return value;
};

const readFloat = (json: JsonValue, place: Place): number => {
  if (json === "NaN") return Number.NaN;
  if (json === "Infinity" || json === "-Infinity") return Number(json);
  const value = Math.fround(readNumber(json));
  if (!(Math.abs(value) <= maxFloat)) throw wrong(place, "a number that a float can hold", json);
  return value;
};

const readNumber = (json: JsonValue): number => {
  if (typeof json === "number") return json;
  return typeof json === "string" && json !== "" && json.trim() === json ? Number(json) : Number.NaN;
};

const readBytes = (json: JsonValue, place: Place): Uint8Array => {
  const bytes = typeof json === "string" ? attempted(() => base64Decode(json)) : undefined;
  if (bytes === undefined) throw wrong(place, "base64", json);
  return bytes;
};

const readTimestamp = (json: JsonValue, place: Place): unknown => {
  const timestamp = typeof json === "string" ? parseTimestamp(json) : undefined;
  if (timestamp === undefined) throw wrong(place, "a moment of RFC 3339 from year 1 to 9999", json);
  return timestamp;
};

const countItem = ({ limits, count }: Place): void => {
  count.items += 1;
  if (count.items > limits.maxItems) throw new LimitExceeded("maxItems", limits.maxItems);
};

const assertDepth = (value: JsonValue, place: Place): void => {
  if (place.depth > place.limits.maxJsonDepth) throw tooDeep(place.limits.maxJsonDepth);
  if (typeof value !== "object" || value === null) return;
  const below = { ...place, depth: place.depth + 1 };
  for (const child of Object.values(value)) if (child !== undefined) assertDepth(child, below);
};

/** The type of a value, which itself may be a secret. */
const wrong = ({ path }: Place, expected: string, found: JsonValue): TypeError => {
  const kind = found === null ? "null" : Array.isArray(found) ? "array" : typeof found;
  return new TypeError(`${path === "" ? "the message" : path} must be ${expected}, and is of the kind ${kind}`);
};
