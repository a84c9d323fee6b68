// Recording of a terminal while commands are typed into a shell.
import { spawn } from "@lydell/node-pty";
import xterm from "@xterm/headless";

/** A stretch of a line in one style. */
export interface Run {
  readonly text: string;
  /** Column of its first cell, from 0, and how many cells it takes. */
  readonly column: number;
  readonly width: number;
  /** Number of a colour of the terminal's palette; undefined: its own. */
  readonly colour: number | undefined;
  readonly bold: boolean;
  readonly dim: boolean;
}

/** Screen at the end. */
export interface Recording {
  readonly columns: number;
  readonly lines: ReadonlyArray<ReadonlyArray<Run>>;
}

/** Options of a shell. */
export interface RecordingOptions {
  readonly columns: number;
  readonly cwd: string;
  readonly env: Readonly<Record<string, string>>;
}

/** Marks the begin of a prompt (FinalTerm's OSC 133); terminals do not show it. */
const promptMark = "\u001b]133;A\u0007";
const prompt = String.raw`\[\e]133;A\a\e[1;32m\]$\[\e[0m\] `;

/** Rows of the terminal: more than any session writes. */
const rows = 200;

/** Types each command once the shell asks for one; resolves with what is shown when it asks again after the last. */
export const record = async (commands: ReadonlyArray<string>, options: RecordingOptions): Promise<Recording> => {
  const { columns: cols, cwd } = options;
  const env = { ...options.env, TERM: "xterm-256color", PS1: prompt, INPUTRC: "/dev/null", LC_ALL: "C.UTF-8" };
  const pty = spawn("bash", ["--norc", "--noprofile", "-i"], { cols, rows, cwd, env });
  const terminal = new xterm.Terminal({ cols, rows, allowProposedApi: true });
  const waiting = [...commands];
  let written = "";
  let asked = 0;
  pty.onData((data) => {
    terminal.write(data);
    written += data;
    for (; written.split(promptMark).length - 1 > asked; asked++) {
      const command = waiting.shift();
      // The next prompt is not part of the picture.
      pty.write(command === undefined ? "\u0004" : `${command}\r`);
    }
  });
  await new Promise<void>((resolve) => pty.onExit(() => resolve()));
  await new Promise<void>((resolve) => terminal.write("", resolve));
  const { active } = terminal.buffer;
  const lines = Array.from({ length: active.length }, (_, row) => runsOf(active.getLine(row)));
  // The last prompt, with which the shell was ended.
  const last = lines.findLastIndex((runs) => runs.some(({ text }) => text.startsWith("$")));
  return { columns: cols, lines: lines.slice(0, last) };
};

type Line = NonNullable<ReturnType<xterm.Terminal["buffer"]["active"]["getLine"]>>;

const runsOf = (line: Line | undefined): ReadonlyArray<Run> => {
  const runs: Array<Run> = [];
  if (line === undefined) return runs;
  for (let column = 0; column < line.length; column++) {
    const cell = line.getCell(column);
    if (cell === undefined || cell.getWidth() === 0) continue;
    const next: Run = {
      text: cell.getChars() || " ",
      column,
      width: cell.getWidth(),
      colour: cell.isFgPalette() ? cell.getFgColor() : undefined,
      bold: cell.isBold() !== 0,
      dim: cell.isDim() !== 0,
    };
    const run = runs.at(-1);
    if (run !== undefined && sameStyle(run, next)) {
      runs[runs.length - 1] = { ...run, text: run.text + next.text, width: run.width + next.width };
    } else runs.push(next);
  }
  return runs.filter(({ text }) => text.trim() !== "");
};

const sameStyle = (a: Run, b: Run): boolean => a.colour === b.colour && a.bold === b.bold && a.dim === b.dim;

/** The text of a recording, a line each. */
export const textOf = ({ lines }: Recording): string =>
  lines.map((runs) => runs.reduce((line, { column, text }) => line.padEnd(column) + text, "").trimEnd()).join("\n");
