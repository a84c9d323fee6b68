// Closest known word for an unknown one.
import { distance } from "fastest-levenshtein";
import { UsageError } from "./Told.ts";

/** Longest word that is compared, in characters. */
const maxLength = 100;

/** `Did you mean NAME?`, or undefined when nothing known is close. */
export const didYouMean = (mistyped: string, known: ReadonlyArray<string>, prefix = ""): string | undefined => {
  const word = mistyped.slice(0, maxLength);
  const [best] = known
    .map((name) => ({ name, score: word.length > 2 && name.startsWith(word) ? 0 : distance(word, name) }))
    .toSorted((a, b) => a.score - b.score);
  const allowed = Math.ceil(word.length / 3);
  return best === undefined || best.score > allowed ? undefined : `Did you mean ${prefix}${best.name}?`;
};

/** What `parseArgs` of Node has against a command line, with the flag that was probably meant. */
export const flagError = (error: unknown, known: ReadonlyArray<string>): UsageError => {
  const { message } = error as Error;
  const mistyped = /Unknown option '--([^']+)'/.exec(message)?.[1];
  return new UsageError(message, mistyped === undefined ? undefined : didYouMean(mistyped, known, "--"));
};
