// Decides: which failures a command tells in one sentence: those that the operator can do something about.

/** A failure whose message is for the operator. */
export class ToldError extends Error {
  override readonly name: string = "ToldError";
}

/** A command line or a settings file that cannot be understood. */
export class UsageError extends ToldError {
  override readonly name: string = "UsageError";
}
