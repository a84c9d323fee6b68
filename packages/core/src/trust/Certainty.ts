// Decides: what is certain of an origin by its evidence, and how that differs from what was certain before, or from what is ours.
import type { DescMessage } from "@bufbuild/protobuf";
import { evidenceOf, type Evidence } from "./Evidence.ts";
import { encodingsOf } from "./FieldMatch.ts";
import type { Carried } from "./Numbering.ts";
import { solve } from "./Solution.ts";
import type { TrustNews } from "./Verdict.ts";

/** Whether a message is read in the same way by two states of what is known. */
export const isReadAlike = (one: Evidence, other: Evidence, message: DescMessage): boolean => {
  const foreign = (evidence: Evidence): string =>
    [...(solve(message, evidenceOf(evidence, message))?.foreign ?? [])].join();
  const known = confirmed(one, message);
  const found = confirmed(other, message);
  return (
    foreign(one) === foreign(other) &&
    known.size === found.size &&
    [...found].every(([number, { field, encoding }]) => {
      const before = known.get(number);
      return before?.field === field && before.encoding === encoding;
    })
  );
};

/** What is certain of a message, by the number that carries it. */
export const confirmed = (evidence: Evidence, message: DescMessage): ReadonlyMap<number, Carried> =>
  solve(message, evidenceOf(evidence, message))?.confirmed ?? new Map();

/** The news of what has become certain. */
export const confirmation = (message: DescMessage, found: ReadonlyArray<Carried>): TrustNews => ({
  type: "trust",
  message: message.typeName,
  detail: `confirmed ${found.map(({ field, number }) => `${field.name} = ${number}${number === field.number ? "" : ` (ours: ${field.number})`}`).join(", ")}`,
  numbers: Object.fromEntries(found.map(({ field, number }) => [field.name, number])),
});

/** Whether something that is certain has another number than ours, or is written in another way. */
export const contradictsOurs = (evidence: Evidence, message: DescMessage): boolean =>
  [...confirmed(evidence, message).values()].some(
    ({ field, number, encoding }) => number !== field.number || encoding !== encodingsOf(field)[0],
  );
