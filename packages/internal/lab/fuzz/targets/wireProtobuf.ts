// Fuzz target: bytes of messages.
import { clone, type DescMessage, type Message } from "@bufbuild/protobuf";
import { decode, encode } from "@bytenite-engines/core/wire";
import { StatusSchema } from "@bytenite-engines/proto";
import { messageIn } from "../Messages.ts";
import { mustEqual, unlessRefused, type Target } from "../Target.ts";

export const fuzz: Target = (data) => {
  const { schema, bytes } = messageIn(data);
  const message = unlessRefused(() => decode(schema, bytes, "protobuf"), Error);
  if (message === undefined) return;
  const again = encode(schema, message, "protobuf");
  mustEqual(encode(schema, decode(schema, again, "protobuf"), "protobuf"), again, "protobuf is not stable");
  // A moment outside of the years 1 to 9999 has no JSON.
  const json = unlessRefused(() => encode(schema, message, "json"), Error);
  if (json === undefined) return;
  const read = decode(schema, json, "json");
  mustEqual(encode(schema, read, "json"), json, "JSON is not stable");
  // The details of a Status are JSON only for those who know their types.
  if (schema !== StatusSchema) mustEqual(read, plain(schema, message), "JSON loses something");
};

/** A message without what JSON cannot carry: fields that the schema does not know, and the sign of zero. */
const plain = (schema: DescMessage, message: Message): Message => {
  const copy = clone(schema, message);
  strip(schema, copy);
  return copy;
};

const strip = (schema: DescMessage, message: Message): void => {
  delete message.$unknown;
  const values = message as unknown as Record<string, unknown>;
  for (const field of schema.fields) {
    const value = values[field.localName];
    if (value === 0) values[field.localName] = 0;
    if (field.message === undefined) continue;
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) strip(field.message, one as Message);
    }
  }
};
