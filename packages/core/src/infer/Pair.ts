// Evidence from one pair of responses.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { allowedBy, evidenceOf, withRecord, type Evidence, type MessageEvidence } from "./Evidence.ts";
import { solve } from "./Solution.ts";
import { encodingsOf, isPlain, type Values } from "../verify/FieldMatch.ts";
import { maxRootFields, tryWireFields, wireTypeOf, type Occurrence, type WireFields } from "../verify/WireFields.ts";

/** Most messages of one list that are read from one pair. */
export const maxRecordsPerPair = 256;

/** Most different numbers in the messages of one type; with more there is no inference. */
export const maxNumbers = 512;

/** The evidence with a pair added, and the numbers that are without a field for the first time. */
export interface Fit {
  readonly evidence: Evidence;
  /** `type#number` of numbers that became foreign by this pair. */
  readonly foreign: ReadonlyArray<string>;
  /** Whether each message with such a number, or one around it, has the time of its last change. */
  readonly dated: boolean;
  /** Whether one of these numbers, in a message without that time, may be a field that was never populated. */
  readonly blind: boolean;
}

interface Record {
  readonly message: DescMessage;
  readonly wire: WireFields;
  readonly values: Values;
  readonly dated: boolean;
}

/**
 * Adds a pair: first its outermost message, then, through the fields whose numbers are certain by then, those inside it.
 * Undefined when one message contradicts the evidence; then nothing is added.
 */
export const addPair = (evidence: Evidence, root: DescMessage, bytes: Uint8Array, values: Values): Fit | undefined => {
  const added = new Map(evidence);
  const allowed = allowedBy(evidence);
  const foreign: Array<string> = [];
  let dated = true;
  let blind = false;
  const wire = tryWireFields([bytes], maxRootFields);
  if (wire === undefined) return undefined;
  let level: ReadonlyArray<Record> = [{ message: root, wire, values, dated: isDated(root, values) }];
  while (level.length > 0) {
    const inner: Array<Record> = [];
    for (const records of byType(level)) {
      const [{ message } = { message: root }] = records;
      const before = evidenceOf(added, message);
      let known = before;
      for (const record of records) {
        if (new Set([...known.numbers, ...record.wire.keys()]).size > maxNumbers) return undefined;
        const next = withRecord(known, message, record.wire, record.values, allowed);
        if (next === undefined) return undefined;
        known = next;
      }
      const numbering = solve(message, known);
      if (numbering === undefined) return undefined;
      added.set(message.typeName, known);
      const strangersBefore = solve(message, before)?.foreign;
      for (const number of numbering.foreign) {
        if (strangersBefore?.has(number)) continue;
        foreign.push(`${message.typeName}#${number}`);
        const undated = records.filter((record) => !record.dated && record.wire.has(number));
        dated &&= undated.length === 0;
        blind ||= undated.some(({ wire }) => couldBeUnseen(message, known, wire.get(number)));
      }
      for (const { field, number } of numbering.confirmed.values()) {
        for (const record of records) inner.push(...within(field, number, record));
      }
    }
    level = inner;
  }
  return { evidence: added, foreign, dated, blind };
};

const byType = (records: ReadonlyArray<Record>): ReadonlyArray<ReadonlyArray<Record>> => {
  const groups = new Map<string, Array<Record>>();
  for (const record of records) {
    const group = groups.get(record.message.typeName);
    if (group === undefined) groups.set(record.message.typeName, [record]);
    else group.push(record);
  }
  return [...groups.values()];
};

/** The messages of a field whose number is certain. */
const within = (field: DescField, number: number, { wire, values, dated }: Record): ReadonlyArray<Record> => {
  const { message, localName } = field;
  const value = values[localName] as Values | ReadonlyArray<Values> | undefined;
  if (message === undefined || !isPlain(message) || value === undefined) return [];
  const payloads = (wire.get(number) ?? []).map(({ data }) => data);
  const recordOf = (values: Values, payloads: ReadonlyArray<Uint8Array>): ReadonlyArray<Record> => {
    const wire = tryWireFields(payloads);
    return wire === undefined ? [] : [{ message, wire, values, dated: dated || isDated(message, values) }];
  };
  if (!Array.isArray(value)) return recordOf(value as Values, payloads);
  const items = (value as ReadonlyArray<Values>).slice(0, maxRecordsPerPair);
  return items.flatMap((item, index) => recordOf(item, payloads.slice(index, index + 1)));
};

/** Whether both forms are of the same state, by the time of the last change. */
const isDated = (message: DescMessage, values: Values): boolean =>
  message.fields.some((field) => field.name === "updated_at" && values[field.localName] !== undefined);

/** Whether a number's value may be that of a field that had no value in any JSON. */
const couldBeUnseen = (
  message: DescMessage,
  known: MessageEvidence,
  occurrences: ReadonlyArray<Occurrence> = [],
): boolean =>
  message.fields.some(
    (field) =>
      (known.fields.get(field.name)?.seen ?? 0) === 0 &&
      encodingsOf(field).some((encoding) => occurrences.every(({ wireType }) => wireType === wireTypeOf(encoding))),
  );
