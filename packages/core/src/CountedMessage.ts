// Protobuf decoding of any message, with a limit on items.
import { fromBinary, ScalarType, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { hasReader, readMessage, type ProtobufReader } from "./MessageReader.ts";
import { defaultReadLimits, LimitExceeded, type ReadLimits } from "./ReadLimits.ts";
import { wireTypeOf } from "./verify/WireFields.ts";

/** By a generated reader where there is one, else by protobuf-es. */
export const readAnyMessage: ProtobufReader = (schema, bytes, limits = defaultReadLimits, met) =>
  hasReader(schema) ? readMessage(schema, bytes, limits, met) : readCounted(schema, bytes, limits);

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
  switch (wireTypeOf(field.listKind === "scalar" ? field.scalar : ScalarType.INT32)) {
    case WireType.LengthDelimited:
      return 0;
    case WireType.Bit64:
      return bytes.byteLength / 8;
    case WireType.Bit32:
      return bytes.byteLength / 4;
    default:
      return bytes.reduce((items, byte) => items + (byte < 0x80 ? 1 : 0), 0);
  }
};
