// Decides: what is told of a document that is no profile of field numbers.

/** A document that is no profile; the message says what is wrong, and where. */
export class ProfileError extends Error {
  /** Whether it seems to be of a newer version than this one, which had better leave it as it is. */
  readonly isNewer: boolean;

  constructor(problem: string, isNewer = false) {
    super(`profile: ${problem}`);
    this.name = "ProfileError";
    this.isNewer = isNewer;
  }
}
