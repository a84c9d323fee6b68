// Equality of two responses in protobuf.
import { WireType } from "@bufbuild/protobuf/wire";
import { sameBytes, sameLink } from "../verify/FieldMatch.ts";
import { maxInnerFields, maxRootFields, tryWireFields, type Occurrence } from "../verify/WireFields.ts";

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
