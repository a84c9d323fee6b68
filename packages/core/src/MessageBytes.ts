// Field values from the bytes of a protobuf message.
//
// protobuf-es reads any message by its descriptor. The three answers of the API are read by code that is written from the same
// descriptors beforehand (gen/readers.ts), which takes less than half of that time: objects get all their properties at once, and no
// field is looked up. This file has its primitives.
import type { Message } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { defaultReadLimits, LimitExceeded, type ReadLimits } from "./ReadLimits.ts";

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Longest text that is read byte by byte; for longer ones TextDecoder is faster. */
const maxShortText = 24;

/** By their numbers on the wire. */
const wireTypes: ReadonlyArray<WireType | undefined> = [
  WireType.Varint,
  WireType.Bit64,
  WireType.LengthDelimited,
  WireType.StartGroup,
  WireType.EndGroup,
  WireType.Bit32,
];

/** Groups inside each other, at most: as protobuf-es has it. */
const maxGroups = 100;

/**
 * Bytes that are being read. All methods throw for malformed messages: cut short, too long, not UTF-8; and LimitExceeded
 * before there is more of something than the limits allow.
 */
export class MessageBytes {
  readonly bytes: Uint8Array;
  pos = 0;
  /** Whether there was, at any depth, an unknown field or one of another wire type. */
  hasUnknown = false;
  /** Whether a boolean, at any depth, was neither 0 nor 1: probably another field's value. */
  hasOddFlag = false;
  #reader: BinaryReader | undefined;
  readonly #limits: ReadLimits;
  #items = 0;

  constructor(bytes: Uint8Array, limits: ReadLimits = defaultReadLimits) {
    this.bytes = bytes;
    this.#limits = limits;
  }

  /** Counts a list item, a message or an unknown field. */
  item(): void {
    this.#items += 1;
    if (this.#items > this.#limits.maxItems) throw new LimitExceeded("maxItems", this.#limits.maxItems);
  }

  /** Counts a message that becomes an item of a list with so many. */
  entry(length: number): void {
    const { maxEnginesPerPage } = this.#limits;
    if (length >= maxEnginesPerPage) throw new LimitExceeded("maxEnginesPerPage", maxEnginesPerPage);
  }

  /** The end of a message inside this one. */
  message(outerEnd: number): number {
    this.item();
    return this.end(outerEnd);
  }

  /** Number and wire type of the next field as one number, as on the wire. `message`: which one it is in, by its number. */
  tag(_message: number): number {
    return this.varint();
  }

  /** The end of what begins here with its length, inside a message that ends there. */
  end(outerEnd: number): number {
    const length = this.varint();
    const end = this.pos + length;
    if (end > outerEnd) throw new RangeError(tooLong);
    return end;
  }

  /** Ends a message; a field that went on behind it is an error. */
  close(end: number): void {
    if (this.pos !== end) throw new RangeError(tooLong);
  }

  text(outerEnd: number): string {
    const end = this.end(outerEnd);
    const start = this.pos;
    this.pos = end;
    return textIn(this.bytes, start, end);
  }

  view(outerEnd: number): Uint8Array {
    const end = this.end(outerEnd);
    const start = this.pos;
    this.pos = end;
    return this.bytes.subarray(start, end);
  }

  bool(): boolean {
    const byte = this.bytes[this.pos] as number;
    if (byte < 2) {
      this.pos += 1;
      return byte === 1;
    }
    // Behind the end, too, where it throws.
    return this.#longFlag();
  }

  int32(): number {
    const byte = this.bytes[this.pos] as number;
    if (byte < 0x80) {
      this.pos += 1;
      return byte;
    }
    return this.scalar((reader) => reader.int32());
  }

  uint32(): number {
    return this.varint();
  }

  /** A value of a type that is rare, or long: read by protobuf-es. */
  scalar<A>(read: (reader: BinaryReader) => A): A {
    const reader = (this.#reader ??= new BinaryReader(this.bytes));
    reader.pos = this.pos;
    const value = read(reader);
    this.pos = reader.pos;
    return value;
  }

  /** Keeps an unknown field, or one of another wire type, unchanged. */
  unknown(message: Message, tag: number): void {
    const wireType = wireTypes[tag & 7];
    if (wireType === undefined) throw new RangeError(`there is no wire type ${tag & 7}`);
    this.keep(message, tag >>> 3, tag >>> 3, wireType);
  }

  /** Keeps it under another number. */
  protected keep(message: Message, keptAs: number, number: number, wireType: WireType): void {
    if (number === 0) throw new RangeError("a field has the number 0");
    const data = this.scalar((reader) => reader.skip(wireType, number, maxGroups));
    this.hasUnknown = true;
    this.item();
    message.$unknown ??= [];
    message.$unknown.push({ no: keptAs, wireType, data });
  }

  /** Any number but 0 is true. */
  #longFlag(): boolean {
    const value = this.scalar((reader) => BigInt(reader.uint64()));
    this.hasOddFlag ||= value > 1n;
    return value !== 0n;
  }

  protected varint(): number {
    const { bytes, pos } = this;
    const one = bytes[pos] as number;
    if (one < 0x80) {
      this.pos = pos + 1;
      return one;
    }
    const two = bytes[pos + 1] as number;
    if (two < 0x80) {
      this.pos = pos + 2;
      return (one & 0x7f) | (two << 7);
    }
    return this.scalar((reader) => reader.uint32());
  }
}

const tooLong = "a field is longer than its message";

/** The text in UTF-8 between two places. Throws where it is not UTF-8. */
export const textIn = (bytes: Uint8Array, start: number, end: number): string => {
  if (end - start > maxShortText) return utf8.decode(bytes.subarray(start, end));
  let text = "";
  let at = start;
  for (; at + 4 <= end; at += 4) {
    const one = bytes[at] as number;
    const two = bytes[at + 1] as number;
    const three = bytes[at + 2] as number;
    const four = bytes[at + 3] as number;
    if ((one | two | three | four) >= 0x80) return utf8.decode(bytes.subarray(start, end));
    text += String.fromCharCode(one, two, three, four);
  }
  for (; at < end; at++) {
    const one = bytes[at] as number;
    if (one >= 0x80) return utf8.decode(bytes.subarray(start, end));
    text += String.fromCharCode(one);
  }
  return text;
};
