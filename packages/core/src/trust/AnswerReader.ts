// Decides: how the protobuf of an origin is read once its numbers are certain; here, by our own numbers only.
import { fromBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { layoutOf, type Layout } from "./Admission.ts";
import { ownCandidate } from "./Evidence.ts";
import { solveByElimination, type Numbering, type Solve } from "./Numbering.ts";

/** Reads what its layout admits. */
export interface AnswerReader<D extends DescMessage = DescMessage> {
  readonly layout: Layout;
  /** Throws for bytes that are no such message after all, e.g. text that is not UTF-8. */
  readonly decode: (bytes: Uint8Array) => MessageShape<D>;
}

/** What is certain of each message type. */
export type Numberings = (message: DescMessage) => Numbering | undefined;

/** How conclusions are drawn, and what can be read with them. */
export interface Method {
  readonly solve: Solve;
  /** The part of a numbering that can be read. */
  readonly usable: (message: DescMessage, numbering: Numbering) => Numbering;
  readonly readerOf: <D extends DescMessage>(root: D, numberings: Numberings) => AnswerReader<D>;
}

/** Believes an origin where its numbers are shown to be ours. Another numbering is noticed, and left to JSON. */
export const ownNumbersOnly: Method = {
  solve: solveByElimination,
  usable: (message, numbering) => ownPart(message, numbering),
  readerOf: (root, numberings) => ({
    layout: layoutOf(root, (message) => {
      const numbering = numberings(message);
      return numbering && ownPart(message, numbering);
    }),
    decode: (bytes) => fromBinary(root, bytes),
  }),
};

/** The part of a numbering that our own descriptor reads rightly: a foreign number must not be one of ours. */
const ownPart = (message: DescMessage, numbering: Numbering): Numbering => {
  const ours = new Set(message.fields.map(({ number }) => number));
  return {
    ...numbering,
    confirmed: new Map(
      [...numbering.confirmed].filter(([number, { field, encoding }]) => {
        const own = ownCandidate(field);
        return own.number === number && own.encoding === encoding;
      }),
    ),
    foreign: new Set([...numbering.foreign].filter((number) => !ours.has(number))),
  };
};
