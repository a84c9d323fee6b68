// Certain numbers of one message type, as its evidence implies them.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import type { Candidate, MessageEvidence } from "./Evidence.ts";

/** A field and its encoding. */
export interface Carried {
  readonly field: DescField;
  readonly number: number;
  readonly encoding: Candidate["encoding"];
}

/** Certain numbers of one message type. */
export interface Numbering {
  /** By number: its field, where neither can be another. */
  readonly confirmed: ReadonlyMap<number, Carried>;
  /** Populated numbers that are not a field of ours in any possible numbering. */
  readonly foreign: ReadonlySet<number>;
  /** By field name: the compared numbers that are still possible. */
  readonly possible: ReadonlyMap<string, ReadonlyArray<Candidate>>;
}

/** Certain numbers by message type. */
export type Numberings = (message: DescMessage) => Numbering | undefined;

/** The numberings that the evidence implies; undefined when none fits. */
export type Solve = (message: DescMessage, evidence: MessageEvidence) => Numbering | undefined;

/** Candidates by field name. */
export type Possible = Map<string, ReadonlyArray<Candidate>>;

/** Removes the number of a field with one candidate from all other fields, until nothing changes. */
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
