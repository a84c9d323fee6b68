// Errors for whoever typed a command.
import { didYouMean } from "@bytenite-engines/core/wire";

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

/** Exit codes that say more than 1. */
export const exitCodes = { usage: 2, notFound: 3, denied: 4, unavailable: 5, undecodable: 6, notMet: 7 } as const;

/** Exit codes by the HTTP status of an error, 503 without one; others are 1. */
export const codesByStatus: Readonly<Record<number, number>> = {
  200: exitCodes.undecodable,
  400: exitCodes.usage,
  401: exitCodes.denied,
  403: exitCodes.denied,
  404: exitCodes.notFound,
  409: exitCodes.notMet,
  429: exitCodes.unavailable,
  503: exitCodes.unavailable,
};

/** A wrong command line or setting: exit code 2. */
export class UsageError extends UserError {
  override readonly name = "UsageError";
  constructor(message: string, hint?: string) {
    super(message, exitCodes.usage, hint);
  }
}

/** Throws UsageError for a secret that no header can carry. It says where the secret came from, never the secret. */
export const assertSendable = (secret: string, origin: string): void => {
  if (/^[\u0020-\u007e]*$/.test(secret)) return;
  throw new UsageError(`${origin} has line breaks or characters beyond ASCII, which no token has`);
};

/** Format of failures: a sentence, or one JSON object of the same shape as that of `bne`. */
export type FailureFormat = "text" | "json";

/** Writes a failure to stderr. Returns the exit code. */
export const writeFailure = (error: Error, format: FailureFormat): number => {
  const { message } = error;
  const { status = 503 } = error as { readonly status?: number };
  const { exitCode, hint } =
    error instanceof UserError
      ? error
      : new UserError(message, error.name === "EngineError" ? codesByStatus[status] : undefined);
  const isUsage = exitCode === exitCodes.usage;
  const shown = hint ?? (isUsage ? "See registry --help." : undefined);
  const text =
    format === "json"
      ? JSON.stringify({ error: { message, hint: shown, exitCode, reason: isUsage ? "Usage" : "Failed" } })
      : `registry: ${message}${shown === undefined ? "" : `\n${shown}`}`;
  process.stderr.write(`${text}\n`);
  return exitCode;
};

/** The error of Node's `parseArgs` for a command line, with the flag that was probably meant. */
export const flagError = (error: unknown, known: ReadonlyArray<string>): UsageError => {
  const { message } = error as Error;
  const mistyped = /Unknown option '--([^']+)'/.exec(message)?.[1];
  return new UsageError(message, mistyped === undefined ? undefined : didYouMean(mistyped, known, "--"));
};
