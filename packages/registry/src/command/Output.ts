// What commands print: records and lines.
import { createInterface } from "node:readline/promises";
import { once } from "node:events";
import { exitCodes, UserError } from "./UserError.ts";

/** A record of a list, by the names of its fields. */
export type RegistryRow = Readonly<Record<string, string | number | boolean | null>>;

/** Where a command prints. */
export interface CommandOutput {
  /** A record; `line` stands for it where there is only text. */
  readonly row: (row: RegistryRow, line: string) => Promise<void>;
  /** A record that is shown this once. Rejects when it could not be written. */
  readonly secret: (row: RegistryRow, line: string) => Promise<void>;
  /** What was done, on stdout. */
  readonly done: (line: string) => Promise<void>;
  /** What else is to be known, on stderr. */
  readonly note: (line: string) => void;
  /** What is wrong with a part of the input, on stderr. */
  readonly problem: (line: string) => void;
}

const onStderr = (line: string): void => void process.stderr.write(`${line}\n`);
const onStdout = async (line: string): Promise<void> => void process.stdout.write(`${line}\n`);

/** Lines on stdout and stderr. */
export const plainOutput: CommandOutput = {
  row: (_, line) => onStdout(line),
  secret: (_, line) =>
    new Promise((resolve, reject) => {
      process.stdout.write(`${line}\n`, (error) => (error == null ? resolve() : reject(error)));
    }),
  done: onStdout,
  note: onStderr,
  problem: onStderr,
};

/** Whether somebody can be asked: a terminal on stdin and stderr. */
export const canAsk = (): boolean => process.stdin.isTTY && process.stderr.isTTY;

/** Asks before a deletion. Rejects with UserError for any answer but yes, and where nobody can be asked. */
export const assertDeletion = async (question: string, signal?: AbortSignal): Promise<void> => {
  if (canAsk() && (await isConfirmed(`${question} [y/N] `, signal))) return;
  throw new UserError("Nothing was deleted", exitCodes.notMet, "--yes deletes without asking.");
};

/** Asks on the terminal. True for y and yes; false for anything else, at the end of input, and when the signal is aborted. */
export const isConfirmed = async (question: string, signal?: AbortSignal): Promise<boolean> => {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  // Ctrl-C ends the process as it does elsewhere.
  lines.on("SIGINT", () => void process.kill(process.pid, "SIGINT"));
  try {
    const closed = once(lines, "close").then(() => "");
    const answer = await Promise.race([lines.question(question, { signal }).catch(() => ""), closed]);
    return /^y(?:es)?$/i.test(answer.trim());
  } finally {
    lines.close();
  }
};
