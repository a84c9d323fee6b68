// Decides: what is said of the fields of an answer that the schema does not know.
import type { JsonValue, Message } from "@bufbuild/protobuf";
import type { EngineEvent, EventSubject } from "./EngineEvent.ts";
import { blotted } from "./Secret.ts";

/** By path, what the schema does not know of an answer in JSON. Of protobuf it is in `$unknown` of the message. */
export type UnknownFields = ReadonlyMap<string, JsonValue>;

export const noUnknownFields: UnknownFields = new Map();

/** Unknown fields named in one event, at most. */
const maxUnknownFields = 100;

/** The event about them; undefined where there are none. Names only, no values. */
export const unknownFieldsEvent = (
  subject: EventSubject,
  message: Message,
  unknownFields: UnknownFields,
  secret: string | undefined,
): EngineEvent | undefined => {
  const numbers = (message.$unknown ?? []).map(({ no }) => `#${no}`);
  const all = [...unknownFields.keys(), ...numbers];
  if (all.length === 0) return undefined;
  const fields = all.slice(0, maxUnknownFields).map((name) => blotted(name, secret));
  return { ...subject, type: "unknown-fields", message: message.$typeName, fields, count: all.length };
};
