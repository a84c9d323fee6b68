// Possible field numbers, from pairs of protobuf and JSON responses.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { encodingsOf, isPlain, isPopulated, matches, type Allowed, type Values } from "../verify/FieldMatch.ts";
import type { Encoding, WireFields } from "../verify/WireFields.ts";

/** A possible number of a field, with the field's encoding. */
export interface Candidate {
  readonly number: number;
  readonly encoding: Encoding;
}

/** Evidence about one field. */
export interface FieldEvidence {
  /** Compared messages in which it was populated. */
  readonly seen: number;
  /**
   * Once the field was populated: all its possible numbers. Before: the compared numbers that are still possible; any other number is
   * possible, too.
   */
  readonly candidates: ReadonlyArray<Candidate>;
}

/** Evidence about one message type. */
export interface MessageEvidence {
  /** Compared messages of this type. */
  readonly records: number;
  /** Numbers that were populated in some compared message. */
  readonly numbers: ReadonlySet<number>;
  /** By proto name; a field that is missing here was never populated, and no compared number can carry it. */
  readonly fields: ReadonlyMap<string, FieldEvidence>;
}

/** Evidence about an origin, by full name of the message. */
export type Evidence = ReadonlyMap<string, MessageEvidence>;

export const noEvidence: Evidence = new Map();

const nothing: MessageEvidence = { records: 0, numbers: new Set(), fields: new Map() };
const unseen: FieldEvidence = { seen: 0, candidates: [] };

/** Evidence about a message type. */
export const evidenceOf = (evidence: Evidence, message: DescMessage): MessageEvidence =>
  evidence.get(message.typeName) ?? nothing;

/** Whether the evidence allows a number for a field. */
export const allowedBy =
  (evidence: Evidence): Allowed =>
  (message, field, number, encoding) => {
    const { numbers, fields } = evidenceOf(evidence, message);
    const { seen, candidates } = fields.get(field.name) ?? unseen;
    if (seen === 0 && !numbers.has(number)) return true;
    return candidates.some((candidate) => candidate.number === number && candidate.encoding === encoding);
  };

/**
 * Adds one compared message and removes candidates under which the two forms differ; the true one never is. Undefined: a field has no
 * candidate left, so the pairs have no common numbering, or are of different messages.
 */
export const withRecord = (
  known: MessageEvidence,
  message: DescMessage,
  wire: WireFields,
  values: Values,
  allowed: Allowed,
): MessageEvidence | undefined => {
  const newNumbers = [...wire.keys()].filter((number) => !known.numbers.has(number));
  const fields = new Map<string, FieldEvidence>();
  for (const field of message.fields) {
    const value = values[field.localName];
    const before = known.fields.get(field.name) ?? unseen;
    const pool = before.seen > 0 ? before.candidates : [...before.candidates, ...candidatesAt(field, newNumbers)];
    const candidates = pool.filter(({ number, encoding }) =>
      matches(field, encoding, wire.get(number), value, allowed),
    );
    const seen = before.seen + (isPopulated(value) ? 1 : 0);
    if (seen > 0 && candidates.length === 0) return undefined;
    if (candidates.length > 0) fields.set(field.name, { seen, candidates });
  }
  return { records: known.records + 1, numbers: new Set([...known.numbers, ...newNumbers]), fields };
};

const candidatesAt = (field: DescField, numbers: ReadonlyArray<number>): ReadonlyArray<Candidate> =>
  numbers.flatMap((number) => encodingsOf(field).map((encoding) => ({ number, encoding })));

/** A message type and all plain ones inside it. */
export const messagesOf = (root: DescMessage): ReadonlyArray<DescMessage> => {
  const found = new Set<DescMessage>();
  const visit = (message: DescMessage): void => {
    if (found.has(message) || !isPlain(message)) return;
    found.add(message);
    for (const field of message.fields) if (field.message !== undefined) visit(field.message);
  };
  visit(root);
  return [...found];
};
