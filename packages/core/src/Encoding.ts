// Encoding and decoding of any message, for servers.
import { toBinary, toJson, type DescMessage, type JsonObject, type MessageShape } from "@bufbuild/protobuf";
import { readAnyMessage } from "./CountedMessage.ts";
import { decodeJson } from "./JsonReader.ts";
import type { Format } from "./MediaType.ts";
import { defaultReadLimits, parseJson } from "./ReadLimits.ts";
import { jsonEncoder } from "./WireJson.ts";

/**
 * The JSON of a message as grpc-gateway writes it: every field, in declaration order; zero values as they are, unset
 * messages and timestamps as null, empty lists as []. A float is printed in the shortest form that reads back to the
 * same binary32 (0.1, not 0.10000000149011612).
 */
export const encodeJson: <D extends DescMessage>(schema: D, message: MessageShape<D>) => JsonObject =
  /* @__PURE__ */ jsonEncoder((schema, message) => toJson(schema, message, { alwaysEmitImplicit: true }));

const utf8 = new TextEncoder();

/** Bytes of a message: protobuf, or JSON as `encodeJson` writes it. Unknown fields survive only in protobuf. */
export const encode = <D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  format: Format,
): Uint8Array<ArrayBuffer> =>
  format === "protobuf" ? toBinary(schema, message) : utf8.encode(JSON.stringify(encodeJson(schema, message)));

/** The message in bytes of the given form. Throws when they are not one: cut short, not UTF-8, not JSON, wrong types, too many items. */
export const decode = <D extends DescMessage>(schema: D, bytes: Uint8Array, format: Format): MessageShape<D> =>
  format === "protobuf"
    ? readAnyMessage(schema, bytes)
    : decodeJson(schema, parseJson(bytes, defaultReadLimits)).message;
