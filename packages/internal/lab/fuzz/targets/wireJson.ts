// Fuzz target: JSON of messages.
import { decode, decodeJson, encode } from "@bytenite-engines/core/wire";
import type { JsonValue } from "@bufbuild/protobuf";
import { messageIn } from "../Messages.ts";
import { must, mustEqual, textOf, unlessRefused, type Target } from "../Target.ts";

export const fuzz: Target = (data) => {
  const { schema, bytes } = messageIn(data);
  const message = unlessRefused(() => decode(schema, bytes, "json"), TypeError, RangeError, SyntaxError);
  if (message === undefined) return;
  const json = encode(schema, message, "json");
  mustEqual(encode(schema, decode(schema, json, "json"), "json"), json, "JSON is not stable");
  const binary = encode(schema, message, "protobuf");
  mustEqual(encode(schema, decode(schema, binary, "protobuf"), "json"), json, "protobuf loses something");
  const { unknownFields } = decodeJson(schema, JSON.parse(textOf(json)) as JsonValue);
  must(unknownFields.size === 0, "what we write holds a field that we do not know");
};
