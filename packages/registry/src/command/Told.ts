// User errors: failures shown as one sentence.

/** A failure whose message is for the operator. */
export class ToldError extends Error {
  override readonly name: string = "ToldError";
}

/** A command line or a settings file that cannot be understood. */
export class UsageError extends ToldError {
  override readonly name: string = "UsageError";
  /** What was probably meant. */
  readonly hint: string;
  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint ?? "See registry --help.";
  }
}

/** Format of failures: a sentence, or one JSON object of the same shape as that of `bne`. */
export type Telling = "text" | "json";

/** Writes a failure to stderr. Returns the exit code: 2 for a wrong command line, else 1. */
export const tellFailure = (error: Error, telling: Telling): number => {
  const { message } = error;
  const isUsage = error instanceof UsageError;
  const exitCode = isUsage ? 2 : 1;
  const hint = isUsage ? error.hint : undefined;
  const text =
    telling === "json"
      ? JSON.stringify({ error: { message, hint, exitCode, reason: isUsage ? "Usage" : "Failed" } })
      : `registry: ${message}${hint === undefined ? "" : `\n${hint}`}`;
  process.stderr.write(`${text}\n`);
  return exitCode;
};
