// Field numbering of a server from evidence, where only one fits.
//
// Why it is right. A server has one number for each field of a message type, and no two fields share one. Of a pair it is assumed that
// (1) both halves are the same message; (2) a field populated in the JSON is on the wire, under its number, with the same value (proto3
// writes all but defaults); (3) another field is not on the wire, or has its default there.
//
// - By (2) and (3), Evidence removes a candidate (number, encoding) of a field only where it cannot be the true one.
// - The true numbering assigns one candidate to each populated field, and no number twice. A candidate that is in no such assignment is
//   removed here (bipartite matching with that edge fixed). The only candidate left for a field is its number. Ours has no preference.
// - A compared number without a field is foreign: by (3) it cannot be a field that was never populated. A number that was never compared
//   can be any such field.
// - A response is read by a profile only when each of its numbers, at each depth, is confirmed or foreign (ProfileReader). Each populated
//   field is on the wire by (2), so its number is confirmed; all others have their default. No value gets a wrong name, none is missing.
// - A nested message is evidence only once the number of the field around it is confirmed.
//
// (1) can fail: a resource changes between two requests, a replica is behind, a cache of one format is stale. Nearly always such a pair fits
// no numbering and is rejected. The others lack a value, so that a number seems foreign: it has to be confirmed by a second pair, and without
// a time of the last change it must not be a field that no JSON has had (FieldNumberInference). Pairs whose halves have the same values under
// other names remain.
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

/** Candidates by field name. */
type Possible = Map<string, ReadonlyArray<Candidate>>;

/** Cache of conclusions: evidence is immutable. */
const solved = new WeakMap<
  MessageEvidence,
  { readonly message: DescMessage; readonly numbering: Numbering | undefined }
>();

/**
 * The certain numbers that the evidence implies; undefined when no numbering fits. A candidate is kept only if all populated fields can have
 * different numbers with it.
 */
export const solve = (message: DescMessage, evidence: MessageEvidence): Numbering | undefined => {
  const known = solved.get(evidence);
  if (known?.message === message) return known.numbering;
  const numbering = conclude(message, evidence);
  solved.set(evidence, { message, numbering });
  return numbering;
};

const conclude = (message: DescMessage, evidence: MessageEvidence): Numbering | undefined => {
  const possible: Possible = new Map([...evidence.fields].map(([name, { candidates }]) => [name, candidates]));
  const seen = [...evidence.fields].flatMap(([name, field]) => (field.seen > 0 ? [name] : []));
  if (!canAssign(seen, possible, new Map())) return undefined;
  const left: Possible = new Map();
  for (const [name, candidates] of possible) {
    const others = seen.filter((other) => other !== name);
    const isViable = ({ number }: Candidate): boolean => canAssign(others, possible, new Map([[number, name]]));
    left.set(name, candidates.filter(isViable));
  }
  return numberingOf(message, evidence, left, seen);
};

/** Whether each field can have a separate number, in addition to the given ones (bipartite matching by augmenting paths). */
const canAssign = (fields: ReadonlyArray<string>, possible: Possible, given: ReadonlyMap<number, string>): boolean => {
  const owners = new Map(given);
  const place = (field: string, tried: Set<number>): boolean => {
    for (const { number } of possible.get(field) ?? []) {
      if (given.has(number) || tried.has(number)) continue;
      tried.add(number);
      const owner = owners.get(number);
      if (owner === undefined || place(owner, tried)) {
        owners.set(number, field);
        return true;
      }
    }
    return false;
  };
  return fields.every((field) => place(field, new Set()));
};

const numberingOf = (
  message: DescMessage,
  evidence: MessageEvidence,
  possible: Possible,
  seen: ReadonlyArray<string>,
): Numbering => {
  const confirmed = new Map<number, Carried>();
  for (const field of message.fields) {
    const [candidate, ...others] = possible.get(field.name) ?? [];
    if (candidate !== undefined && others.length === 0 && seen.includes(field.name)) {
      confirmed.set(candidate.number, { field, ...candidate });
    }
  }
  const held = new Set([...possible.values()].flatMap((candidates) => candidates.map(({ number }) => number)));
  const foreign = new Set([...evidence.numbers].filter((number) => !held.has(number)));
  return { confirmed, foreign, possible };
};
