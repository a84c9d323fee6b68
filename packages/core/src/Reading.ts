// Decoding of response bodies in their actual format.
import type { DescField, DescMessage, JsonValue, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { BinaryErrors } from "./BinaryErrors.ts";
import type { WellKnownText } from "./http-rule/FieldText.ts";
import type { BodyPart } from "./http-rule/HttpRule.ts";
import { formatOf, type Format } from "./MediaType.ts";
import type { ProtobufReader } from "./MessageReader.ts";
import { attempted, LimitExceeded, parseJson, type ReadLimits } from "./ReadLimits.ts";
import { noUnknownFields, type UnknownFields } from "./UnknownFields.ts";

/** How the messages of a service are made, written and read. */
export interface MessageCodec {
  readonly create: (schema: DescMessage, init: MessageInitShape<DescMessage> | undefined) => Message;
  /** The body of a request. Throws TypeError where the format cannot carry it. */
  readonly encode: (schema: DescMessage, message: Message, part: BodyPart, format: Format) => Uint8Array<ArrayBuffer>;
  /** Throws LimitExceeded, and another error for JSON that is not such a message: no value of it is in its text. */
  readonly readJson: (
    schema: DescMessage,
    json: JsonValue,
    limits: ReadLimits,
  ) => { readonly message: Message; readonly unknownFields: UnknownFields };
  readonly readProtobuf: ProtobufReader;
  /** How errors in protobuf are read; undefined: they are not. */
  readonly errors: BinaryErrors | undefined;
  /** The message that has a message in that field and nothing else. */
  readonly around: (
    schema: DescMessage,
    field: DescField & { readonly fieldKind: "message" },
    part: Message,
  ) => Message;
  /** The text of well-known types in paths and queries; undefined: there are none. */
  readonly wellKnown: WellKnownText | undefined;
}

/** A body as it arrived. */
export interface RawBody {
  readonly contentType: string | undefined;
  readonly status: number;
  readonly bytes: Uint8Array;
  /** Whether there must be one. */
  readonly isRequired: boolean;
}

/** A message as it was read, and what its schema does not know, by path. */
export interface DecodedBody<M = Message> {
  readonly format: Format;
  readonly message: M;
  readonly unknownFields: UnknownFields;
}

/** An undecodable body. */
export class UnreadableBody extends Error {}

/** Protobuf whose field numbers are not verified. */
export class UnverifiedProtobuf extends Error {
  readonly bytes: Uint8Array;
  constructor({ typeName }: DescMessage, bytes: Uint8Array) {
    super(`the field numbers of ${typeName} are not verified`);
    this.bytes = bytes;
  }
}

/**
 * Reads a body by its Content-Type, and by its first byte where that contradicts: a JSON message begins with `{`, which no
 * protobuf message does (it would be a group). `field`: the body is that field of the answer. `readVerified` decides on protobuf whose
 * numbers may not be ours, and then on no bytes, too. Throws UnreadableBody for anything else, LimitExceeded for what unfolds to too
 * much.
 */
export const decodeBody = (
  codec: MessageCodec,
  schema: DescMessage,
  field: DescField | undefined,
  { contentType, status, bytes, isRequired }: RawBody,
  limits: ReadLimits,
  readVerified: ProtobufReader | undefined,
): DecodedBody => {
  const labelled = formatOf(contentType);
  if (bytes.byteLength === 0 && !(labelled === "protobuf" && readVerified !== undefined)) {
    // No bytes are the empty message in protobuf; in JSON nothing but an answer that has no content.
    const isEmpty = labelled === "protobuf" || status === 204 || (field?.message ?? schema).fields.length === 0;
    if (isRequired || !isEmpty) throw new UnreadableBody("the body is empty");
    return { format: labelled ?? "json", message: codec.create(schema, undefined), unknownFields: noUnknownFields };
  }
  // JSON other than an object is not tried as protobuf: `[]` would decode as revision 93.
  if (labelled === "json" || looksLikeJson(bytes)) {
    const isCertain = bytes[0] === openingBrace;
    const isDoubtful = labelled !== "json" && !isCertain;
    const json = attempted(() => parseJson(bytes, limits), isDoubtful);
    // A field of the answer is read as the message that has that field only.
    const whole = field === undefined || json === undefined ? json : { [field.jsonName]: json };
    try {
      if (whole !== undefined) return { format: "json", ...codec.readJson(schema, whole, limits) };
    } catch (cause) {
      if (isKnown(cause)) throw cause;
      // Without the cause, which may have values.
      throw new UnreadableBody(`its JSON is not a ${schema.typeName}: ${cause instanceof Error ? cause.message : ""}`);
    }
    // JSON's white space is also how a protobuf message may begin.
    if (isCertain) throw new UnreadableBody("malformed JSON, or not in UTF-8");
  }
  if (labelled === undefined)
    throw new UnreadableBody(`its Content-Type is ${contentType ?? "missing"}, and it is not JSON`);
  const isProtobuf = (): boolean => attempted(() => codec.readProtobuf(schema, bytes, limits)) !== undefined;
  if (labelled === "json" && !(readVerified !== undefined && isProtobuf()))
    throw new UnreadableBody("it is labelled JSON, and is none, or is not in UTF-8");
  if (field !== undefined && field.fieldKind !== "message")
    throw new UnreadableBody(
      `${field.toString()} is not a message, so its protobuf has no form: ask with format "json"`,
    );
  const read = readVerified ?? codec.readProtobuf;
  try {
    const message = read(field?.message ?? schema, bytes, limits);
    const whole = field === undefined ? message : codec.around(schema, field, message);
    return { format: "protobuf", message: whole, unknownFields: noUnknownFields };
  } catch (cause) {
    throw isKnown(cause) ? cause : new UnreadableBody(`its protobuf is not a ${schema.typeName}`, { cause });
  }
};

const isKnown = (cause: unknown): boolean =>
  cause instanceof LimitExceeded || cause instanceof UnreadableBody || cause instanceof UnverifiedProtobuf;

/** `{` */
const openingBrace = 0x7b;

/** Whether the first byte after a byte order mark and JSON's white space is `{`. */
const looksLikeJson = (bytes: Uint8Array): boolean => {
  let index = bytes[0] === 0xef ? 3 : 0;
  while (bytes[index] === 0x20 || bytes[index] === 0x09 || bytes[index] === 0x0a || bytes[index] === 0x0d) index += 1;
  return bytes[index] === openingBrace;
};
