// Decides: how protobuf is read: by code made for the answers of the API, and by protobuf-es for every other message.
import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { readers } from "./gen/readers.ts";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { MessageBytes } from "./MessageBytes.ts";
import { defaultReadLimits, LimitExceeded, type ReadLimits } from "./ReadLimits.ts";

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
  // Each field takes two bytes at least.
  if (from.bytes.byteLength > limits.maxItems) countFields(schema, from.bytes, limits.maxItems, limits.maxItems);
  return fromBinary(schema, from.bytes);
};

/** How many fields may still come after those of a message and all inside it. Throws LimitExceeded below none. */
const countFields = (schema: DescMessage, bytes: Uint8Array, maxItems: number, left: number): number => {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    const data = wireType === WireType.LengthDelimited ? reader.bytes() : reader.skip(wireType, number);
    left -= 1;
    const inner = schema.fields.find((field) => field.number === number)?.message;
    if (inner !== undefined && wireType === WireType.LengthDelimited) left = countFields(inner, data, maxItems, left);
    if (left < 0) throw new LimitExceeded("maxItems", maxItems);
  }
  return left;
};

/** The message in bytes that say themselves which field is which; undefined for one that is no answer of the API. */
export const readMessageFrom = <D extends DescMessage>(schema: D, from: MessageBytes): MessageShape<D> | undefined =>
  readers.get(schema)?.(from, from.bytes.length) as MessageShape<D> | undefined;
