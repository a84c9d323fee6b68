// Protobuf decoding, by generated readers or protobuf-es.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { readers } from "./gen/readers.ts";
import { MessageBytes } from "./MessageBytes.ts";
import { readCounted } from "./CountedMessage.ts";
import { defaultReadLimits, type ReadLimits } from "./ReadLimits.ts";

/** The message in bytes, by the numbers of its schema. Throws for bytes that are none, LimitExceeded for too many items. */
export const readMessage = <D extends DescMessage>(
  schema: D,
  bytes: Uint8Array,
  limits: ReadLimits = defaultReadLimits,
): MessageShape<D> => readOwn(schema, new MessageBytes(bytes, limits), limits);

/** The same, where what was met on the way is asked for afterwards. */
export const readOwn = <D extends DescMessage>(
  schema: D,
  from: MessageBytes,
  limits: ReadLimits = defaultReadLimits,
): MessageShape<D> => {
  const message = readMessageFrom(schema, from);
  if (message !== undefined) return message;
  return readCounted(schema, from.bytes, limits);
};

/** The message in bytes that say themselves which field is which; undefined for one that is no answer of the API. */
export const readMessageFrom = <D extends DescMessage>(schema: D, from: MessageBytes): MessageShape<D> | undefined =>
  readers.get(schema)?.(from, from.bytes.length) as MessageShape<D> | undefined;
