// Fields of protobuf without a schema: numbers, wire types, bytes.
import { ScalarType } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { sameBytes, sameLink } from "./Sameness.ts";

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
const maxInnerFields = 1_024;
export const maxRootFields = 131_072;

/**
 * The fields of a message; several payloads are one message in parts (protobuf merges them). Throws RangeError or Error for
 * malformed protobuf.
 */
export const wireFields = (payloads: ReadonlyArray<Uint8Array>, maxFields = maxInnerFields): WireFields => {
  const fields = new Map<number, Array<Occurrence>>();
  let left = maxFields;
  for (const payload of payloads) {
    const reader = new BinaryReader(payload);
    while (reader.pos < reader.len) {
      const [number, wireType] = reader.tag();
      left -= 1;
      if (left < 0) throw new RangeError(`more than ${maxFields} fields in one message`);
      const data = wireType === WireType.LengthDelimited ? reader.bytes() : reader.skip(wireType, number);
      const occurrences = fields.get(number);
      if (occurrences === undefined) fields.set(number, [{ wireType, data }]);
      else occurrences.push({ wireType, data });
    }
  }
  return fields;
};

/** The same, or undefined for malformed protobuf. */
export const tryWireFields = (
  payloads: ReadonlyArray<Uint8Array>,
  maxFields = maxInnerFields,
): WireFields | undefined => {
  try {
    return wireFields(payloads, maxFields);
  } catch {
    return undefined;
  }
};

/** Deepest nesting that is read; the contract has less. */
const maxDepth = 8;
const text = new TextDecoder();

/** Whether two protobuf messages have equal values at the same numbers, except for the queries of signed links. */
export const sameWire = (a: Uint8Array, b: Uint8Array, depth = maxDepth): boolean => {
  if (sameBytes(a, b)) return true;
  const maxFields = depth === maxDepth ? maxRootFields : maxInnerFields;
  const one = depth === 0 ? undefined : tryWireFields([a], maxFields);
  const other = one && tryWireFields([b], maxFields);
  if (one === undefined || one.size !== other?.size) return false;
  return [...one].every(([number, occurrences]) => {
    const others = other.get(number);
    return (
      occurrences.length === others?.length && occurrences.every((own, at) => sameOccurrence(own, others[at], depth))
    );
  });
};

const sameOccurrence = (a: Occurrence, b: Occurrence | undefined, depth: number): boolean => {
  if (a.wireType !== b?.wireType) return false;
  if (a.wireType !== WireType.LengthDelimited) return sameBytes(a.data, b.data);
  return sameLink(text.decode(a.data), text.decode(b.data)) || sameWire(a.data, b.data, depth - 1);
};
