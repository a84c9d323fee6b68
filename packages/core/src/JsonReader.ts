// Tolerant JSON reader for messages.
import {
  ScalarType,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { base64Decode } from "@bufbuild/protobuf/wire";
import { namesOf, newMessage } from "./Descriptor.ts";
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
  const reading: JsonReading = { limits, unknownFields: new Map(), items: 0 };
  const message = readMessage(schema, json, "", 0, reading) as MessageShape<D>;
  return { message, unknownFields: reading.unknownFields };
};

/** State of a reader of JSON. */
export interface JsonReading {
  readonly limits: ReadLimits;
  readonly unknownFields: Map<string, JsonValue>;
  /** Messages, list items and unknown fields so far. */
  items: number;
}

/** Counts items. Throws LimitExceeded where there are too many. */
export const countItems = (reading: JsonReading, items = 1): void => {
  reading.items += items;
  if (reading.items > reading.limits.maxItems) throw new LimitExceeded("maxItems", reading.limits.maxItems);
};

/** Throws LimitExceeded where the JSON nests too deeply. */
export const assertDepth = (depth: number, { limits: { maxJsonDepth } }: JsonReading): void => {
  if (depth > maxJsonDepth) throw tooDeep(maxJsonDepth);
};

/** Goes through any JSON, each value of which counts as so many items. */
export const examineAny = (json: JsonValue, depth: number, reading: JsonReading, itemsPerValue: number): void => {
  assertDepth(depth, reading);
  countItems(reading, itemsPerValue);
  if (isContainer(json)) for (const [, value] of membersOf(json)) examineAny(value, depth + 1, reading, itemsPerValue);
};

/** Whether it is an object or an array. */
export const isContainer = (json: JsonValue): json is JsonObject | Array<JsonValue> =>
  typeof json === "object" && json !== null;

/** One after the other: a list of them would take memory before they are counted. */
export function* membersOf(json: JsonObject | Array<JsonValue>): Generator<readonly [name: string, value: JsonValue]> {
  if (Array.isArray(json)) for (const [index, value] of json.entries()) yield [String(index), value];
  else for (const name in json) if (json[name] !== undefined) yield [name, json[name]];
}

const readMessage = (
  schema: DescMessage,
  json: JsonValue,
  path: string,
  depth: number,
  reading: JsonReading,
): unknown => {
  if (schema.typeName === "google.protobuf.Timestamp") return readTimestamp(json, path);
  if (!isContainer(json) || Array.isArray(json)) throw wrong(path, "a JSON object", json);
  countItems(reading);
  const names = namesOf(schema);
  const message = newMessage(schema) as unknown as Record<string, unknown>;
  for (const key of Object.keys(json)) {
    const value = json[key];
    if (value === undefined) continue;
    const field = names.get(key);
    const at = path === "" ? key : `${path}.${key}`;
    if (field === undefined) {
      examineAny(value, depth + 1, reading, 0);
      countItems(reading);
      reading.unknownFields.set(at, value);
    } else if (value !== null) message[field.localName] = readField(field, value, at, depth + 1, reading);
  }
  return message;
};

const readField = (field: DescField, json: JsonValue, path: string, depth: number, reading: JsonReading): unknown => {
  assertDepth(depth, reading);
  if (field.fieldKind !== "list") return readValue(field, json, path, depth, reading);
  if (!Array.isArray(json)) throw wrong(path, "a JSON array", json);
  const { maxEnginesPerPage } = reading.limits;
  if (field.message !== undefined && json.length > maxEnginesPerPage)
    throw new LimitExceeded("maxEnginesPerPage", maxEnginesPerPage);
  return json.map((item, index) => {
    // A message is counted where it is read.
    if (field.message === undefined) countItems(reading);
    return readValue(field, item, `${path}[${index}]`, depth + 1, reading);
  });
};

const readValue = (field: DescField, json: JsonValue, path: string, depth: number, reading: JsonReading): unknown =>
  field.message === undefined
    ? readScalar(field.scalar, json, path)
    : readMessage(field.message, json, path, depth, reading);

const readScalar = (scalar: ScalarType | undefined, json: JsonValue, path: string): unknown => {
  switch (scalar) {
    case ScalarType.STRING:
      if (typeof json === "number" || typeof json === "boolean") return String(json);
      if (typeof json !== "string") throw wrong(path, "text", json);
      // Half a surrogate pair is not a character, and protobuf could not carry it.
      if (!json.isWellFormed()) throw wrong(path, "well-formed text", json);
      return json;
    case ScalarType.BOOL:
      if (typeof json === "boolean") return json;
      if (json === "true" || json === "false") return json === "true";
      throw wrong(path, "true or false", json);
    case ScalarType.BYTES:
      return readBytes(json, path);
    case ScalarType.INT32:
      return readInteger(json, -0x8000_0000, 0x7fff_ffff, path);
    case ScalarType.UINT32:
      return readInteger(json, 0, 0xffff_ffff, path);
    case ScalarType.FLOAT:
      return readFloat(json, path);
    default:
      // No message of this API has another type; a contract that gains one fails its tests here.
      throw new TypeError(`no reader for the type of ${path}`);
  }
};

const readInteger = (json: JsonValue, least: number, most: number, path: string): number => {
  const value = readNumber(json);
  if (!Number.isInteger(value) || value < least || value > most)
    throw wrong(path, `a whole number from ${least} to ${most}`, json);
  return value;
};

const readFloat = (json: JsonValue, path: string): number => {
  if (json === "NaN") return Number.NaN;
  if (json === "Infinity" || json === "-Infinity") return Number(json);
  const value = Math.fround(readNumber(json));
  if (!Number.isFinite(value)) throw wrong(path, "a number that a float can hold", json);
  return value;
};

const readNumber = (json: JsonValue): number => {
  if (typeof json === "number") return json;
  return typeof json === "string" && json !== "" && json.trim() === json ? Number(json) : Number.NaN;
};

const readBytes = (json: JsonValue, path: string): Uint8Array => {
  const bytes = typeof json === "string" ? attempted(() => base64Decode(json)) : undefined;
  if (bytes === undefined) throw wrong(path, "base64", json);
  return bytes;
};

const readTimestamp = (json: JsonValue, path: string): unknown => {
  const timestamp = typeof json === "string" ? parseTimestamp(json) : undefined;
  if (timestamp === undefined) throw wrong(path, "a moment of RFC 3339 from year 1 to 9999", json);
  return timestamp;
};

/** The type of a value, which itself may be a secret. */
const wrong = (path: string, expected: string, found: JsonValue): TypeError => {
  const kind = found === null ? "null" : Array.isArray(found) ? "array" : typeof found;
  return new TypeError(`${path === "" ? "the message" : path} must be ${expected}, and is of the kind ${kind}`);
};
