// Protobuf decoding by generated readers.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { oncePer } from "./Descriptor.ts";
import { readers } from "./gen/readers.ts";
import { MessageBytes } from "./MessageBytes.ts";
import type { ReadLimits } from "./ReadLimits.ts";
import { canonicalForm } from "./SchemaDigest.ts";

/**
 * Reads the protobuf of a message. Throws for malformed bytes, LimitExceeded for too many items. `met` is called with what else there was:
 * unknown fields and odd booleans, as far as a generated reader saw them.
 */
export type ProtobufReader = <D extends DescMessage>(
  schema: D,
  bytes: Uint8Array,
  limits?: ReadLimits,
  met?: (found: Pick<MessageBytes, "hasUnknown" | "hasOddFlag">) => void,
) => MessageShape<D>;

/** By the generated reader of its schema. Throws TypeError for a schema without one. */
export const readMessage: ProtobufReader = (schema, bytes, limits, met) => {
  const from = new MessageBytes(bytes, limits);
  const message = readMessageFrom(schema, from);
  if (message === undefined) throw new TypeError(`no reader for ${schema.typeName}`);
  met?.(from);
  return message;
};

/** The message in bytes that say themselves which field is which; undefined for one that is not a response of the API. */
export const readMessageFrom = <D extends DescMessage>(schema: D, from: MessageBytes): MessageShape<D> | undefined =>
  readerOf(schema)?.(from, from.bytes.length) as MessageShape<D> | undefined;

/** Whether there is a reader for a message. */
export const hasReader = (schema: DescMessage): boolean => readerOf(schema) !== undefined;

type Reader = (from: MessageBytes, end: number) => unknown;

const readerOf = (schema: DescMessage): Reader | undefined => readers.get(schema) ?? readerOfOther(schema);

/** Other descriptors of the same message have the same reader: those of protobuf-es, or of somebody's own copy of the contract. */
const readerOfOther: (schema: DescMessage) => Reader | undefined = /* @__PURE__ */ oncePer((schema) => {
  const form = canonicalForm(schema);
  return [...readers].find(([known]) => canonicalForm(known) === form)?.[1];
});
