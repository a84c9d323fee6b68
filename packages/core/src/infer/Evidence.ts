// Possible field numbers, from pairs of protobuf and JSON responses.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { encodingsOf, matches, type Allowed } from "../verify/FieldMatch.ts";
import { type Encoding } from "../verify/WireFields.ts";
import { isPlain, isPopulated, type Values } from "../verify/Sameness.ts";
import type { WireFields } from "../verify/WireFields.ts";

/** A number that may carry a field, and how the field is written then. */
export interface Candidate {
  readonly number: number;
  readonly encoding: Encoding;
}

/** What is known of one field. */
export interface FieldEvidence {
  /** In how many compared messages it was populated. */
  readonly seen: number;
  /**
   * Once seen: all that can carry it, the truth among them. Before: those of the compared numbers that still can; any
   * number that was never compared can, too.
   */
  readonly candidates: ReadonlyArray<Candidate>;
}

/** What is known of one message type. */
export interface MessageEvidence {
  /** How many messages of this type were compared. */
  readonly records: number;
  /** Numbers that were populated in some compared message. */
  readonly numbers: ReadonlySet<number>;
  /** By proto name; a field that is missing here was never populated, and no compared number can carry it. */
  readonly fields: ReadonlyMap<string, FieldEvidence>;
}

/** What is known of an origin, by full name of the message. */
export type Evidence = ReadonlyMap<string, MessageEvidence>;

export const noEvidence: Evidence = new Map();

const nothing: MessageEvidence = { records: 0, numbers: new Set(), fields: new Map() };
const unseen: FieldEvidence = { seen: 0, candidates: [] };

/** What is known of a message type. */
export const evidenceOf = (evidence: Evidence, message: DescMessage): MessageEvidence =>
  evidence.get(message.typeName) ?? nothing;

/** Whether a number can carry a field, by the evidence. */
export const allowedBy =
  (evidence: Evidence): Allowed =>
  (message, field, number, encoding) => {
    const { numbers, fields } = evidenceOf(evidence, message);
    const { seen, candidates } = fields.get(field.name) ?? unseen;
    if (seen === 0 && !numbers.has(number)) return true;
    return candidates.some((candidate) => candidate.number === number && candidate.encoding === encoding);
  };

/**
 * Adds one compared message. A candidate is struck out only where the two forms cannot be the same message under it, so
 * the truth is never struck out. Undefined: some field is left without any candidate, so this pair and the earlier ones do
 * not have one numbering, or are not of the same message.
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
