// Media types of protobuf and JSON.
import { toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { decodeJson } from "./JsonReader.ts";
import { readAnyMessage } from "./CountedMessage.ts";
import { defaultReadLimits, parseJson } from "./ReadLimits.ts";
import { encodeJson } from "./WireJson.ts";

/** The two forms in which the API answers. */
export type Format = "json" | "protobuf";

/** The names under which each form is asked for and labelled; the first is the one the API documents. */
export const mediaTypes = {
  json: ["application/json"],
  protobuf: ["application/x-protobuf", "application/protobuf", "application/vnd.google.protobuf"],
} as const satisfies Record<Format, ReadonlyArray<string>>;

/** The documented media type of a form. */
export const mediaTypeOf = (format: Format): string => mediaTypes[format][0];

/**
 * The form that a Content-Type names, or undefined for any other. `application/octet-stream` counts as protobuf: the
 * stock marshaler of grpc-gateway labels its answers so. Parameters and case are ignored (RFC 9110, 8.3.1).
 */
export const formatOf = (contentType: string | null | undefined): Format | undefined => {
  // What our own servers send, in nearly every answer.
  if (contentType === "application/x-protobuf") return "protobuf";
  const essence = contentType?.split(";", 1)[0]?.trim().toLowerCase();
  if (essence === undefined || essence === "") return undefined;
  if (essence === "application/json" || essence === "text/json" || essence.endsWith("+json")) return "json";
  if (essence === "application/octet-stream") return "protobuf";
  return (mediaTypes.protobuf as ReadonlyArray<string>).includes(essence) ? "protobuf" : undefined;
};

const utf8 = new TextEncoder();

/** Bytes of a message: protobuf, or JSON as grpc-gateway writes it (see WireJson). Unknown fields survive only in protobuf. */
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
