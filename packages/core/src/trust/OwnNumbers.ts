// Decides: which fields of an origin are shown to have our own numbers. Other numberings are left to JSON, or to Calibration.
//
// A field is confirmed once no other number of its message can be the one that carries it. A number stays a rival while it
// carried the same bytes whenever the field was populated: the server could have the two the other way round. The server's
// true number for a field carries its value each time, so it is either ours or among the rivals; without rivals it is ours.
import type { DescField, DescMessage, Message, MessageShape } from "@bufbuild/protobuf";
import { readMessage } from "../MessageReader.ts";
import type { Numbers } from "./Numbers.ts";
import { isPlain, isPopulated, sameMessage, type Values } from "./Sameness.ts";
import type { TrustNews } from "./Verdict.ts";
import { tryWireFields, type Occurrence, type WireFields } from "./WireFields.ts";

/** By message and our number of a field: the numbers that could be its own instead. */
type Rivals = Map<string, Map<number, ReadonlyArray<number>>>;

/** The account of an origin that is expected to have our numbers. */
export const ownNumbers = (): Numbers => {
  const rivals: Rivals = new Map();
  let open: Open = new Map();
  return {
    read: (schema, bytes) => {
      const message = decoded(schema, bytes);
      return message !== undefined && isCertain(rivals, open, schema, message) ? message : undefined;
    },
    learn: (schema, bytes, json) => {
      const message = decoded(schema, bytes);
      if (message === undefined || !sameMessage(schema, message, json)) return undefined;
      const news: Array<TrustNews> = [];
      open = new Map();
      witnessed(rivals, schema, [bytes], news);
      return news;
    },
    forget: () => {
      const knew = rivals.size > 0;
      rivals.clear();
      open = new Map();
      return knew;
    },
    prospect: () => "open",
  };
};

const decoded = <D extends DescMessage>(schema: D, bytes: Uint8Array): MessageShape<D> | undefined => {
  try {
    return readMessage(schema, bytes);
  } catch {
    return undefined;
  }
};

/** By message: the fields that are not confirmed. */
type Open = Map<string, ReadonlyArray<DescField>>;

/** Whether all that a message carries is confirmed, at every depth. */
const isCertain = (rivals: Rivals, open: Open, schema: DescMessage, message: Message): boolean => {
  const values = message as unknown as Values;
  let unconfirmed = open.get(schema.typeName);
  if (unconfirmed === undefined) {
    unconfirmed = schema.fields.filter(({ number }) => rivals.get(schema.typeName)?.get(number)?.length !== 0);
    open.set(schema.typeName, unconfirmed);
  }
  if (message.$unknown !== undefined) return false;
  for (const { localName } of unconfirmed) if (isPopulated(values[localName])) return false;
  return schema.fields.every(({ localName, message: inner }) => {
    if (inner === undefined || !isPlain(inner)) return true;
    const value = values[localName] as Message | ReadonlyArray<Message> | undefined;
    if (Array.isArray(value)) return value.every((item) => isCertain(rivals, open, inner, item as Message));
    return value === undefined || isCertain(rivals, open, inner, value as Message);
  });
};

/** Takes in messages whose protobuf, read by our numbers, was the same as their JSON. */
const witnessed = (
  rivals: Rivals,
  schema: DescMessage,
  payloads: ReadonlyArray<Uint8Array>,
  news: Array<TrustNews>,
): void => {
  const known = rivals.get(schema.typeName) ?? new Map<number, ReadonlyArray<number>>();
  rivals.set(schema.typeName, known);
  const confirmed: Record<string, number> = {};
  const records = payloads.slice(0, maxItems).flatMap((payload) => tryWireFields([payload]) ?? []);
  for (const wire of records) {
    // A number that is not ours could be the true one of any field, and ours a hidden one's: nothing is concluded.
    if ([...wire.keys()].some((number) => fieldAt(schema, number) === undefined)) continue;
    for (const number of wire.keys()) {
      const before = known.get(number) ?? [...wire.keys()].filter((other) => other !== number);
      const after = before.filter((other) => couldCarry(schema, number, wire.get(other), wire));
      const { name } = fieldAt(schema, number) ?? { name: "" };
      if (after.length === 0 && known.get(number)?.length !== 0) confirmed[name] = number;
      known.set(number, after);
    }
  }
  const names = Object.keys(confirmed).join(", ");
  if (names !== "") {
    news.push({ type: "trust", message: schema.typeName, detail: `confirmed as ours: ${names}`, numbers: confirmed });
  }
  for (const { number, message } of schema.fields) {
    if (message === undefined || !isPlain(message) || known.get(number)?.length !== 0) continue;
    const inside = records.flatMap((wire) => (wire.get(number) ?? []).map(({ data }) => data));
    if (inside.length > 0) witnessed(rivals, message, inside, news);
  }
};

const fieldAt = (schema: DescMessage, number: number) => schema.fields.find((field) => field.number === number);

/** Whether what another number carries could be the field at a number: the same bytes, or a message with the same values. */
const couldCarry = (
  schema: DescMessage,
  number: number,
  other: ReadonlyArray<Occurrence> | undefined,
  wire: WireFields,
): boolean => {
  const own = wire.get(number);
  const inner = fieldAt(schema, number)?.message;
  if (own === undefined || other === undefined) return false;
  if (inner === undefined || !isPlain(inner)) return raw(own) === raw(other);
  // Inside, the server's numbers may differ: only the values count, and only those that are no messages themselves.
  const values = new Set([...(inside(other)?.values() ?? [])].map(raw));
  return [...(inside(own) ?? [])].every(([at, occurrences]) => {
    const deeper = fieldAt(inner, at)?.message;
    return (deeper !== undefined && isPlain(deeper)) || values.has(raw(occurrences));
  });
};

/** Items of a list that count, at most: what is not looked at leaves a rival more, never one less. */
const maxItems = 256;

const inside = (occurrences: ReadonlyArray<Occurrence>): WireFields | undefined =>
  tryWireFields(occurrences.slice(0, maxItems).map(({ data }) => data));

const raw = (occurrences: ReadonlyArray<Occurrence>): string =>
  occurrences
    .slice(0, maxItems)
    .map(({ wireType, data }) => `${wireType}:${data.join()}`)
    .join(";");
