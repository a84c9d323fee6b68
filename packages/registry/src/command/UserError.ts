// Errors for whoever typed a command, and suggestions for mistyped words.
import { distance } from "fastest-levenshtein";

/** A failure that is shown as one sentence, without a stack; `hint` says what to do. */
export class UserError extends Error {
  override readonly name: string = "UserError";
  readonly exitCode: number;
  readonly hint: string | undefined;
  constructor(message: string, exitCode = 1, hint?: string, options?: ErrorOptions) {
    super(message, options);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** Exit code of a wrong command line or setting. */
const usageCode = 2;

/** A wrong command line or setting: exit code 2. */
export class UsageError extends UserError {
  override readonly name = "UsageError";
  constructor(message: string, hint?: string) {
    super(message, usageCode, hint);
  }
}

/** Format of failures: a sentence, or one JSON object of the same shape as that of `bne`. */
export type FailureFormat = "text" | "json";

/** Writes a failure to stderr. Returns the exit code: 2 for a wrong command line, else 1. */
export const writeFailure = (error: Error, format: FailureFormat): number => {
  const { message } = error;
  const { exitCode, hint } = error instanceof UserError ? error : new UserError(message);
  const isUsage = exitCode === usageCode;
  const shown = hint ?? (isUsage ? "See registry --help." : undefined);
  const text =
    format === "json"
      ? JSON.stringify({ error: { message, hint: shown, exitCode, reason: isUsage ? "Usage" : "Failed" } })
      : `registry: ${message}${shown === undefined ? "" : `\n${shown}`}`;
  process.stderr.write(`${text}\n`);
  return exitCode;
};

/** Most suggestions that are made. */
const maxSuggestions = 3;
/** Longest word that is compared, in characters. */
const maxLength = 100;

/** The known words closest to a mistyped one, best first; none when nothing is close. */
export const closest = (mistyped: string, known: Iterable<string>): ReadonlyArray<string> => {
  const word = mistyped.slice(0, maxLength).toLowerCase();
  const allowed = Math.max(1, Math.floor(word.length / 3));
  const scored: Array<{ readonly name: string; readonly score: number }> = [];
  for (const name of new Set(known)) {
    const other = name.toLowerCase();
    const score = word.length > 2 && other.startsWith(word) ? 0.5 : swapped(word, other) ? 1 : distance(word, other);
    if (score <= allowed) scored.push({ name, score });
  }
  scored.sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1));
  return scored.slice(0, maxSuggestions).map(({ name }) => name);
};

/** Two neighbours changed places: the commonest slip, which counts as two in plain edit distance. */
const swapped = (a: string, b: string): boolean => {
  if (a.length !== b.length || a === b) return false;
  const first = a.split("").findIndex((char, index) => char !== b[index]);
  return a[first] === b[first + 1] && a[first + 1] === b[first] && a.slice(first + 2) === b.slice(first + 2);
};

/** `Did you mean a, b or c?`, or undefined when nothing is close. */
export const didYouMean = (mistyped: string, known: Iterable<string>, prefix = ""): string | undefined => {
  const names = closest(mistyped, known).map((name) => prefix + name);
  if (names.length === 0) return undefined;
  const last = names.pop();
  return `Did you mean ${names.length === 0 ? last : `${names.join(", ")} or ${last}`}?`;
};

/** The error of Node's `parseArgs` for a command line, with the flag that was probably meant. */
export const flagError = (error: unknown, known: ReadonlyArray<string>): UsageError => {
  const { message } = error as Error;
  const mistyped = /Unknown option '--([^']+)'/.exec(message)?.[1];
  return new UsageError(message, mistyped === undefined ? undefined : didYouMean(mistyped, known, "--"));
};
