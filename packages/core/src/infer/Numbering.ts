// Certain numbers of one message type, as its evidence implies them.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Candidate, MessageEvidence } from "./Evidence.ts";

/** A field and how its number carries it. */
export interface Carried {
  readonly field: DescField;
  readonly number: number;
  readonly encoding: Candidate["encoding"];
}

/** What is certain about the numbers of one message type. */
export interface Numbering {
  /** By number: the only field that it can carry, and that field can have no other number. */
  readonly confirmed: ReadonlyMap<number, Carried>;
  /** Numbers that were seen that carry no field of ours, in no numbering that fits the evidence. */
  readonly foreign: ReadonlySet<number>;
  /** By field name: what is still possible, among the compared numbers. */
  readonly possible: ReadonlyMap<string, ReadonlyArray<Candidate>>;
}

/** What is certain of each message type. */
export type Numberings = (message: DescMessage) => Numbering | undefined;

/** Draws the conclusions; undefined when no numbering fits the evidence at all. */
export type Solve = (message: DescMessage, evidence: MessageEvidence) => Numbering | undefined;

/** Candidates by field name. */
export type Possible = Map<string, ReadonlyArray<Candidate>>;

/** Elimination alone: the number of a field that has only one is struck out everywhere else, until nothing changes. */
export const eliminated = (evidence: MessageEvidence): Possible | undefined => {
  const possible: Possible = new Map([...evidence.fields].map(([name, { candidates }]) => [name, candidates]));
  const settled = new Set<string>();
  for (;;) {
    const next = [...possible].find(([name, candidates]) => isSettled(evidence, settled, name, candidates));
    if (next === undefined) return possible;
    const [owner, [{ number } = { number: 0 }]] = next;
    settled.add(owner);
    for (const [name, candidates] of possible) {
      if (name === owner || !candidates.some((candidate) => candidate.number === number)) continue;
      const rest = candidates.filter((candidate) => candidate.number !== number);
      if (rest.length === 0 && isSeen(evidence, name)) return undefined;
      possible.set(name, rest);
    }
  }
};

export const isSeen = (evidence: MessageEvidence, name: string): boolean => (evidence.fields.get(name)?.seen ?? 0) > 0;

const isSettled = (
  evidence: MessageEvidence,
  settled: ReadonlySet<string>,
  name: string,
  candidates: ReadonlyArray<Candidate>,
): boolean =>
  !settled.has(name) && isSeen(evidence, name) && candidates.every(({ number }) => number === candidates[0]?.number);

export const numberingOf = (message: DescMessage, evidence: MessageEvidence, possible: Possible): Numbering => {
  const confirmed = new Map<number, Carried>();
  for (const field of message.fields) {
    const [candidate, ...others] = possible.get(field.name) ?? [];
    if (candidate !== undefined && others.length === 0 && isSeen(evidence, field.name)) {
      confirmed.set(candidate.number, { field, ...candidate });
    }
  }
  const held = new Set([...possible.values()].flatMap((candidates) => candidates.map(({ number }) => number)));
  const foreign = new Set([...evidence.numbers].filter((number) => !held.has(number)));
  return { confirmed, foreign, possible };
};
