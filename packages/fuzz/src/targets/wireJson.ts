// JSON of messages: refused with a type of error that is documented, or read to a message that both forms carry.
import { decode, decodeJson, encode } from "@bytenite-engines/core/wire";
import type { DescMessage, JsonValue } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema, StatusSchema } from "@bytenite-engines/proto";
import { must, mustEqual, textOf, unlessRefused, type Target } from "../Target.ts";

const schemas: ReadonlyArray<DescMessage> = [EngineListResponseSchema, EngineSchema, EngineMessageSchema, StatusSchema];

/** The first byte chooses the message. */
export const fuzz: Target = (data) => {
  const schema = schemas[(data[0] ?? 0) % schemas.length] ?? EngineSchema;
  const bytes = data.subarray(1);
  const message = unlessRefused(() => decode(schema, bytes, "json"), TypeError, RangeError, SyntaxError);
  if (message === undefined) return;
  const json = encode(schema, message, "json");
  mustEqual(encode(schema, decode(schema, json, "json"), "json"), json, "JSON is not stable");
  const binary = encode(schema, message, "protobuf");
  mustEqual(encode(schema, decode(schema, binary, "protobuf"), "json"), json, "protobuf loses something");
  const { unknownFields } = decodeJson(schema, JSON.parse(textOf(bytes)) as JsonValue);
  must(JSON.stringify([...unknownFields.values()]).length > 1, "what is unknown is no JSON");
};
