// Decides: whether every number that an answer carries is certain, at every depth: only then may its bytes be believed.
import { ScalarType, type DescMessage } from "@bufbuild/protobuf";
import { wireTypeOf } from "./FieldMatch.ts";
import type { Numberings } from "./Numbering.ts";
import { isPlain } from "./Sameness.ts";

/** What may stand at a number: bits of the wire types, and what is inside. */
interface Slot {
  /** Bit n is set when wire type n may stand here. */
  readonly wireTypes: number;
  readonly inside: Layout | undefined;
}

/** The numbers that are certain in a message type. */
export type Layout = ReadonlyMap<number, Slot>;

const lengthDelimited = 2;
const packedBit = 1 << lengthDelimited;
const anyWireType = 0b100111;

/** The layout of a message type, from what is certain about it and about those inside it. */
export const layoutOf = (root: DescMessage, numberingOf: Numberings): Layout => {
  const layouts = new Map<string, Map<number, Slot>>();
  const build = (message: DescMessage): Layout => {
    const known = layouts.get(message.typeName);
    if (known !== undefined) return known;
    const layout = new Map<number, Slot>();
    layouts.set(message.typeName, layout);
    const numbering = numberingOf(message);
    for (const number of numbering?.foreign ?? []) layout.set(number, { wireTypes: anyWireType, inside: undefined });
    for (const [number, { field, encoding }] of numbering?.confirmed ?? []) {
      const isPacked = field.fieldKind === "list" && encoding !== "message" && encoding !== ScalarType.STRING;
      layout.set(number, {
        wireTypes: (1 << wireTypeOf(encoding)) | (isPacked ? packedBit : 0),
        inside: field.message !== undefined && isPlain(field.message) ? build(field.message) : undefined,
      });
    }
    return layout;
  };
  return build(root);
};

/**
 * Whether a message carries only what its layout names, with the right wire types. Reads tags and lengths only, allocates
 * nothing, and says no to whatever it does not understand.
 */
export const admits = (layout: Layout, bytes: Uint8Array): boolean => {
  const cursor = { bytes, position: 0 };
  return admitsUntil(layout, cursor, bytes.length) && cursor.position === bytes.length;
};

interface Cursor {
  readonly bytes: Uint8Array;
  position: number;
}

const admitsUntil = (layout: Layout, cursor: Cursor, end: number): boolean => {
  while (cursor.position < end) {
    const tag = varint(cursor);
    const slot = layout.get(Math.floor(tag / 8));
    const wireType = tag % 8;
    if (slot === undefined || (slot.wireTypes & (1 << wireType)) === 0) return false;
    if (wireType === 0) skipVarint(cursor);
    else if (wireType === 1) cursor.position += 8;
    else if (wireType === 5) cursor.position += 4;
    else {
      const stop = varint(cursor) + cursor.position;
      if (!(stop <= end)) return false;
      if (slot.inside === undefined) cursor.position = stop;
      else if (!admitsUntil(slot.inside, cursor, stop)) return false;
    }
  }
  return cursor.position === end;
};

/** A varint of at most five bytes; NaN for a longer one or one that is cut short, which no comparison holds for. */
const varint = (cursor: Cursor): number => {
  const { bytes } = cursor;
  let value = 0;
  let unit = 1;
  for (let length = 0; length < 5; length++) {
    const byte = bytes[cursor.position++];
    if (byte === undefined) return Number.NaN;
    if (byte < 0x80) return value + byte * unit;
    value += (byte - 0x80) * unit;
    unit *= 0x80;
  }
  return Number.NaN;
};

const skipVarint = (cursor: Cursor): void => {
  while ((cursor.bytes[cursor.position++] ?? 0) >= 0x80);
};
