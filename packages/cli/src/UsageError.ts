// Decides: what a command line that cannot be carried out says about itself.

/** A wrong command line or setting: exit code 2. `hint` says what to do instead. */
export class UsageError extends Error {
  readonly _tag = "UsageError";
  readonly hint: string | undefined;
  constructor(message: string, hint?: string) {
    super(message);
    this.name = "UsageError";
    this.hint = hint;
  }
}
