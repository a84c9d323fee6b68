// Decides: whether every number that an answer carries is certain, at every depth: only then may its bytes be believed.
import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { wireTypeOf } from "./FieldMatch.ts";
import type { Numberings } from "./Numbering.ts";
import { isPlain } from "./Sameness.ts";
import type { TextVisitor } from "./Whereabouts.ts";

/** What is certain about a message type. */
export interface Layout {
  readonly typeName: string;
  /** By tag (number and wire type, as on the wire): what stands there. */
  readonly slots: ReadonlyMap<number, Slot>;
}

/** A message, the one text of a field, or anything else. */
type Slot = Layout | "text" | "opaque";

const lengthDelimited = 2;
/** All but groups. */
const wireTypes = [0, 1, lengthDelimited, 5];

/** The layout of a message type, from what is certain about it and about those inside it. */
export const layoutOf = (root: DescMessage, numberingOf: Numberings): Layout => {
  const layouts = new Map<string, Layout>();
  const build = (message: DescMessage): Layout => {
    const known = layouts.get(message.typeName);
    if (known !== undefined) return known;
    const slots = new Map<number, Slot>();
    const layout = { typeName: message.typeName, slots };
    layouts.set(message.typeName, layout);
    const numbering = numberingOf(message);
    for (const number of numbering?.foreign ?? []) {
      for (const wireType of wireTypes) slots.set(number * 8 + wireType, "opaque");
    }
    for (const [number, { field, encoding }] of numbering?.confirmed ?? []) {
      const slot = slotOf(field, build);
      slots.set(number * 8 + wireTypeOf(encoding), slot);
      // A list of numbers may come packed.
      if (field.fieldKind === "list") slots.set(number * 8 + lengthDelimited, slot);
    }
    return layout;
  };
  return build(root);
};

const slotOf = (field: DescField, build: (message: DescMessage) => Layout): Slot => {
  if (field.message !== undefined && isPlain(field.message)) return build(field.message);
  return field.fieldKind === "scalar" && field.scalar === ScalarType.STRING ? "text" : "opaque";
};

/**
 * Whether a message carries only what its layout names, with the right wire types. Reads tags and lengths only, and says no
 * to whatever it does not understand. Shows the texts that it passes to `visit`.
 */
export const admits = (layout: Layout, bytes: Uint8Array, visit: TextVisitor = ignore): boolean =>
  admitsTo(layout, bytes, 0, bytes.length, visit);

const ignore: TextVisitor = () => {};

const admitsTo = (layout: Layout, bytes: Uint8Array, start: number, end: number, visit: TextVisitor): boolean => {
  const { slots, typeName } = layout;
  let at = start;
  while (at < end) {
    const sizedTag = varint(bytes, at);
    const tag = Math.floor(sizedTag / 8);
    at += sizedTag % 8;
    const slot = slots.get(tag);
    if (slot === undefined) return false;
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
        if (!(stop <= end)) return false;
        if (slot === "text") visit(typeName, tag >>> 3, bytes, at, stop);
        else if (slot !== "opaque" && !admitsTo(slot, bytes, at, stop, visit)) return false;
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
