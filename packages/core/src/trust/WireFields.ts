// Decides: what a protobuf message carries when nothing is known of its schema: numbers, wire types, bytes.
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** One occurrence of a field: its wire type, and its bytes without tag and length. */
export interface Occurrence {
  readonly wireType: WireType;
  readonly data: Uint8Array;
}

/** Everything that one message carries, by field number. */
export type WireFields = ReadonlyMap<number, ReadonlyArray<Occurrence>>;

/**
 * The fields of a message; several payloads are one message in parts (protobuf merges them). Throws RangeError or Error for
 * bytes that are no protobuf.
 */
export const wireFields = (payloads: ReadonlyArray<Uint8Array>): WireFields => {
  const fields = new Map<number, Array<Occurrence>>();
  for (const payload of payloads) {
    const reader = new BinaryReader(payload);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      const data = wireType === WireType.LengthDelimited ? reader.bytes() : reader.skip(wireType, number);
      const occurrences = fields.get(number);
      if (occurrences === undefined) fields.set(number, [{ wireType, data }]);
      else occurrences.push({ wireType, data });
    }
  }
  return fields;
};

/** The same, or undefined for bytes that are no protobuf. */
export const tryWireFields = (payloads: ReadonlyArray<Uint8Array>): WireFields | undefined => {
  try {
    return wireFields(payloads);
  } catch {
    return undefined;
  }
};
