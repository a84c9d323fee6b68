// Commands of bne in this process, with all their output.
import { Readable, Writable } from "node:stream";
import { join } from "node:path";
import { loaderOf } from "../src/commands/Loaders.ts";
import { directoriesOf } from "../src/config/Directories.ts";
import { loadSettings } from "../src/config/Settings.ts";
import { SeveralErrors } from "../src/Errors.ts";
import { failureOf, failureText } from "../src/Failure.ts";
import { parseCommandLine } from "../src/parse/Arguments.ts";
import { Notes } from "../src/terminal/Notes.ts";
import { Stdout } from "../src/terminal/Stdout.ts";
import { terminalOf } from "../src/terminal/Terminal.ts";
import type { Home, RunOptions } from "./Bne.ts";

/** A run: its exit code, and everything in the order in which it was said. */
export interface InProcessRun {
  readonly code: number;
  readonly stdout: string;
  /** Notes, warnings and failures. */
  readonly stderr: string;
  /** Activities that a terminal shows while they take long. */
  readonly progress: ReadonlyArray<string>;
}

class RecordingNotes extends Notes {
  readonly activities: Array<string> = [];
  override progress(text: string | undefined): void {
    this.activities.push(text ?? "-");
  }
}

/**
 * Runs a command line; `columns` makes stdout and stderr a terminal of so many cells, `coloured` one with colours; `signal`
 * ends it.
 */
export const inProcess = async (
  home: Home,
  args: ReadonlyArray<string>,
  options: RunOptions & { readonly columns?: number; readonly coloured?: boolean; readonly signal?: AbortSignal } = {},
): Promise<InProcessRun> => {
  let [stdout, stderr] = ["", ""];
  const env = { ...home.env, ...options.env };
  const directories = directoriesOf("linux", env, home.path);
  const cwd = options.cwd ?? home.path;
  const { columns, coloured = false } = options;
  const terminal = terminalOf(
    { isTTY: columns !== undefined, columns, rows: 1_000 },
    env,
    coloured ? "always" : "never",
  );
  let progress: ReadonlyArray<string> = [];
  const failed = (error: unknown, command?: Parameters<typeof failureOf>[1]): InProcessRun => {
    const failures = (error instanceof SeveralErrors ? error.errors : [error]).map((one) => failureOf(one, command));
    const said = failures.map(failureText).join("");
    return { code: failures[0]?.exitCode ?? 0, stdout, stderr: stderr + said, progress };
  };
  let request: ReturnType<typeof parseCommandLine>;
  try {
    request = parseCommandLine(args);
  } catch (error) {
    return failed(error);
  }
  if (request.kind !== "run") throw new Error(`it is ${request.kind}`);
  const given = request.arguments;
  try {
    const settings = await loadSettings({
      flags: given.flags,
      env,
      cwd,
      userFile: join(directories.config, "config.json"),
    });
    const notes = new RecordingNotes(
      terminal,
      {
        verbose: given.flags["verbose"] === true,
        trace: given.flags["trace"] === true,
        quiet: given.flags["quiet"] === true,
        json: ["json", "ndjson"].includes(settings.text("output") ?? ""),
        attempts: () => Number(settings.of("attempts").value),
      },
      (text) => (stderr += text),
    );
    progress = notes.activities;
    for (const warning of settings.warnings) notes.warn(warning);
    const stream = new Writable({
      write: (chunk: Buffer, _, done) => {
        stdout += chunk.toString();
        done();
      },
    });
    const invocation = {
      arguments: given,
      env,
      cwd,
      directories,
      settings,
      stdin: Readable.from(options.input === undefined ? [] : [Buffer.from(options.input)]) as NodeJS.ReadStream,
      stdout: new Stdout(stream, { before: () => {}, onPager: () => {}, onPagerFailure: () => {} }),
      terminal,
      notes,
      signal: options.signal ?? new AbortController().signal,
    };
    const run = await loaderOf(given.command)?.();
    const code = (await run?.(invocation)) ?? -1;
    notes.reportAge();
    return { code, stdout, stderr, progress };
  } catch (error) {
    return failed(error, given.command);
  }
};
