// Unknown fields of a response.
import { isMessage, type DescMessage, type JsonValue, type Message } from "@bufbuild/protobuf";
import type { EngineEvent, EventSubject } from "./EngineEvent.ts";
import { localValue } from "./http-rule/FieldText.ts";
import { redact } from "./Secret.ts";

/** By path, what the schema does not know of an answer in JSON. Of protobuf it is in `$unknown` of the message that it stands in. */
export type UnknownFields = ReadonlyMap<string, JsonValue>;

export const noUnknownFields: UnknownFields = new Map();

/** Unknown fields named in one event, at most. */
const maxUnknownFields = 100;

/** The event about them; undefined where there are none. Names only, no values, and not a secret as a name. */
export const unknownFieldsEvent = (
  subject: EventSubject,
  schema: DescMessage,
  message: Message,
  unknownFields: UnknownFields,
  secrets: ReadonlyArray<string>,
): EngineEvent | undefined => {
  const all = [...unknownFields.keys()];
  collectNumbers(schema, message, "", all);
  if (all.length === 0) return undefined;
  const fields = all.slice(0, maxUnknownFields).map((name) => redact(name, secrets));
  return { ...subject, type: "unknown-fields", message: message.$typeName, fields, count: all.length };
};

/** The numbers in a message and in those within it, by path: `engines[0].#12`. */
const collectNumbers = (schema: DescMessage, message: Message, path: string, into: Array<string>): void => {
  for (const { no } of message.$unknown ?? []) into.push(`${path}#${no}`);
  for (const field of schema.fields) {
    const { message: inner, jsonName } = field;
    if (inner === undefined) continue;
    const value = localValue(message, field);
    if (!Array.isArray(value)) collectWithin(inner, value, `${path}${jsonName}.`, into);
    else for (const [index, item] of value.entries()) collectWithin(inner, item, `${path}${jsonName}[${index}].`, into);
  }
};

/** Wrappers, Structs and maps are not messages where protobuf-es keeps them. */
const collectWithin = (schema: DescMessage, value: unknown, path: string, into: Array<string>): void => {
  if (isMessage(value, schema)) collectNumbers(schema, value, path, into);
};
