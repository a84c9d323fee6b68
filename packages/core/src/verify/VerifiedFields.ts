// Fields of an origin that are verified to have our numbers.
//
// A field is verified once no other number of its message can be its own. A number stays a rival while its value, in every message with
// the field populated, could be the field's value in the JSON, in any encoding: the server could have swapped the two. The server's true
// number has the field's value each time, so it is ours or a rival; without rivals it is ours.
import type { DescField, DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { MessageBytes } from "../MessageBytes.ts";
import { readOwn } from "../MessageReader.ts";
import { LimitExceeded, type ReadLimits } from "../ReadLimits.ts";
import { encodingsOf, matches, type Allowed } from "./FieldMatch.ts";
import { wireTypeOf } from "./WireFields.ts";
import { isPlain, isPopulated, sameMessage, type Values } from "./Sameness.ts";
import { maxRootFields, tryWireFields, type Occurrence, type WireFields } from "./WireFields.ts";

/** An event about the field numbers of an origin. Has no values of responses. */
export interface VerificationNews {
  /** `verified`: fields have our numbers. `drift`: protobuf contradicts the JSON or the known numbers. */
  readonly type: "verified" | "drift";
  /** Full name of the message. */
  readonly message: string;
  readonly detail: string;
  /** Field by proto name -> number. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** By message and our number of a field: its rivals. */
type Rivals = Map<string, Map<number, ReadonlyArray<number>>>;

/** The verified fields of an origin. */
export class VerifiedFields {
  readonly #rivals: Rivals = new Map();
  #open: Open = new Map();

  get isEmpty(): boolean {
    return this.#rivals.size === 0;
  }

  /** The message, where all fields in it are verified; else undefined. Throws LimitExceeded. */
  read<D extends DescMessage>(schema: D, bytes: Uint8Array, limits?: ReadLimits): MessageShape<D> | undefined {
    const from = new MessageBytes(bytes, limits);
    const message = decoded(schema, from);
    if (message === undefined || from.hasUnknown || from.hasOddFlag) return undefined;
    return isCertain(this.#rivals, this.#open, schema, message) ? message : undefined;
  }

  /** Adds both formats of one resource. Undefined: they differ. */
  learn<D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    json: MessageShape<D>,
  ): ReadonlyArray<VerificationNews> | undefined {
    const wire = tryWireFields([bytes], maxRootFields);
    const message = wire && decoded(schema, new MessageBytes(bytes));
    if (message === undefined || wire === undefined) return undefined;
    if (!sameMessage(schema, message, json) || !isWrittenAsOurs(schema, wire, json)) return undefined;
    const news: Array<VerificationNews> = [];
    this.#open = new Map();
    compareFields(this.#rivals, schema, [{ wire, values: json }], news);
    return news;
  }

  forget(): void {
    this.#rivals.clear();
    this.#open = new Map();
  }
}

const decoded = <D extends DescMessage>(schema: D, from: MessageBytes): MessageShape<D> | undefined => {
  try {
    return readOwn(schema, from);
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw cause;
    return undefined;
  }
};

/** Fields that are not verified, by message. */
type Open = Map<string, ReadonlyArray<DescField>>;

/** Whether all known fields in a message are verified, at every depth. */
const isCertain = (rivals: Rivals, open: Open, schema: DescMessage, message: Message): boolean => {
  const values = message as unknown as Values;
  let unconfirmed = open.get(schema.typeName);
  if (unconfirmed === undefined) {
    unconfirmed = schema.fields.filter(({ number }) => rivals.get(schema.typeName)?.get(number)?.length !== 0);
    open.set(schema.typeName, unconfirmed);
  }
  for (const { localName } of unconfirmed) if (isPopulated(values[localName])) return false;
  return schema.fields.every(({ localName, message: inner }) => {
    if (inner === undefined || !isPlain(inner)) return true;
    const value = values[localName] as Message | ReadonlyArray<Message> | undefined;
    if (Array.isArray(value)) return value.every((item) => isCertain(rivals, open, inner, item as Message));
    return value === undefined || isCertain(rivals, open, inner, value as Message);
  });
};

/** A message whose protobuf, by our numbers, equals its JSON: fields on the wire, and in the JSON. */
interface Compared {
  readonly wire: WireFields;
  readonly values: Values;
}

/** Adds messages of one type, then those inside them. */
const compareFields = (
  rivals: Rivals,
  schema: DescMessage,
  all: ReadonlyArray<Compared>,
  news: Array<VerificationNews>,
): void => {
  const known = rivals.get(schema.typeName) ?? new Map<number, ReadonlyArray<number>>();
  rivals.set(schema.typeName, known);
  // An unknown number could be the true number of any field: nothing is verified.
  const records = all.slice(0, maxItems).filter(({ wire }) => isAllOurs(schema, wire));
  const confirmed: Record<string, number> = {};
  for (const field of schema.fields) {
    const { number } = field;
    const before = known.get(number);
    let after = before;
    for (const { wire, values } of records) {
      const value = values[field.localName];
      if (after?.length === 0) break;
      // A server may write or omit a default.
      if (!isPopulated(value) || !wire.has(number)) continue;
      after ??= [...wire.keys()].filter((other) => other !== number);
      after = after.filter((other) => canCarry(field, wire.get(other), value));
    }
    if (after === undefined) continue;
    known.set(number, after);
    if (after.length === 0 && before?.length !== 0) confirmed[field.name] = number;
  }
  const names = Object.keys(confirmed).join(", ");
  if (names !== "") {
    news.push({ type: "verified", message: schema.typeName, detail: `our numbers: ${names}`, numbers: confirmed });
  }
  for (const field of schema.fields) {
    const { number, message } = field;
    if (message === undefined || !isPlain(message) || known.get(number)?.length !== 0) continue;
    const inner = records.flatMap((record) => inside(field, record));
    if (inner.length > 0) compareFields(rivals, message, inner, news);
  }
};

/** Whether every number is known and has our encoding. */
const isAllOurs = (schema: DescMessage, wire: WireFields): boolean =>
  [...wire].every(([number, occurrences]) => {
    const field = schema.fields.find((candidate) => candidate.number === number);
    const [encoding] = field === undefined ? [] : encodingsOf(field);
    return encoding !== undefined && occurrences.every(({ wireType }) => wireType === wireTypeOf(encoding));
  });

/** Whether a number's value could be that field's value, in any encoding and with any numbers inside. */
const canCarry = (field: DescField, occurrences: ReadonlyArray<Occurrence> | undefined, value: unknown): boolean =>
  occurrences !== undefined && encodingsOf(field).some((encoding) => matches(field, encoding, occurrences, value, any));

const any: Allowed = () => true;

/** Whether all values of the JSON are on the wire in our encoding: a boolean is written as 1, but read from any number. */
const isWrittenAsOurs = (schema: DescMessage, wire: WireFields, values: Values): boolean =>
  schema.fields.every((field) => {
    const value = values[field.localName];
    return (
      !isPopulated(value) || matches(field, encodingsOf(field)[0] ?? "message", wire.get(field.number), value, own)
    );
  });

const own: Allowed = (_message, field, number, encoding) =>
  number === field.number && encoding === encodingsOf(field)[0];

/** Most items of a list that are compared; others could only remove more rivals. */
const maxItems = 256;

/** The messages in a field. */
const inside = ({ number, localName }: DescField, { wire, values }: Compared): ReadonlyArray<Compared> => {
  const value = values[localName] as Values | ReadonlyArray<Values> | undefined;
  const payloads = (wire.get(number) ?? []).map(({ data }) => data);
  if (value === undefined || payloads.length === 0) return [];
  if (!Array.isArray(value)) return recordOf(payloads, value as Values);
  const items = (value as ReadonlyArray<Values>).slice(0, maxItems);
  return items.flatMap((item, index) => recordOf(payloads.slice(index, index + 1), item));
};

const recordOf = (payloads: ReadonlyArray<Uint8Array>, values: Values): ReadonlyArray<Compared> => {
  const wire = tryWireFields(payloads);
  return wire === undefined ? [] : [{ wire, values }];
};
