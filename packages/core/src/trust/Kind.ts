// Decides: what is remembered of one kind of answers of an origin: when the next is held against its JSON, and which form to ask for.
import type { Prospect } from "./Numbers.ts";

/** What is remembered. */
export interface Kind {
  /** Answers believed since one was held against its JSON. */
  believed: number;
  /** Of how many believed answers one is a sample now: all after a drift, then fewer and fewer. */
  every: number;
  /** Samples that are still taken at this rate, before it is halved. */
  close: number;
  /** A pair did not fit, and none has fitted since. */
  doubted: boolean;
  /** Answers in a row that claim our schema and cannot be read by it. */
  unreadable: number;
  /** It was told that samples find no JSON. */
  toldAlone: boolean;
  /** Answers asked for in JSON since protobuf could not be believed; undefined: protobuf is asked for. */
  jsonAnswers: number | undefined;
  /** Witnessed answers in a row that could not be believed even then. */
  futile: number;
}

export const newKind = (believed: number, every: number, close: number): Kind => ({
  believed,
  every,
  close,
  doubted: false,
  unreadable: 0,
  toldAlone: false,
  jsonAnswers: undefined,
  futile: 0,
});

/** Counts an answer that can be believed. Whether it is to be held against its JSON. */
export const isSample = (kind: Kind, sampleEvery: number): boolean => {
  kind.believed += 1;
  if (kind.believed < kind.every) return false;
  kind.believed = 0;
  if (kind.close > 0) kind.close -= 1;
  else kind.every = Math.min(kind.every * 2, sampleEvery);
  return true;
};

/** Takes note of whether an answer could be read after it was witnessed. */
export const noteForm = (kind: Kind, readable: object | undefined): void => {
  kind.futile = readable === undefined ? kind.futile + 1 : 0;
  kind.jsonAnswers = readable === undefined ? (kind.jsonAnswers ?? 0) : undefined;
};

/** Counts an answer in JSON. Whether its protobuf should be read, too. */
export const isTaught = (kind: Kind, prospect: Prospect, sampleEvery: number): boolean => {
  const answers = (kind.jsonAnswers ?? 0) + 1;
  kind.jsonAnswers = answers;
  if (prospect === "complete") {
    // Something in the protobuf was in the way, which JSON does not show: it is tried again, more and more rarely.
    if (answers >= Math.min(2 ** (kind.futile - 1), sampleEvery)) kind.jsonAnswers = undefined;
    return false;
  }
  // What cannot be foreseen (a number without a field, halves that did not fit) is tried more and more rarely.
  return prospect === "teaches" || (answers & (answers - 1)) === 0 || answers % sampleEvery === 0;
};
