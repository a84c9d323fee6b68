// Fields of an origin that are verified to have our numbers.
//
// A field is verified once no other number of its message can be its own. A number stays a rival while its value, in every message with
// the field populated, could be the field's value in the JSON, in any encoding: the server could have swapped the two. The server's true
// number has the field's value each time, so it is ours or a rival; without rivals it is ours.
import type { DescField, DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import type { EventSubject, VerificationEvent } from "../EngineEvent.ts";
import { MessageBytes } from "../MessageBytes.ts";
import { readMessageFrom } from "../MessageReader.ts";
import { attempted, type ReadLimits } from "../ReadLimits.ts";
import { encodingsOf, isPlain, isPopulated, matches, ownEncoding, sameMessage, type Values } from "./FieldMatch.ts";
import { maxRootFields, tryWireFields, wireTypeOf, type Occurrence, type WireFields } from "./WireFields.ts";

/** An event about the field numbers of an origin. Has no values of responses. */
export type VerificationNews = Omit<VerificationEvent, keyof EventSubject>;

/** A message whose protobuf, by our numbers, equals its JSON: fields on the wire, and in the JSON. */
interface Compared {
  readonly wire: WireFields;
  readonly values: Values;
}

/** Most items of a list that are compared; others could only remove more rivals. */
const maxItems = 256;

/** The verified fields of an origin. */
export class VerifiedFields {
  /** By message and our number of a field: its rivals. */
  readonly #rivals = new Map<string, Map<number, ReadonlyArray<number>>>();

  get isEmpty(): boolean {
    return this.#rivals.size === 0;
  }

  /** The message, where all fields in it are verified; else undefined. Throws LimitExceeded. */
  read<D extends DescMessage>(schema: D, bytes: Uint8Array, limits?: ReadLimits): MessageShape<D> | undefined {
    const from = new MessageBytes(bytes, limits);
    const message = attempted(() => readMessageFrom(schema, from));
    if (message === undefined || from.hasUnknown || from.hasOddFlag) return undefined;
    return this.#isCertain(schema, message) ? message : undefined;
  }

  /** Adds both formats of one resource. Undefined: they differ. */
  learn<D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    json: MessageShape<D>,
  ): ReadonlyArray<VerificationNews> | undefined {
    const wire = tryWireFields([bytes], maxRootFields);
    const from = new MessageBytes(bytes);
    const message = attempted(() => readMessageFrom(schema, from));
    if (wire === undefined || message === undefined || !sameMessage(schema, message, json)) return undefined;
    // A boolean is written as 1, but read from any number.
    if (from.hasOddFlag) return undefined;
    const news: Array<VerificationNews> = [];
    this.#compare(schema, [{ wire, values: json }], news);
    return news;
  }

  forget(): void {
    this.#rivals.clear();
  }

  /** Whether all known fields in a message are verified, at every depth. */
  #isCertain(schema: DescMessage, message: Message): boolean {
    const values = message as unknown as Values;
    const known = this.#rivals.get(schema.typeName);
    return schema.fields.every(({ number, localName, message: inner }) => {
      const value = values[localName];
      if (!isPopulated(value)) return true;
      if (known?.get(number)?.length !== 0) return false;
      if (inner === undefined || !isPlain(inner)) return true;
      const items = (Array.isArray(value) ? value : [value]) as ReadonlyArray<Message>;
      return items.every((item) => this.#isCertain(inner, item));
    });
  }

  /** Adds messages of one type, then those inside them. */
  #compare(schema: DescMessage, all: ReadonlyArray<Compared>, news: Array<VerificationNews>): void {
    const known = this.#rivals.get(schema.typeName) ?? new Map<number, ReadonlyArray<number>>();
    this.#rivals.set(schema.typeName, known);
    // An unknown number could be the true number of any field: nothing is verified.
    const records = all.slice(0, maxItems).filter(({ wire }) => isAllOurs(schema, wire));
    const confirmed: Record<string, number> = {};
    for (const field of schema.fields) {
      const before = known.get(field.number);
      const after = records.reduce((rivals, record) => remaining(field, rivals, record), before);
      if (after === undefined) continue;
      known.set(field.number, after);
      if (after.length === 0 && before?.length !== 0) confirmed[field.name] = field.number;
    }
    const names = Object.keys(confirmed).join(", ");
    if (names !== "")
      news.push({ type: "verified", message: schema.typeName, detail: `our numbers: ${names}`, numbers: confirmed });
    for (const field of schema.fields) {
      const { number, message } = field;
      if (message === undefined || !isPlain(message) || known.get(number)?.length !== 0) continue;
      const inner = records.flatMap((record) => inside(field, record));
      if (inner.length > 0) this.#compare(message, inner, news);
    }
  }
}

/** The rivals of a field after one more message; undefined: none had the field. */
const remaining = (
  field: DescField,
  rivals: ReadonlyArray<number> | undefined,
  { wire, values }: Compared,
): ReadonlyArray<number> | undefined => {
  const value = values[field.localName];
  // A server may write or omit a default.
  if (!isPopulated(value) || !wire.has(field.number)) return rivals;
  const others = rivals ?? [...wire.keys()].filter((other) => other !== field.number);
  return others.filter((other) => canCarry(field, wire.get(other), value));
};

/** Whether every number is known and has our encoding. */
const isAllOurs = ({ fields }: DescMessage, wire: WireFields): boolean =>
  [...wire].every(([number, occurrences]) => {
    const field = fields.find((candidate) => candidate.number === number);
    return field !== undefined && occurrences.every(({ wireType }) => wireType === wireTypeOf(ownEncoding(field)));
  });

/** Whether a number's value could be that field's value, in any encoding and with any numbers inside. */
const canCarry = (field: DescField, occurrences: ReadonlyArray<Occurrence> | undefined, value: unknown): boolean =>
  occurrences !== undefined &&
  encodingsOf(field).some((encoding) => matches(field, encoding, occurrences, value, () => true));

/** The messages in a field. */
const inside = ({ number, localName }: DescField, { wire, values }: Compared): ReadonlyArray<Compared> => {
  const value = values[localName] as Values | ReadonlyArray<Values> | undefined;
  const payloads = (wire.get(number) ?? []).map(({ data }) => data);
  if (value === undefined) return [];
  if (!Array.isArray(value)) return recordOf(payloads, value as Values);
  const items = (value as ReadonlyArray<Values>).slice(0, maxItems);
  return items.flatMap((item, index) => recordOf(payloads.slice(index, index + 1), item));
};

const recordOf = (payloads: ReadonlyArray<Uint8Array>, values: Values): ReadonlyArray<Compared> => {
  const wire = tryWireFields(payloads);
  return wire === undefined ? [] : [{ wire, values }];
};
