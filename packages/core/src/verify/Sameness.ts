// Equality of two decoded messages.
import { ScalarType, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";

/** A message by the local names of its fields. */
export type Values = Readonly<Record<string, unknown>>;

/** A message that is an object in JSON, unlike a Timestamp. */
export const isPlain = (message: DescMessage): boolean => !message.typeName.startsWith("google.protobuf.");

/** Whether a value must be on the wire: set messages, and scalars that are not zero or empty. */
export const isPopulated = (value: unknown): boolean =>
  Array.isArray(value) || value instanceof Uint8Array ? value.length > 0 : Boolean(value) || Number.isNaN(value);

export const sameBytes = (a: Uint8Array, b: Uint8Array): boolean =>
  a.length === b.length && a.every((byte, index) => byte === b[index]);

/** Whether two links differ at most in their query, which has the signature. */
const address = /^https?:[^?]*\?/;
export const sameLink = (a: string, b: string): boolean => {
  const [start] = address.exec(a) ?? [];
  return start !== undefined && b.startsWith(start);
};

/** Whether protobuf and JSON of a message are equal in all fields of the schema. */
export const sameMessage = (schema: DescMessage, protobuf: Message, json: Message): boolean =>
  schema.fields.every((field) => {
    const a = (protobuf as unknown as Values)[field.localName];
    const b = (json as unknown as Values)[field.localName];
    if (!Array.isArray(a)) return sameItem(field, a, b);
    return Array.isArray(b) && a.length === b.length && a.every((item, index) => sameItem(field, item, b[index]));
  });

const sameItem = (field: DescField, a: unknown, b: unknown): boolean => {
  if (field.message !== undefined && a !== undefined && b !== undefined) {
    return sameMessage(field.message, a as Message, b as Message);
  }
  if (a instanceof Uint8Array) return sameBytes(a, b as Uint8Array);
  if (typeof a === "string") return a === b || sameLink(a, b as string);
  // JSON has the shortest form of a binary32.
  return Object.is(field.scalar === ScalarType.FLOAT ? Math.fround(b as number) : b, a) || a === b;
};
