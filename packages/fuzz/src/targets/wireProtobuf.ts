// Bytes of messages: what is read is written to the same message, in either form.
import { clone, type DescMessage, type Message } from "@bufbuild/protobuf";
import { decode, encode } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema, StatusSchema } from "@bytenite-engines/proto";
import { must, mustEqual, unlessRefused, type Target } from "../Target.ts";

const schemas: ReadonlyArray<DescMessage> = [EngineListResponseSchema, EngineSchema, EngineMessageSchema, StatusSchema];

/** The first byte chooses the message. */
export const fuzz: Target = ([first = 0, ...rest]) => {
  const schema = schemas[first % schemas.length] ?? EngineSchema;
  const bytes = Uint8Array.from(rest);
  const message = unlessRefused(() => decode(schema, bytes, "protobuf"), Error);
  if (message === undefined) return;
  const again = encode(schema, message, "protobuf");
  mustEqual(encode(schema, decode(schema, again, "protobuf"), "protobuf"), again, "protobuf is not stable");
  const json = unlessRefused(() => encode(schema, message, "json"), Error);
  if (json === undefined) return;
  const read = decode(schema, json, "json");
  mustEqual(encode(schema, read, "json"), json, "JSON is not stable");
  mustEqual(
    encode(schema, read, "protobuf"),
    encode(schema, bare(schema, message), "protobuf"),
    "JSON loses something",
  );
  must(json.length > 1, "JSON of a message is an object");
};

/** A message without what the schema does not know, which JSON cannot carry. */
const bare = (schema: DescMessage, message: Message): Message => {
  const copy = clone(schema, message);
  strip(schema, copy);
  return copy;
};

const strip = (schema: DescMessage, message: Message): void => {
  delete message.$unknown;
  for (const field of schema.fields) {
    if (field.message === undefined) continue;
    const value = (message as unknown as Readonly<Record<string, unknown>>)[field.localName];
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined) strip(field.message, one as Message);
    }
  }
};
