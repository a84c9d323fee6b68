// Field numbering of a server from evidence, where only one fits.
//
// Why what it says is right. A server has, for each message type, one number for each field, and no two fields share one.
// Of a compared pair, three things are taken to hold: (1) both halves are the same message; (2) a field that is populated in
// the JSON is on the wire, under its number, with the same value (proto3 writes all that is not a default); (3) a field that
// is not populated is not on the wire, or there with its default.
//
// - By (2) and (3), Evidence strikes out a candidate (number, encoding) of a field only where it cannot be the true one. So the
//   true one is always left, whatever the values were: an empty field, a `true` among other ones, two equal strings strike out
//   less, never wrongly. No likelihood enters, and no value counts for more than another.
// - The true numbering is one assignment of candidates to all fields that were seen, with no number given twice. An assignment
//   of one candidate that is part of no such whole cannot be true, and is struck out here (a search for a bipartite matching
//   with that edge fixed). What is the only one left for its field is therefore true: confirmed.
// - Our own numbering gets no credit: it is not even looked at.
// - A compared number that is left with no field is foreign: a field that the server has and we have not. Fields that were
//   never seen are part of this: such a number was populated while they were not, so by (3) it is none of theirs. A number that
//   was never compared may be any unseen field's.
// - A response is read by a profile only when each number it carries, at each depth, is confirmed or foreign (ProfileReader). Then each
//   field of it that is populated is on the wire by (2), under its true number; that number is not foreign and is no other
//   field's; so it is confirmed for that field, and decodes to its value. Each other field is at its default. Hence nothing is
//   under a wrong name, and nothing is missing.
// - A nested message is evidence for its own type only once the number of the field around it is confirmed.
//
// What can break (1): a resource that changes between two requests, replicas, a stale cache for one of the formats. Such a
// pair nearly always fits no numbering and is rejected as a whole. The ones that could fit lose a value (a number seems
// foreign), so a pair that makes a number foreign has to be confirmed by a second one; and where nothing dates the two halves, no
// number becomes foreign that could be a field which the JSON has never shown (FieldNumberInference). What remains is a pair whose
// halves hold the very same values under other names.
import type { DescMessage } from "@bufbuild/protobuf";
import type { Candidate, MessageEvidence } from "./Evidence.ts";
import { eliminated, isSeen, numberingOf, type Possible, type Solve } from "./Numbering.ts";

/** What follows from evidence does not change, and is asked for again and again. */
const solved = new WeakMap<MessageEvidence, { readonly message: DescMessage; readonly numbering: ReturnType<Solve> }>();

/** Concludes all that follows: a candidate stays only if all seen fields can be given different numbers with it. */
export const solve: Solve = (message, evidence) => {
  const known = solved.get(evidence);
  if (known?.message === message) return known.numbering;
  const numbering = conclude(message, evidence);
  solved.set(evidence, { message, numbering });
  return numbering;
};

const conclude: Solve = (message, evidence) => {
  const possible = eliminated(evidence);
  if (possible === undefined) return undefined;
  const seen = [...possible.keys()].filter((name) => isSeen(evidence, name));
  if (!canAssign(seen, possible, new Map())) return undefined;
  const left: Possible = new Map();
  for (const [name, candidates] of possible) {
    const others = seen.filter((other) => other !== name);
    const isViable = ({ number }: Candidate): boolean => canAssign(others, possible, new Map([[number, name]]));
    left.set(name, candidates.length === 1 && isSeen(evidence, name) ? candidates : candidates.filter(isViable));
  }
  return numberingOf(message, evidence, left);
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
