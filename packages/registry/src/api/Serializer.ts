// Serializer of responses: numbering and schema digest.
import { toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { decodeJson, encode, schemaDigest, schemaDigests, type Format } from "@bytenite-engines/core/wire";
import type { JsonValue } from "@bufbuild/protobuf";
import { renumbered, type FieldNumbers } from "./FieldNumbers.ts";

/** Differences of other servers, to imitate them. */
export interface SerializerOptions {
  /** Other field numbers. */
  readonly fieldNumbers?: FieldNumbers | undefined;
  /** Whether responses have the schema digest. Default true. */
  readonly schemaDigest?: boolean | undefined;
  /** Whether responses are always JSON. Default false. */
  readonly jsonOnly?: boolean | undefined;
}

/** Encoder of responses. */
export interface Serializer {
  readonly jsonOnly: boolean;
  /** Undefined for our field numbers: stored bytes can be sent unchanged. */
  readonly encodeJsonText: ((schema: DescMessage, json: string) => Uint8Array) | undefined;
  readonly encode: <D extends DescMessage>(schema: D, message: MessageShape<D>, format: Format) => string | Uint8Array;
  /** The digest header's value for a message, or undefined when none is sent. */
  readonly digestOf: (schema: DescMessage) => Promise<string> | string | undefined;
}

const textOf = new TextDecoder();

/** Builds a Serializer. Throws FieldNumbersError. */
export const makeSerializer = (options: SerializerOptions = {}): Serializer => {
  const jsonOnly = options.jsonOnly ?? false;
  const withDigest = options.schemaDigest ?? true;
  if (options.fieldNumbers === undefined) {
    return {
      jsonOnly,
      encodeJsonText: undefined,
      encode: (schema, message, format) => {
        const bytes = encode(schema, message, format);
        return format === "json" ? textOf.decode(bytes) : bytes;
      },
      digestOf: (schema) => (withDigest ? schemaDigests[schema.typeName] : undefined),
    };
  }
  const registry = renumbered(options.fieldNumbers);
  const twin = (schema: DescMessage): DescMessage => registry.getMessage(schema.typeName) ?? schema;
  const encodeJsonText = (schema: DescMessage, json: string): Uint8Array =>
    toBinary(twin(schema), decodeJson(twin(schema), JSON.parse(json) as JsonValue).message);
  const digests = new Map<DescMessage, Promise<string>>();
  return {
    jsonOnly,
    encodeJsonText,
    encode: (schema, message, format) => {
      const json = textOf.decode(encode(schema, message, "json"));
      return format === "json" ? json : encodeJsonText(schema, json);
    },
    digestOf: (schema) => {
      if (!withDigest) return undefined;
      const digest = digests.get(schema) ?? schemaDigest(twin(schema));
      digests.set(schema, digest);
      return digest;
    },
  };
};
