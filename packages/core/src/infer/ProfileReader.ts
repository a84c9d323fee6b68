// Protobuf decoding by the field numbers of a profile.
//
// Each tag of the server is translated to ours, and the message is read by the reader of our numbers. A number that is not certain has
// no translation, so an uncertain message is undefined.
import { ScalarType, type DescField, type DescMessage, type Message, type MessageShape } from "@bufbuild/protobuf";
import { WireType, type BinaryReader } from "@bufbuild/protobuf/wire";
import { oncePer } from "../Descriptor.ts";
import { messageNames } from "../gen/readers.ts";
import { MessageBytes } from "../MessageBytes.ts";
import { readMessageFrom } from "../MessageReader.ts";
import { LimitExceeded, type ReadLimits } from "../ReadLimits.ts";
import { isPlain, ownEncoding } from "../verify/FieldMatch.ts";
import { wireTypeOf, type Encoding } from "../verify/WireFields.ts";
import type { FieldNumbers } from "../verify/SchemaVerifier.ts";
import { evidenceOf } from "./Evidence.ts";
import { evidenceFrom, profiledMessages, type Profile } from "./Profile.ts";
import { solve, type Numbering, type Numberings } from "./Solution.ts";

/**
 * Added to the number of an unknown field if our schema has that number: `$unknown` would otherwise be read back as our field.
 */
export const unknownNumberOffset = 268_435_456;

/** The field numbers of a profile, for the option `protobufVerification` of a client. Throws ProfileError. */
export const fieldNumbers = (profile: Profile): FieldNumbers => {
  const evidence = evidenceFrom(profile);
  const readerOf = oncePer((schema) =>
    profileReader(schema, (message) => solve(message, evidenceOf(evidence, message))),
  );
  return {
    origin: profile.origin,
    areOther: profiledMessages.some((message) => {
      const numbering = solve(message, evidenceOf(evidence, message));
      return [...(numbering?.confirmed.values() ?? [])].some(
        ({ field, number, encoding }) => number !== field.number || encoding !== ownEncoding(field),
      );
    }),
    read: <D extends DescMessage>(schema: D, bytes: Uint8Array, limits?: ReadLimits) =>
      readerOf(schema)(bytes, limits) as MessageShape<D> | undefined,
  };
};

/** Reads a response; undefined where a number is not certain, has another wire type, or the bytes are malformed. Throws LimitExceeded. */
export type ProfileReader<D extends DescMessage = DescMessage> = (
  bytes: Uint8Array,
  limits?: ReadLimits,
) => MessageShape<D> | undefined;

/** A tag of the server, translated. */
interface Meaning {
  /** The server's number and wire type. */
  readonly number: number;
  readonly wireType: WireType;
  /** Our tag of the same field; 0: unknown field. */
  readonly tag: number;
  /** Encoding of its values. */
  readonly encoding: Encoding;
  /** Number of an unknown field in `$unknown`. */
  readonly keptAs: number;
}

/** Tags of numbers below 256 are looked up in an array: a map takes a third of the decoding time. */
const nearTags = 2_048;

/** By tag, for one message type. */
interface Meanings {
  readonly near: ReadonlyArray<Meaning | undefined>;
  readonly far: ReadonlyMap<number, Meaning>;
}

/** A reader by the numbers of a profile. Messages have our types; unknown fields are kept in `$unknown`. */
export const profileReader = <D extends DescMessage>(root: D, numberingOf: Numberings): ProfileReader<D> => {
  const meanings = new Map<string, Meanings>();
  collect(root, numberingOf, meanings);
  const inOrder = messageNames.map((name) => meanings.get(name));
  return (bytes, limits) => {
    try {
      return readMessageFrom(root, new ForeignBytes(bytes, inOrder, limits));
    } catch (cause) {
      if (cause instanceof LimitExceeded) throw cause;
      return undefined;
    }
  };
};

class NotCertain extends Error {}

/** A reader of bytes with other field numbers. */
class ForeignBytes extends MessageBytes {
  readonly #meanings: ReadonlyArray<Meanings | undefined>;
  #meaning!: Meaning;

  constructor(bytes: Uint8Array, meanings: ReadonlyArray<Meanings | undefined>, limits: ReadLimits | undefined) {
    super(bytes, limits);
    this.#meanings = meanings;
  }

  override tag(message: number): number {
    const tag = this.varint();
    const meanings = this.#meanings[message];
    const meaning = tag < nearTags ? meanings?.near[tag] : meanings?.far.get(tag);
    if (meaning === undefined) throw new NotCertain();
    this.#meaning = meaning;
    return meaning.tag;
  }

  override bool(): boolean {
    const flag = super.bool();
    if (this.hasOddFlag) throw new NotCertain();
    return flag;
  }

  override int32(): number {
    const { encoding } = this.#meaning;
    if (encoding === ScalarType.INT32) return super.int32();
    return this.scalar(encoding === ScalarType.SINT32 ? sint32 : sfixed32);
  }

  override uint32(): number {
    return this.#meaning.encoding === ScalarType.UINT32 ? super.uint32() : this.scalar(fixed32);
  }

  override unknown(message: Message): void {
    const { keptAs, number, wireType } = this.#meaning;
    this.keep(message, keptAs, number, wireType);
  }
}

const sint32 = (reader: BinaryReader): number => reader.sint32();
const sfixed32 = (reader: BinaryReader): number => reader.sfixed32();
const fixed32 = (reader: BinaryReader): number => reader.fixed32();

/** All messages inside a response, by name. */
const collect = (message: DescMessage, numberingOf: Numberings, meanings: Map<string, Meanings>): void => {
  if (meanings.has(message.typeName)) return;
  // Messages of Google have public numbers.
  const far = isPlain(message) ? found(message, numberingOf(message)) : published(message);
  meanings.set(message.typeName, { near: Array.from({ length: nearTags }, (_, tag) => far.get(tag)), far });
  for (const { message: inner } of message.fields) if (inner !== undefined) collect(inner, numberingOf, meanings);
};

const published = ({ fields }: DescMessage): ReadonlyMap<number, Meaning> =>
  new Map(fields.map((field) => fieldMeaning(field, field.number, ownEncoding(field))));

/** All wire types but groups. */
const wireTypes = [WireType.Varint, WireType.Bit64, WireType.LengthDelimited, WireType.Bit32] as const;

const found = ({ fields }: DescMessage, numbering: Numbering | undefined): ReadonlyMap<number, Meaning> => {
  const ours = new Set(fields.map(({ number }) => number));
  const foreign = [...(numbering?.foreign ?? [])].flatMap((number) => {
    const keptAs = ours.has(number) ? number + unknownNumberOffset : number;
    return wireTypes.map(
      (wireType) => [tagOf(number, wireType), { number, wireType, tag: 0, encoding: "message", keptAs }] as const,
    );
  });
  const confirmed = [...(numbering?.confirmed.values() ?? [])].map(({ field, number, encoding }) =>
    fieldMeaning(field, number, encoding),
  );
  return new Map([...foreign, ...confirmed]);
};

const fieldMeaning = (field: DescField, number: number, encoding: Encoding): readonly [number, Meaning] => {
  const wireType = wireTypeOf(encoding);
  const tag = tagOf(field.number, wireTypeOf(ownEncoding(field)));
  return [tagOf(number, wireType), { number, wireType, tag, encoding, keptAs: number }];
};

const tagOf = (number: number, wireType: WireType): number => number * 8 + wireType;
