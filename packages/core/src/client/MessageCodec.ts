// Bodies of requests and answers of any service: protobuf, and the whole JSON mapping of protobuf.
import {
  create,
  createRegistry,
  fromJson,
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
import { decodeJsonWithin } from "../JsonReader.ts";
import { formatOf, type Format } from "../MediaType.ts";
import { readMessage } from "../MessageReader.ts";
import { looksLikeJson, UnreadableBody } from "../Reading.ts";
import type { DecodedBody, RawBody } from "./HttpCall.ts";
import { LimitExceeded, parseJson, tooDeep, type ReadLimits } from "../ReadLimits.ts";

/** How bodies are written and read. */
export interface MessageCodec {
  /** The body of a request: the whole message, or one of its fields. Throws TypeError where the format cannot carry it. */
  readonly encode: (
    schema: DescMessage,
    message: Message,
    field: DescField | undefined,
    format: Format,
  ) => Uint8Array<ArrayBuffer>;
  /** The answer in a body: the whole message, or one with that field. Throws UnreadableBody, and LimitExceeded for what unfolds to too much. */
  readonly decode: (
    schema: DescMessage,
    field: DescField | undefined,
    body: RawBody,
    limits: ReadLimits,
  ) => DecodedBody;
}

/** The codec of a service. The registry knows all types that its files import, and those of `types`: for Any and extensions. */
export const serviceCodec = (service: DescService, types: Registry | undefined): MessageCodec => {
  let made: Registry | undefined;
  const registry = (): Registry => (made ??= createRegistry(...filesOf(service.file), ...(types ?? [])));
  return {
    encode: (schema, message, field, format) =>
      format === "protobuf" ? binaryBody(schema, message, field) : jsonBody(schema, message, field, registry()),
    decode: (schema, field, body, limits) => decodeBody(schema, field, body, limits, registry),
  };
};

const filesOf = (root: DescFile, seen = new Set<DescFile>()): ReadonlySet<DescFile> => {
  if (seen.has(root)) return seen;
  seen.add(root);
  for (const file of root.dependencies) filesOf(file, seen);
  return seen;
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

const decodeBody = (
  schema: DescMessage,
  field: DescField | undefined,
  { contentType, status, bytes }: RawBody,
  limits: ReadLimits,
  registry: () => Registry,
): DecodedBody => {
  const labelled = formatOf(contentType);
  const none = new Map<string, JsonValue>();
  if (bytes.byteLength === 0) {
    // No bytes are the empty message in protobuf; in JSON nothing but an answer that has no content.
    const isEmpty = labelled === "protobuf" || status === 204 || (field?.message ?? schema).fields.length === 0;
    if (!isEmpty) throw new UnreadableBody("the body is empty");
    return { format: labelled ?? "json", message: create(schema), unknownFields: none };
  }
  if (labelled === "protobuf" && !looksLikeJson(bytes))
    return { format: "protobuf", message: binaryMessage(schema, field, bytes, limits), unknownFields: none };
  if (labelled === undefined && !looksLikeJson(bytes))
    throw new UnreadableBody(`its Content-Type is ${contentType ?? "missing"}, and it is no JSON`);
  const json = parsed(bytes, limits);
  if (json === undefined) {
    if (labelled === "protobuf")
      return { format: "protobuf", message: binaryMessage(schema, field, bytes, limits), unknownFields: none };
    throw new UnreadableBody("it is labelled JSON, and is none, or is not in UTF-8");
  }
  // A field of the answer is read as the message that has that field only.
  const whole = field === undefined ? json : { [field.jsonName]: json };
  return { format: "json", ...readJson(schema, whole, limits, registry) };
};

const parsed = (bytes: Uint8Array, limits: ReadLimits): JsonValue | undefined => {
  try {
    return parseJson(bytes, limits);
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw cause;
    return undefined;
  }
};

const binaryMessage = (
  schema: DescMessage,
  field: DescField | undefined,
  bytes: Uint8Array,
  limits: ReadLimits,
): Message => {
  try {
    if (field === undefined) return readMessage(schema, bytes, limits);
    if (field.fieldKind === "message") {
      const message = reflect(schema);
      message.set(field, reflect(field.message, readMessage(field.message, bytes, limits)));
      return message.message;
    }
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw cause;
    throw new UnreadableBody(`its protobuf is no ${schema.typeName}`, { cause });
  }
  throw new UnreadableBody(`${field.toString()} is no message, so its protobuf has no form: ask with format "json"`);
};

/** Reads the JSON of any message; exported for the test that holds both readers to the same result. */
export const readJson = (
  schema: DescMessage,
  json: JsonValue,
  limits: ReadLimits,
  registry: () => Registry,
): Pick<DecodedBody, "message" | "unknownFields"> => {
  try {
    if (isPlain(schema)) return decodeJsonWithin(schema, json, limits);
    const unknownFields = new Map<string, JsonValue>();
    collectUnknown(schema, json, "", 0, limits.maxJsonDepth, unknownFields);
    const message = fromJson(schema, json, {
      ignoreUnknownFields: true,
      recursionLimit: limits.maxJsonDepth,
      registry: registry(),
    });
    return { message, unknownFields };
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw cause;
    throw new UnreadableBody(`its JSON is no ${schema.typeName}: ${cause instanceof Error ? cause.message : ""}`, {
      cause,
    });
  }
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

const isPlain = (schema: DescMessage): boolean => {
  const known = plain.get(schema);
  if (known !== undefined) return known;
  // A message that contains itself is plain unless something else in it is not.
  plain.set(schema, true);
  const result =
    schema.typeName === "google.protobuf.Timestamp" ||
    (!schema.typeName.startsWith("google.protobuf.") &&
      schema.oneofs.length === 0 &&
      schema.fields.every(
        (field) =>
          field.fieldKind !== "map" &&
          (field.message === undefined
            ? field.scalar !== undefined && plainScalars.has(field.scalar)
            : isPlain(field.message)),
      ));
  plain.set(schema, result);
  return result;
};

/** What the schema does not know, by path. Throws LimitExceeded where the JSON nests deeper than may be. */
const collectUnknown = (
  schema: DescMessage | undefined,
  json: JsonValue,
  path: string,
  depth: number,
  maxDepth: number,
  into: Map<string, JsonValue>,
): void => {
  if (depth > maxDepth) throw tooDeep(maxDepth);
  if (typeof json !== "object" || json === null) return;
  const isMessage = schema !== undefined && !schema.typeName.startsWith("google.protobuf.") && !Array.isArray(json);
  for (const [key, value] of Object.entries(json)) {
    const at = Array.isArray(json) ? `${path}[${key}]` : path === "" ? key : `${path}.${key}`;
    const field = isMessage ? schema.fields.find(({ name, jsonName }) => name === key || jsonName === key) : undefined;
    // Extensions are written as `[full.name]`.
    if (isMessage && field === undefined && !key.startsWith("[")) into.set(at, value);
    const below = field === undefined ? (isMessage ? undefined : schema) : field.message;
    if (field?.fieldKind === "map") {
      for (const [name, item] of Object.entries((value ?? {}) as JsonObject))
        collectUnknown(below, item, `${at}.${name}`, depth + 2, maxDepth, into);
    } else collectUnknown(Array.isArray(json) ? schema : below, value, at, depth + 1, maxDepth, into);
  }
};
