// Definition of a command, for parser, help, completion and reference.

/** Kind of a flag's value. A `switch` takes none; `pairs` may be given several times. */
export type FlagKind = "switch" | "text" | "url" | "count" | "duration" | "words" | "choice" | "pairs";

/** One flag. A flag of the same name has the same kind in every command. */
export interface Flag {
  /** Without dashes. */
  readonly name: string;
  /** One letter. */
  readonly short?: string;
  readonly kind: FlagKind;
  /** Name of the value in help, e.g. `URL`. */
  readonly value?: string;
  /** The values of a `choice`. */
  readonly choices?: ReadonlyArray<string>;
  /** The least value of a `count`, or of a `duration` in milliseconds. Default 0. */
  readonly least?: number;
  readonly summary: string;
  /** Completion of the value in a shell. */
  readonly completes?: Completion;
}

/** Completions of a value. */
export type Completion = "tags" | "names" | "profiles" | "settings" | "files" | ReadonlyArray<string>;

/** A value without a flag. */
export interface Positional {
  readonly name: string;
  readonly summary: string;
  readonly optional?: boolean;
  /** Takes all following values. */
  readonly many?: boolean;
  readonly completes?: Completion;
}

/** An example; the tests run each. */
export interface Example {
  readonly line: string;
  readonly explains: string;
  /** Its exit code against a registry with the trial users. Default 0. */
  readonly exit?: number;
}

/** One command of the tree. */
export interface Command {
  /** The words that call it, e.g. `["auth", "login"]`. */
  readonly path: ReadonlyArray<string>;
  /** Aliases, as in other programs. */
  readonly aliases?: ReadonlyArray<ReadonlyArray<string>>;
  /** Names in other programs: not accepted, but suggested. */
  readonly elsewhere?: ReadonlyArray<string>;
  /** Hint after too many values. */
  readonly instead?: string;
  /** One line. */
  readonly summary: string;
  /** Paragraphs of its help. */
  readonly details?: ReadonlyArray<string>;
  readonly positionals?: ReadonlyArray<Positional>;
  readonly flags?: ReadonlyArray<Flag>;
  /** Groups of common flags, in addition to its own. */
  readonly takes?: ReadonlyArray<"connection" | "output">;
  readonly examples: ReadonlyArray<Example>;
}

/** As on a command line: `bne auth login`. */
export const nameOf = (command: Pick<Command, "path">): string => ["bne", ...command.path].join(" ");
