// Decides: whether the protobuf beside a JSON answer would settle something, before it is asked for.
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { evidenceOf, type Evidence } from "./Evidence.ts";
import type { Prospect } from "./Numbers.ts";
import { maxRecordsPerPair } from "./Pair.ts";
import { isPlain, isPopulated, type Values } from "./Sameness.ts";
import { solve } from "./Solution.ts";

/** What the protobuf beside a JSON answer is good for. */
export const prospectOf = (evidence: Evidence, message: DescMessage, values: Values): Prospect => {
  const known = evidenceOf(evidence, message);
  const numbering = solve(message, known);
  const certain = new Set([...(numbering?.confirmed.values() ?? [])].map(({ field }) => field));
  let prospect: Prospect = "complete";
  for (const field of message.fields) {
    const value = values[field.localName];
    if (!isPopulated(value)) continue;
    if (!certain.has(field)) {
      const rivals = message.fields.filter(
        (rival) => rival !== field && shareNumber(numbering?.possible, field, rival),
      );
      const isNew = (known.fields.get(field.name)?.seen ?? 0) === 0;
      if (isNew || rivals.some((rival) => !sameValue(value, values[rival.localName]))) return "teaches";
      prospect = "open";
    }
    for (const inner of insideOf(field, value)) {
      const prospectInside = prospectOf(evidence, inner.message, inner.values);
      if (prospectInside === "teaches") return "teaches";
      if (prospectInside === "open") prospect = "open";
    }
  }
  return prospect;
};

type Possible = ReadonlyMap<string, ReadonlyArray<{ readonly number: number }>>;

const shareNumber = (possible: Possible | undefined, field: DescField, rival: DescField): boolean =>
  (possible?.get(field.name) ?? []).some(({ number }) =>
    (possible?.get(rival.name) ?? []).some((candidate) => candidate.number === number),
  );

const insideOf = ({ message }: DescField, value: unknown): ReadonlyArray<{ message: DescMessage; values: Values }> => {
  if (message === undefined || !isPlain(message)) return [];
  const items = Array.isArray(value) ? (value as ReadonlyArray<Values>).slice(0, maxRecordsPerPair) : [value as Values];
  return items.map((values) => ({ message, values }));
};

const sameValue = (a: unknown, b: unknown): boolean => JSON.stringify(a, plain) === JSON.stringify(b, plain);

const plain = (_key: string, value: unknown): unknown => (typeof value === "bigint" ? `${value}n` : value);
