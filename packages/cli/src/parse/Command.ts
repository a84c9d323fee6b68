// Definition of a command, for parser, help, completion and reference.

/** What the value of a flag may be. A `switch` takes none; `pairs` may be given several times. */
export type FlagKind = "switch" | "text" | "url" | "count" | "duration" | "words" | "choice" | "pairs";

/** One flag. A flag of the same name has the same kind in every command. */
export interface Flag {
  /** Without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  readonly kind: FlagKind;
  /** How the value is called in help, e.g. `URL`. */
  readonly value?: string;
  /** The values of a `choice`. */
  readonly choices?: ReadonlyArray<string>;
  /** The least value of a `count`, or of a `duration` in milliseconds. Default 0. */
  readonly least?: number;
  readonly summary: string;
  /** What completes the value in a shell. */
  readonly completes?: Completion;
}

/** What a shell offers for a value. */
export type Completion = "tags" | "names" | "profiles" | "settings" | "files" | ReadonlyArray<string>;

/** A value without a flag. */
export interface Positional {
  readonly name: string;
  readonly summary: string;
  readonly optional?: boolean;
  /** Takes all that follow. */
  readonly many?: boolean;
  readonly completes?: Completion;
}

/** A command line to learn from; the tests run every one. */
export interface Example {
  readonly line: string;
  readonly explains: string;
  /** Exit code that it has against a registry with the trial users. Default 0. */
  readonly exit?: number;
}

/** One command of the tree. */
export interface Command {
  /** The words that call it, e.g. `["auth", "login"]`. */
  readonly path: ReadonlyArray<string>;
  /** Other words that call it, as people know them from other programs. */
  readonly aliases?: ReadonlyArray<ReadonlyArray<string>>;
  /** What other programs call it: not accepted, but suggested. */
  readonly elsewhere?: ReadonlyArray<string>;
  /** What to do instead of giving it more values than it takes. */
  readonly instead?: string;
  /** One line. */
  readonly summary: string;
  /** More about it, in paragraphs. */
  readonly details?: ReadonlyArray<string>;
  readonly positionals?: ReadonlyArray<Positional>;
  readonly flags?: ReadonlyArray<Flag>;
  /** Groups of common flags that it takes in addition to its own. */
  readonly takes?: ReadonlyArray<"connection" | "output">;
  readonly examples: ReadonlyArray<Example>;
}

/** How it is written on a command line: `bne auth login`. */
export const nameOf = (command: Pick<Command, "path">): string => ["bne", ...command.path].join(" ");
