// Decides: whether an answer claims our schema by its digest header, and whether its bytes are of it.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { schemaDigests } from "../gen/schemaDigests.ts";
import { MessageBytes } from "../MessageBytes.ts";
import { readOwn } from "../MessageReader.ts";
import type { Numbers } from "./Numbers.ts";
import { sameMessage } from "./Sameness.ts";
import type { ProtobufAnswer } from "./Verdict.ts";

/** Whether the header names our schema, and is one that can be believed. */
export const claims = (numbers: Numbers, schema: DescMessage, { digest }: ProtobufAnswer): boolean =>
  digest === schemaDigests[schema.typeName] && !numbers.distrustsDigest;

/** What bytes are that claim our schema: `not` where they carry what it does not have, whatever the values. */
export const isOurs = <D extends DescMessage>(
  schema: D,
  bytes: Uint8Array,
  json: MessageShape<D>,
): "ours" | "other" | "not" => {
  try {
    const from = new MessageBytes(bytes);
    const message = readOwn(schema, from);
    if (from.hasUnknown || from.hasOddFlag) return "not";
    return sameMessage(schema, message, json) ? "ours" : "other";
  } catch {
    return "other";
  }
};
