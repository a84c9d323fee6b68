// JSON of messages, as the API writes it.
import {
  ScalarType,
  type DescField,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import type { Timestamp } from "@bufbuild/protobuf/wkt";
import { hasImplicitPresence, oncePer } from "./Descriptor.ts";
import { isLong, shortestFloat } from "./http-rule/FieldText.ts";
import { timestampText } from "./Timestamp.ts";

/** Writes a message as JSON. */
type JsonEncoder = <D extends DescMessage>(schema: D, message: MessageShape<D>) => JsonObject;

interface Writing {
  /** Writes what is not written here: fields of kinds that the API does not have, and well-known types but Timestamp. */
  readonly other: (schema: DescMessage, message: Message) => JsonValue;
  readonly membersOf: (schema: DescMessage) => ReadonlyArray<Member>;
}

/** A writer of JSON; `other` writes what the messages of the API do not have. */
export const jsonEncoder = (other: Writing["other"]): JsonEncoder => {
  const writing: Writing = {
    other,
    membersOf: oncePer((schema) =>
      schema.fields.map((field) => ({ key: field.jsonName, write: memberWriter(schema, field, writing) })),
    ),
  };
  return (schema, message) => written(schema, message, writing);
};

/** The JSON of messages of the API's own, without protobuf-es, which is larger than all the rest. Throws TypeError for others. */
export const encodePlainJson: JsonEncoder = /* @__PURE__ */ jsonEncoder(({ typeName }) => {
  throw new TypeError(`no JSON of ${typeName}`);
});

const written = (schema: DescMessage, message: Values, writing: Writing): JsonObject => {
  const json: JsonObject = {};
  for (const { key, write } of writing.membersOf(schema)) json[key] = write(message);
  return json;
};

type Values = Message & Readonly<Record<string, unknown>>;

/** A name in the object, and what is written under it. */
interface Member {
  readonly key: string;
  readonly write: (message: Values) => JsonValue;
}

const memberWriter = (schema: DescMessage, field: DescField, writing: Writing): Member["write"] => {
  const { localName, jsonName } = field;
  const write = valueWriter(field, writing);
  const isPlain = field.message !== undefined || hasImplicitPresence(field);
  if (write === undefined || field.oneof !== undefined || !isPlain) {
    // No message of the API has such a field.
    return (message) => (writing.other(schema, message) as JsonObject)[jsonName] ?? null;
  }
  if (field.fieldKind === "list") return (message) => (message[localName] as ReadonlyArray<unknown>).map(write);
  return (message) => {
    const value = message[localName];
    return value === undefined ? null : write(value);
  };
};

/** How one value of a field is written, an item where it is a list. */
const valueWriter = (field: DescField, writing: Writing): ((value: unknown) => JsonValue) | undefined => {
  const { message, scalar } = field;
  if (field.fieldKind === "map" || (message === undefined && scalar === undefined)) return undefined;
  if (message !== undefined) {
    if (message.typeName === "google.protobuf.Timestamp") return (value) => timestampText(value as Timestamp);
    return message.typeName.startsWith("google.protobuf.")
      ? (value) => writing.other(message, value as Message)
      : (value) => written(message, value as Values, writing);
  }
  switch (scalar) {
    case ScalarType.FLOAT:
      return (value) => (Number.isFinite(value) ? shortestFloat(value as number) : String(value));
    case ScalarType.DOUBLE:
      return (value) => (Number.isFinite(value) ? (value as number) : String(value));
    case ScalarType.BYTES:
      return (value) => base64Encode(value as Uint8Array);
    default:
      return isLong(scalar) ? String : (value) => value as JsonValue;
  }
};
