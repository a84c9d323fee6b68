// Fields of protobuf without a schema: numbers, wire types, bytes.
import { ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { attempted } from "../ReadLimits.ts";

/** Encoding of a field: its scalar type, or "message". */
export type Encoding = ScalarType | "message";

/** The wire type of a value (not of a packed list). */
export const wireTypeOf = (encoding: Encoding): WireType => {
  switch (encoding) {
    case "message":
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32;
    default:
      return WireType.Varint;
  }
};

/** One occurrence of a field: its wire type, and its bytes without tag and length. */
export interface Occurrence {
  readonly wireType: WireType;
  readonly data: Uint8Array;
}

/** The fields of one message by number. */
export type WireFields = ReadonlyMap<number, ReadonlyArray<Occurrence>>;

/** Most fields in a nested message, and in the outermost, which is a list of engines. */
export const maxInnerFields = 1_024;
export const maxRootFields = 131_072;

/** The fields of a message; several payloads are one message in parts (protobuf merges them). Undefined for malformed protobuf. */
export const tryWireFields = (
  payloads: ReadonlyArray<Uint8Array>,
  maxFields = maxInnerFields,
): WireFields | undefined => {
  const fields = new Map<number, Array<Occurrence>>();
  let left = maxFields;
  const add = (payload: Uint8Array): boolean => {
    const reader = new BinaryReader(payload);
    while (reader.pos < reader.len && left > 0) {
      const [number, wireType] = reader.tag();
      left -= 1;
      const data = wireType === WireType.LengthDelimited ? reader.bytes() : reader.skip(wireType, number);
      const occurrences = fields.get(number);
      if (occurrences === undefined) fields.set(number, [{ wireType, data }]);
      else occurrences.push({ wireType, data });
    }
    return reader.pos >= reader.len;
  };
  return attempted(() => payloads.every(add)) === true ? fields : undefined;
};
