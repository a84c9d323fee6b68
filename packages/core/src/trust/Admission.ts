// Decides: whether every number that an answer carries is certain, at every depth: only then may its bytes be believed.
import type { DescMessage } from "@bufbuild/protobuf";
import { wireTypeOf } from "./FieldMatch.ts";
import type { Numberings } from "./Numbering.ts";
import { isPlain } from "./Sameness.ts";

/** By tag (number and wire type, as on the wire): what is inside it. */
export type Layout = ReadonlyMap<number, Layout | undefined>;

const lengthDelimited = 2;
/** All but groups. */
const wireTypes = [0, 1, lengthDelimited, 5];

/** The layout of a message type, from what is certain about it and about those inside it. */
export const layoutOf = (root: DescMessage, numberingOf: Numberings): Layout => {
  const layouts = new Map<string, Map<number, Layout | undefined>>();
  const build = (message: DescMessage): Layout => {
    const known = layouts.get(message.typeName);
    if (known !== undefined) return known;
    const layout = new Map<number, Layout | undefined>();
    layouts.set(message.typeName, layout);
    const numbering = numberingOf(message);
    for (const number of numbering?.foreign ?? []) {
      for (const wireType of wireTypes) layout.set(number * 8 + wireType, undefined);
    }
    for (const [number, { field, encoding }] of numbering?.confirmed ?? []) {
      const inside = field.message !== undefined && isPlain(field.message) ? build(field.message) : undefined;
      layout.set(number * 8 + wireTypeOf(encoding), inside);
      // A list of numbers may come packed.
      if (field.fieldKind === "list") layout.set(number * 8 + lengthDelimited, inside);
    }
    return layout;
  };
  return build(root);
};

/**
 * Whether a message carries only what its layout names, with the right wire types. Reads tags and lengths only, allocates
 * nothing, and says no to whatever it does not understand.
 */
export const admits = (layout: Layout, bytes: Uint8Array): boolean => admitsTo(layout, bytes, 0, bytes.length);

const admitsTo = (layout: Layout, bytes: Uint8Array, start: number, end: number): boolean => {
  let at = start;
  while (at < end) {
    const sizedTag = varint(bytes, at);
    const tag = Math.floor(sizedTag / 8);
    at += sizedTag % 8;
    const inside = layout.get(tag);
    if (inside === undefined && !layout.has(tag)) return false;
    switch (tag & 7) {
      case 0:
        while ((bytes[at++] ?? 0) >= 0x80);
        break;
      case 1:
        at += 8;
        break;
      case 5:
        at += 4;
        break;
      default: {
        const sizedLength = varint(bytes, at);
        at += sizedLength % 8;
        const stop = at + Math.floor(sizedLength / 8);
        if (!(stop <= end) || (inside !== undefined && !admitsTo(inside, bytes, at, stop))) return false;
        at = stop;
      }
    }
  }
  return at === end;
};

/** Eight times a varint, plus the number of its bytes; NaN for more than five or one that is cut short: nothing equals that. */
const varint = (bytes: Uint8Array, start: number): number => {
  let value = 0;
  let unit = 8;
  for (let size = 1; size <= 5; size++) {
    const byte = bytes[start + size - 1];
    if (byte === undefined) return Number.NaN;
    if (byte < 0x80) return value + byte * unit + size;
    value += (byte - 0x80) * unit;
    unit *= 0x80;
  }
  return Number.NaN;
};
