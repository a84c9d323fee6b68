// Exit codes, and the errors that commands throw.
import type { EngineErrorTag, EngineError } from "@bytenite-engines/core/promise";

/** Exit codes of every command. */
export const exitCodes = {
  ok: 0,
  unexpected: 1,
  usage: 2,
  notFound: 3,
  denied: 4,
  unavailable: 5,
  undecodable: 6,
  notMet: 7,
  interrupted: 130,
} as const;

/** Meaning of each code, for help, man page and reference. */
export const exitCodeMeanings: ReadonlyArray<readonly [code: number, meaning: string]> = [
  [exitCodes.ok, "done"],
  [exitCodes.unexpected, "something unexpected went wrong"],
  [exitCodes.usage, "the command line or a setting is wrong, or the API refuses the request as invalid"],
  [exitCodes.notFound, "not found"],
  [exitCodes.denied, "no credentials, or not accepted, or not allowed"],
  [exitCodes.unavailable, "unreachable, unavailable, rate limited or timed out, after all attempts"],
  [exitCodes.undecodable, "the answer cannot be read, or redirects elsewhere"],
  [
    exitCodes.notMet,
    "a condition is not met (wait, diff, doctor, validate, push, pull), or a quota or limit of the server",
  ],
  [exitCodes.interrupted, "interrupted"],
];

const codesOfTags: Readonly<Record<EngineErrorTag, number>> = {
  NotFound: exitCodes.notFound,
  Unauthenticated: exitCodes.denied,
  PermissionDenied: exitCodes.denied,
  CredentialsFailed: exitCodes.denied,
  InvalidArgument: exitCodes.usage,
  Conflict: exitCodes.notMet,
  Rejected: exitCodes.unexpected,
  Unimplemented: exitCodes.unexpected,
  DataLoss: exitCodes.unexpected,
  RedirectRefused: exitCodes.undecodable,
  RateLimited: exitCodes.unavailable,
  Unavailable: exitCodes.unavailable,
  Unreachable: exitCodes.unavailable,
  TimedOut: exitCodes.unavailable,
  CircuitOpen: exitCodes.unavailable,
  Undecodable: exitCodes.undecodable,
  TooLarge: exitCodes.undecodable,
};

/** The exit code of a failed call. */
export const exitCodeOf = (error: EngineError): number =>
  isBeyondLimit(error) ? exitCodes.notMet : codesOfTags[error.reason._tag];

/** Content Too Large (RFC 9110, 15.5.14). */
const contentTooLarge = 413;

/** Whether the request was too large for the server. */
export const isTooLarge = ({ status, reason }: EngineError): boolean =>
  status === contentTooLarge && (reason._tag === "InvalidArgument" || reason._tag === "Rejected");

/** Whether the server rejected a valid request by its state or limits, such as a quota. */
export const isBeyondLimit = (error: EngineError): boolean =>
  isTooLarge(error) ||
  (["InvalidArgument", "Rejected"].includes(error.reason._tag) && error.code === "FAILED_PRECONDITION");

/** A failure with a specific hint. */
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

/** A file that could not be written. */
export class FileError extends Error {
  readonly _tag = "FileError";
}

/** Several independent failures. */
export class SeveralErrors extends Error {
  readonly _tag = "SeveralErrors";
  readonly errors: ReadonlyArray<Error>;
  constructor(errors: ReadonlyArray<Error>) {
    super(errors.map(({ message }) => message).join("; "));
    this.errors = errors;
  }
}
