// Request and response bodies of any service, in both formats.
import {
  clearField,
  clone,
  create,
  createRegistry,
  fromJson,
  isFieldSet,
  ScalarType,
  toBinary,
  toJson,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescService,
  type JsonObject,
  type JsonValue,
  type Message,
  type Registry,
} from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { binaryErrors } from "../BinaryErrors.ts";
import { readAnyMessage } from "../CountedMessage.ts";
import { hasImplicitPresence, namesOf } from "../Descriptor.ts";
import { isLong, localValue, wellKnownText, wrappedScalar } from "../http-rule/FieldText.ts";
import type { PathField } from "../http-rule/HttpRule.ts";
import {
  assertDepth,
  countItems,
  decodeJsonWithin,
  examineAny,
  isContainer,
  membersOf,
  type JsonReading,
} from "../JsonReader.ts";
import type { MessageCodec } from "../Reading.ts";
import { valuesPerItem, type ReadLimits } from "../ReadLimits.ts";
import { parseTimestamp } from "../Timestamp.ts";
import { assertMessage } from "./GivenMessage.ts";

/** The codec of a service. The registry knows all types that its files import, and those of `types`: for Any and extensions. */
export const serviceCodec = (service: DescService, types: Registry | undefined): MessageCodec => {
  let made: Registry | undefined;
  const registry = (): Registry => (made ??= createRegistry(...filesOf(service.file), ...(types ?? [])));
  return {
    create: (schema, init) => {
      assertMessage(schema, init);
      return create(schema, init);
    },
    encode: (schema, message, { field, pathFields }, format) => {
      const rest = withoutPath(schema, message, pathFields);
      return format === "protobuf" ? binaryBody(schema, rest, field) : jsonBody(schema, rest, field, registry());
    },
    readJson: (schema, json, limits) => readJson(schema, json, limits, registry),
    readProtobuf: readAnyMessage,
    errors: binaryErrors,
    around: (schema, field, part) => {
      const message = reflect(schema);
      message.set(field, reflect(field.message, part));
      return message.message;
    },
    wellKnown: wellKnownText,
  };
};

const filesOf = (root: DescFile, seen = new Set<DescFile>()): ReadonlySet<DescFile> => {
  if (seen.has(root)) return seen;
  seen.add(root);
  for (const file of root.dependencies) filesOf(file, seen);
  return seen;
};

/** The message without its path fields; the one given stays as it is. Exported for tests. */
export const withoutPath = (schema: DescMessage, message: Message, pathFields: ReadonlyArray<PathField>): Message => {
  if (pathFields.length === 0) return message;
  const copy = clone(schema, message);
  for (const { fields } of pathFields) clear(copy, fields);
  return copy;
};

const clear = (message: Message, [field, ...inner]: ReadonlyArray<DescField>): void => {
  if (field === undefined || !isFieldSet(message, field)) return;
  if (inner.length === 0) clearField(message, field);
  else clear(localValue(message, field) as Message, inner);
};

const utf8 = new TextEncoder();

const jsonBody = (
  schema: DescMessage,
  message: Message,
  field: DescField | undefined,
  registry: Registry,
): Uint8Array<ArrayBuffer> => {
  if (field === undefined) return utf8.encode(JSON.stringify(toJson(schema, message, { registry })));
  const only = reflect(schema);
  only.set(field, reflect(schema, message).get(field));
  const json = toJson(schema, only.message, { registry }) as JsonObject;
  return utf8.encode(JSON.stringify(json[field.jsonName]));
};

const binaryBody = (schema: DescMessage, message: Message, field: DescField | undefined): Uint8Array<ArrayBuffer> => {
  if (field === undefined) return toBinary(schema, message);
  if (field.fieldKind !== "message")
    throw new TypeError(
      `the body is ${field.toString()}: protobuf bodies are messages only, so ask with format "json"`,
    );
  const part: ReflectMessage = reflect(schema, message).get(field);
  return toBinary(field.message, part.message);
};

/** Reads the JSON of any message; exported for the test that holds both readers to the same result. */
export const readJson = (
  schema: DescMessage,
  json: JsonValue,
  limits: ReadLimits,
  registry: () => Registry,
): ReturnType<MessageCodec["readJson"]> => {
  if (isPlain(schema)) return decodeJsonWithin(schema, json, limits);
  const unknownFields = new Map<string, JsonValue>();
  examine(schema, json, "", 0, { limits, unknownFields, items: 0, registry });
  try {
    const message = fromJson(schema, json, {
      ignoreUnknownFields: true,
      // It nests no deeper than examined, and protobuf-es counts a level of a Struct twice.
      recursionLimit: Infinity,
      registry: registry(),
    });
    return { message, unknownFields };
  } catch (cause) {
    throw new TypeError(problemOf(cause), { cause });
  }
};

/** What protobuf-es says without the value that it found: that may be a secret, and of any length. */
const problemOf = (cause: unknown): string => {
  const message = cause instanceof Error ? cause.message : "";
  return (/^cannot \w+ .{1,200}? from JSON/s.exec(message)?.[0] ?? message).slice(0, 200);
};

const plain = new WeakMap<DescMessage, boolean>();

/** The scalars that our own reader reads; it is the faster one, and the more tolerant. */
const plainScalars: ReadonlySet<ScalarType> = new Set([
  ScalarType.STRING,
  ScalarType.BOOL,
  ScalarType.BYTES,
  ScalarType.INT32,
  ScalarType.UINT32,
  ScalarType.FLOAT,
]);

const isWellKnown = ({ typeName }: DescMessage): boolean => typeName.startsWith("google.protobuf.");

const isPlain = (schema: DescMessage): boolean => {
  const known = plain.get(schema);
  if (known !== undefined) return known;
  // A message that contains itself is plain unless something else in it is not.
  plain.set(schema, true);
  const result =
    schema.typeName === "google.protobuf.Timestamp" ||
    (!isWellKnown(schema) &&
      schema.oneofs.length === 0 &&
      schema.fields.every(
        (field) =>
          field.fieldKind !== "map" &&
          (hasImplicitPresence(field) || field.message !== undefined) &&
          (field.message === undefined
            ? field.scalar !== undefined && plainScalars.has(field.scalar)
            : isPlain(field.message)),
      ));
  plain.set(schema, result);
  return result;
};

/** Longest text of a 64-bit integer: with a point, zeros or an exponent it may be longer than its 20 digits. */
const maxIntegerText = 64;

/** State of a reader that knows the types in Any. */
interface RegistryReading extends JsonReading {
  readonly registry: () => Registry;
}

/**
 * Goes through JSON before messages are made of it: collects what the schema does not know, by path, and counts messages, list
 * items, entries of maps and unknown fields. Throws LimitExceeded where there are too many, or the JSON nests too deeply.
 */
const examine = (schema: DescMessage, json: JsonValue, path: string, depth: number, state: RegistryReading): void => {
  assertDepth(depth, state);
  countItems(state);
  if (isWellKnown(schema)) return examineWellKnown(schema, json, path, depth, state);
  if (!isContainer(json)) return;
  for (const [key, value] of membersOf(json)) {
    const at = path === "" ? key : `${path}.${key}`;
    const field = namesOf(schema).get(key);
    if (field === undefined) {
      // Extensions are written as `[full.name]`.
      if (!key.startsWith("[")) state.unknownFields.set(at, value);
      countItems(state);
      examineAny(value, depth + 1, state, 0);
    } else if (isContainer(value) && (field.fieldKind === "map" || field.fieldKind === "list")) {
      assertDepth(depth + 1, state);
      const isMap = field.fieldKind === "map";
      for (const [name, item] of membersOf(value)) {
        if (field.message === undefined) countItems(state);
        if (isMap && isLong(field.mapKey)) assertInteger(name, at);
        examineValue(field, item, isMap ? `${at}.${name}` : `${at}[${name}]`, depth + 2, state);
      }
    } else examineValue(field, value, at, depth + 1, state);
  }
};

const examineValue = (field: DescField, json: JsonValue, path: string, depth: number, state: RegistryReading): void => {
  if (field.message !== undefined) return examine(field.message, json, path, depth, state);
  if (isLong(field.scalar)) assertInteger(json, path);
};

const examineWellKnown = (
  schema: DescMessage,
  json: JsonValue,
  path: string,
  depth: number,
  state: RegistryReading,
): void => {
  if (schema.typeName === "google.protobuf.Any" && isContainer(json)) {
    const { "@type": type, ...members } = json as JsonObject;
    const inner =
      typeof type === "string" ? state.registry().getMessage(type.slice(type.lastIndexOf("/") + 1)) : undefined;
    if (inner !== undefined)
      return examine(
        inner,
        isWellKnown(inner) && members["value"] !== undefined ? members["value"] : members,
        path,
        depth + 1,
        state,
      );
  }
  if (typeof json === "string") {
    if (schema.typeName === "google.protobuf.FieldMask") {
      // protobuf-es converts each capital letter by itself.
      countItems(state, Math.ceil(json.length / valuesPerItem));
      countItems(state, json.split(",", state.limits.maxItems).length);
    }
    // protobuf-es reads 30 February as a day of March.
    if (schema.typeName === "google.protobuf.Timestamp" && parseTimestamp(json) === undefined)
      throw new TypeError(`${path} must be a moment of RFC 3339 from year 1 to 9999`);
  }
  const wrapped = wrappedScalar(schema);
  if (isLong(wrapped)) assertInteger(json, path);
  // In a Struct each value is a message.
  examineAny(json, depth, state, 1);
};

const assertInteger = (json: JsonValue, path: string): void => {
  if (typeof json === "string" && json.length > maxIntegerText) throw new TypeError(`${path} is not a 64-bit integer`);
  // JSON.parse has rounded it.
  if (typeof json === "number" && Math.abs(json) > Number.MAX_SAFE_INTEGER)
    throw new TypeError(`${path} is a 64-bit integer without quotes, beyond what a number holds exactly`);
};
