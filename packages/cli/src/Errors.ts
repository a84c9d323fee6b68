// The errors that commands throw.
import type { EngineError } from "@bytenite-engines/core/promise";

/** A failure with a better hint than its kind has. */
export class HintedError extends Error {
  readonly _tag = "HintedError";
  readonly hint: string;
  constructor(cause: Error, hint: string) {
    super(cause.message, { cause });
    this.hint = hint;
  }
}

/** By its tag, so that commands which ask nothing need not load the client. */
export const isEngineError = (error: unknown): error is EngineError =>
  error instanceof Error && "_tag" in error && error._tag === "EngineError";

/** A file that could not be written, said in a sentence. */
export class FileError extends Error {
  readonly _tag = "FileError";
}

/** Several failures, none of which kept the rest from being done. */
export class SeveralErrors extends Error {
  readonly _tag = "SeveralErrors";
  readonly errors: ReadonlyArray<Error>;
  constructor(errors: ReadonlyArray<Error>) {
    super(errors.map(({ message }) => message).join("; "));
    this.errors = errors;
  }
}
