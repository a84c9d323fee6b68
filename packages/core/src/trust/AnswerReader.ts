// Decides: how protobuf with the numbers that were found becomes a message of ours: in one pass, and only where every number
// that it carries is certain, at every depth.
//
// The descriptor of a library says which number is which field, not which numbers may be believed: the bytes would be walked
// twice, once for each. Here a number that is not certain has no slot, so that walking the bytes is the check.
import { create, type DescField, type DescMessage, type Message, type MessageShape } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { encodingsOf, wireTypeOf, type Encoding } from "./FieldMatch.ts";
import type { Carried, Numbering, Numberings } from "./Numbering.ts";
import { isPlain } from "./Sameness.ts";
import { scalarReaderOf } from "./ScalarReaders.ts";
import type { TextVisitor } from "./Whereabouts.ts";

/**
 * Added to the number of an unknown field that is one of ours: `$unknown` would otherwise be written back under the number of
 * another field of ours, and read as that one.
 */
export const unknownNumberOffset = 268_435_456;

/**
 * Reads an answer; undefined where a number is not certain, has another wire type, or the bytes are no such message. Shows the
 * texts that it passes to `visit`.
 */
export type AnswerReader<D extends DescMessage = DescMessage> = (
  bytes: Uint8Array,
  visit?: TextVisitor,
) => MessageShape<D> | undefined;

/** A message while it is being read. */
type Draft = Message & Record<string, unknown>;

interface Pass {
  readonly bytes: Uint8Array;
  readonly reader: BinaryReader;
  readonly visit: TextVisitor;
}

/** Reads what stands at one tag; false: not to be believed. */
type Slot = (draft: Draft, pass: Pass) => boolean;

/** By tag (number and wire type, as on the wire). */
type Slots = Map<number, Slot>;

/** All but groups. */
const wireTypes = [WireType.Varint, WireType.Bit64, WireType.LengthDelimited, WireType.Bit32] as const;

/** A reader by the numbers found. The messages are of our types; foreign fields are kept in `$unknown`. */
export const answerReader = <D extends DescMessage>(root: D, numberingOf: Numberings): AnswerReader<D> => {
  const slots = new SlotMaker(numberingOf).slotsOf(root);
  return (bytes, visit = ignore) => {
    const draft: MessageShape<D> = create(root);
    const pass = { bytes, reader: new BinaryReader(bytes), visit };
    try {
      return readInto(draft, slots, bytes.length, pass) ? draft : undefined;
    } catch {
      return undefined;
    }
  };
};

const ignore: TextVisitor = () => {};

const readInto = (draft: Draft, slots: Slots, end: number, pass: Pass): boolean => {
  const { bytes, reader } = pass;
  while (reader.pos < end) {
    let tag = bytes[reader.pos] ?? 0;
    if (tag < 0x80) {
      reader.pos += 1;
    } else {
      const [number, wireType] = reader.tag();
      tag = number * 8 + wireType;
    }
    const slot = slots.get(tag);
    if (slot === undefined || !slot(draft, pass)) return false;
  }
  return reader.pos === end;
};

class SlotMaker {
  readonly #numberingOf: Numberings;
  readonly #done = new Map<string, Slots>();

  constructor(numberingOf: Numberings) {
    this.#numberingOf = numberingOf;
  }

  slotsOf(message: DescMessage): Slots {
    const done = this.#done.get(message.typeName);
    if (done !== undefined) return done;
    const slots: Slots = new Map();
    this.#done.set(message.typeName, slots);
    const numbering = isPlain(message) ? this.#numberingOf(message) : published(message);
    const ours = new Set(message.fields.map(({ number }) => number));
    for (const number of numbering?.foreign ?? []) {
      const keptAs = ours.has(number) ? number + unknownNumberOffset : number;
      for (const wireType of wireTypes) slots.set(number * 8 + wireType, foreignSlot(number, wireType, keptAs));
    }
    for (const carried of numbering?.confirmed.values() ?? []) {
      const slot = this.#slotOf(message, carried);
      if (slot === undefined) continue;
      slots.set(carried.number * 8 + wireTypeOf(carried.encoding), slot);
      // A list of numbers may come packed.
      const packed = carried.field.fieldKind === "list" ? packedSlot(carried) : undefined;
      if (packed !== undefined) slots.set(carried.number * 8 + WireType.LengthDelimited, packed);
    }
    return slots;
  }

  /** None for kinds of field that no answer of the API has: what carries one is read in JSON. */
  #slotOf({ typeName }: DescMessage, { field, number, encoding }: Carried): Slot | undefined {
    if (field.fieldKind !== "scalar" && field.fieldKind !== "message" && field.fieldKind !== "list") return undefined;
    if (field.oneof !== undefined) return undefined;
    const isList = field.fieldKind === "list";
    if (encoding === "message") {
      const { message } = field;
      return message === undefined || !(isPlain(message) || isTimestamp(message))
        ? undefined
        : messageSlot(field.localName, isList, message, this.slotsOf(message));
    }
    const read = scalarReaderOf(field, encoding);
    return field.fieldKind === "scalar" && wireTypeOf(encoding) === WireType.LengthDelimited
      ? textSlot(typeName, number, field.localName, read)
      : scalarSlot(field.localName, isList, read);
  }
}

const isTimestamp = ({ typeName }: DescMessage): boolean => typeName === "google.protobuf.Timestamp";

/** The numbers of a message of Google's are known. */
const published = (message: DescMessage): Pick<Numbering, "confirmed" | "foreign"> => ({
  confirmed: new Map(message.fields.map((field) => [field.number, carriedAsPublished(field)])),
  foreign: new Set(),
});

const carriedAsPublished = (field: DescField): Carried => {
  const encoding: Encoding = encodingsOf(field)[0] ?? "message";
  return { field, number: field.number, encoding };
};

const messageSlot =
  (name: string, isList: boolean, message: DescMessage, slots: Slots): Slot =>
  (draft, pass) => {
    const { reader } = pass;
    const length = reader.uint32();
    const known = isList ? undefined : (draft[name] as Draft | undefined);
    const inner = known ?? (create(message) as Draft);
    if (!readInto(inner, slots, reader.pos + length, pass)) return false;
    if (isList) (draft[name] as Array<unknown>).push(inner);
    else draft[name] = inner;
    return true;
  };

const textSlot =
  (typeName: string, number: number, name: string, read: (reader: BinaryReader) => unknown): Slot =>
  (draft, { bytes, reader, visit }) => {
    let start = reader.pos;
    while ((bytes[start++] ?? 0) >= 0x80);
    draft[name] = read(reader);
    visit(typeName, number, bytes, start, reader.pos);
    return true;
  };

const scalarSlot = (name: string, isList: boolean, read: (reader: BinaryReader) => unknown): Slot =>
  isList
    ? (draft, { reader }) => {
        (draft[name] as Array<unknown>).push(read(reader));
        return true;
      }
    : (draft, { reader }) => {
        draft[name] = read(reader);
        return true;
      };

const packedSlot = ({ field, encoding }: Carried): Slot | undefined => {
  if (encoding === "message" || wireTypeOf(encoding) === WireType.LengthDelimited) return undefined;
  const read = scalarReaderOf(field, encoding);
  return (draft, { reader }) => {
    const items = draft[field.localName] as Array<unknown>;
    const end = reader.uint32() + reader.pos;
    while (reader.pos < end) items.push(read(reader));
    return reader.pos === end;
  };
};

const foreignSlot =
  (number: number, wireType: WireType, keptAs: number): Slot =>
  (draft, { reader }) => {
    draft.$unknown ??= [];
    draft.$unknown.push({ no: keptAs, wireType, data: reader.skip(wireType, number) });
    return true;
  };
