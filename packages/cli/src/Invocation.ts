// State of one run: arguments, streams, settings, cancellation.
import type { Arguments, FlagValue } from "./parse/Arguments.ts";
import type { Directories } from "./config/Directories.ts";
import type { Settings } from "./config/Settings.ts";
import type { Notes } from "./terminal/Notes.ts";
import type { Stdout } from "./terminal/Stdout.ts";
import type { Environment, Terminal } from "./terminal/Terminal.ts";

/** One run. */
export interface Invocation {
  readonly arguments: Arguments;
  readonly env: Environment;
  readonly cwd: string;
  readonly directories: Directories;
  readonly settings: Settings;
  readonly stdin: NodeJS.ReadStream;
  readonly stdout: Stdout;
  /** What stdout can show. */
  readonly terminal: Terminal;
  /** stderr. */
  readonly notes: Notes;
  /** Aborted with the reason when the run is to end: Ctrl-C. */
  readonly signal: AbortSignal;
}

const value = (invocation: Invocation, name: string): FlagValue | undefined => invocation.arguments.flags[name];

/** Whether a switch was given. */
export const isOn = (invocation: Invocation, name: string): boolean => value(invocation, name) === true;

/** The text of a flag, or undefined. */
export const textOf = (invocation: Invocation, name: string): string | undefined => {
  const given = value(invocation, name);
  return typeof given === "string" ? given : undefined;
};

/** The number of a flag (milliseconds for a duration), or undefined. */
export const numberOf = (invocation: Invocation, name: string): number | undefined => {
  const given = value(invocation, name);
  return typeof given === "number" ? given : undefined;
};

/** The words of a flag, or undefined. */
export const wordsOf = (invocation: Invocation, name: string): ReadonlyArray<string> | undefined => {
  const given = value(invocation, name);
  return typeof given === "object" ? given : undefined;
};

/** A positional by its place. The parser has checked that required ones are there. */
export const positional = (invocation: Invocation, index: number): string =>
  invocation.arguments.positionals[index] ?? "";
