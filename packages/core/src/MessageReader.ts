// Protobuf decoding within limits: by generated readers, or of any message.
import { fromBinary, ScalarType, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { readers } from "./gen/readers.ts";
import { MessageBytes } from "./MessageBytes.ts";
import { defaultReadLimits, LimitExceeded, type ReadLimits } from "./ReadLimits.ts";
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

/** By a generated reader where there is one, else by protobuf-es. */
export const readAnyMessage: ProtobufReader = (schema, bytes, limits = defaultReadLimits, met) =>
  hasReader(schema) ? readMessage(schema, bytes, limits, met) : readCounted(schema, bytes, limits);

/** The message in bytes that say themselves which field is which; undefined for one that is not a response of the API. */
export const readMessageFrom = <D extends DescMessage>(schema: D, from: MessageBytes): MessageShape<D> | undefined =>
  readerOf(schema)?.(from, from.bytes.length) as MessageShape<D> | undefined;

/** Whether there is a reader for a message. */
export const hasReader = (schema: DescMessage): boolean => readerOf(schema) !== undefined;

type Reader = (from: MessageBytes, end: number) => unknown;

const found = /* @__PURE__ */ new WeakMap<DescMessage, Reader | undefined>();

/** Other descriptors of the same message have the same reader: those of protobuf-es, or of somebody's own copy of the contract. */
const readerOf = (schema: DescMessage): Reader | undefined => {
  const own = readers.get(schema);
  if (own !== undefined || found.has(schema)) return own ?? found.get(schema);
  for (const [known, reader] of readers)
    if (known.typeName === schema.typeName && canonicalForm(known) === canonicalForm(schema)) found.set(schema, reader);
  if (!found.has(schema)) found.set(schema, undefined);
  return found.get(schema);
};

/** The message in bytes. Throws for malformed bytes, and LimitExceeded before more is made of them than `maxItems`. */
export const readCounted = <D extends DescMessage>(
  schema: D,
  bytes: Uint8Array,
  { maxItems }: Pick<ReadLimits, "maxItems">,
): MessageShape<D> => {
  // Each item takes a byte at least.
  if (bytes.byteLength > maxItems) countFields(schema, bytes, { maxItems, left: maxItems });
  return fromBinary(schema, bytes);
};

interface Count {
  readonly maxItems: number;
  /** Remaining number of items. */
  left: number;
}

const take = (count: Count, items: number): void => {
  count.left -= items;
  if (count.left < 0) throw new LimitExceeded("maxItems", count.maxItems);
};

/** Counts the fields of a message and all inside it. Without a schema only those of its own. */
const countFields = (schema: DescMessage | undefined, bytes: Uint8Array, count: Count): void => {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    // The end of a group, whose bytes hold it.
    if (wireType === WireType.EndGroup) return;
    take(count, 1);
    const field = schema?.fields.find((each) => each.number === number);
    const isText = wireType === WireType.LengthDelimited;
    const data = isText ? reader.bytes() : reader.skip(wireType, number);
    if (field === undefined) continue;
    if (field.fieldKind === "map") {
      if (isText && field.mapKind === "message") countEntry(field.message, data, count);
    } else if (field.message !== undefined) {
      if (isText || wireType === WireType.StartGroup) countFields(field.message, data, count);
    } else if (isText && field.fieldKind === "list") take(count, packedItems(field, data));
  }
};

/** The value of a map's entry has the number 2. */
const countEntry = (schema: DescMessage, bytes: Uint8Array, count: Count): void => {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (number === 2 && wireType === WireType.LengthDelimited) countFields(schema, reader.bytes(), count);
    else reader.skip(wireType, number);
  }
};

/** How many numbers a list holds whose items lie one behind the other; 0 for texts and bytes, which do not. */
const packedItems = (field: DescField & { fieldKind: "list" }, bytes: Uint8Array): number => {
  switch (field.listKind === "enum" ? ScalarType.INT32 : field.scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 0;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return bytes.byteLength / 8;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return bytes.byteLength / 4;
    default:
      return bytes.reduce((items, byte) => items + (byte < 0x80 ? 1 : 0), 0);
  }
};
