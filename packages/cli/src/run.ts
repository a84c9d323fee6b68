// One run of bne: from the command line to the exit code.
import { UsageError } from "@bytenite-engines/registry/command";
import { join } from "node:path";
import { loaderOf } from "./commands/Loaders.ts";
import { SeveralErrors, exitCodes } from "./Errors.ts";
import { failureJson, failureOf, failureText } from "./Failure.ts";
import type { Invocation } from "./Invocation.ts";
import { nameOf, type Command } from "./parse/Command.ts";
import { directoriesOf, homeDirectory } from "./config/Directories.ts";
import { loadSettings } from "./config/Settings.ts";
import { parseCommandLine, type Arguments } from "./parse/Arguments.ts";
import { Notes } from "./terminal/Notes.ts";
import { printText } from "./terminal/PlainText.ts";
import { ClosedPipe, Stdout } from "./terminal/Stdout.ts";
import { asciiText, safeText } from "./terminal/SafeText.ts";
import { version } from "./Version.ts";
import { isUtf8, terminalOf, type StreamFacts } from "./terminal/Terminal.ts";

/** State of a run for reporting its failure. */
interface Run {
  readonly argv: ReadonlyArray<string>;
  json: boolean;
  verbose: boolean;
  command: Command | undefined;
}

/** Runs a command line and resolves to its exit code. Data goes to stdout, everything else to stderr. */
export const run = async (argv: ReadonlyArray<string>): Promise<number> => {
  const known: Run = {
    argv,
    json: argv.includes("--trace") || asksForJson(argv, process.env["BYTENITE_OUTPUT"]),
    verbose: argv.includes("--verbose") || argv.includes("-v"),
    command: undefined,
  };
  try {
    return await execute(argv, known);
  } catch (error) {
    if (error instanceof ClosedPipe) return exitCodes.ok;
    // What a command has not ended, as a request or a question, is not waited for.
    if (error instanceof Interrupted) process.exit(error.exitCode);
    const errors = error instanceof SeveralErrors ? error.errors : [error];
    const failures = errors.map((one) => [one, failureOf(one, known.command)] as const);
    for (const [one, failure] of failures) {
      const text = failureText(failure);
      toStderr(known.json ? failureJson(failure) : isUtf8(process.env) ? text : asciiText(text));
      if (known.verbose && failure.reason === "Unexpected") toStderr(stackOf(one));
    }
    return failures[0]?.[1].exitCode ?? exitCodes.unexpected;
  }
};

const execute = async (argv: ReadonlyArray<string>, known: Run): Promise<number> => {
  const request = parseCommandLine(argv);
  if (request.kind === "version") {
    printText(`${version}\n`);
    return exitCodes.ok;
  }
  if (request.kind === "help") {
    const { showHelp } = await import("./parse/Help.ts");
    return showHelp(request.words);
  }
  known.command = request.arguments.command;
  const signal = interruption();
  const invocation = await invocationOf(request.arguments, signal);
  known.json = invocation.notes.verbosity.json;
  const load = loaderOf(request.arguments.command);
  if (load === undefined) throw new Error(`nothing runs ${nameOf(request.arguments.command)}`);
  const run = await load();
  // Ctrl-C reaches the pager itself, which goes on; a SIGTERM ends both.
  let hasLeftPager = false;
  signal.addEventListener("abort", () => {
    if (isTerminated(signal)) hasLeftPager = invocation.stdout.leavePager();
  });
  let code: number;
  try {
    code = await unlessInterrupted(run(invocation), signal);
  } finally {
    invocation.notes.progress(undefined);
    invocation.notes.reportAge();
    await invocation.stdout.end();
  }
  // What ends well by a SIGTERM, as `registry serve`, has ended well.
  if (hasLeftPager) throw signal.reason;
  return code;
};

const isTerminated = ({ reason }: AbortSignal): boolean =>
  reason instanceof Interrupted && reason.exitCode === terminatedCode;

/** Reports an interrupted run as interrupted, whatever it failed with. */
const unlessInterrupted = async (code: Promise<number>, signal: AbortSignal): Promise<number> => {
  try {
    return await code;
  } catch (error) {
    throw signal.aborted && (isTerminated(signal) || !(error instanceof ClosedPipe)) ? signal.reason : error;
  }
};

const invocationOf = async (given: Arguments, signal: AbortSignal): Promise<Invocation> => {
  const { env } = process;
  const directories = directoriesOf(process.platform, env, homeDirectory());
  const cwd = workingFolder();
  const settings = await loadSettings({
    flags: given.flags,
    env,
    cwd,
    userFile: join(directories.config, "config.json"),
  });
  const when = settings.text("color");
  const trace = given.flags["trace"] === true;
  const notes = new Notes(
    terminalOf(stderrFacts(), env, when),
    {
      verbose: given.flags["verbose"] === true,
      trace,
      quiet: given.flags["quiet"] === true,
      json: trace || ["json", "ndjson"].includes(settings.text("output") ?? ""),
      attempts: () => Number(settings.of("attempts").value),
    },
    (text) => toStderr(isUtf8(env) || trace ? text : asciiText(text)),
  );
  for (const warning of settings.warnings) notes.warn(warning);
  const terminal = terminalOf(factsOf(process.stdout), env, when);
  const stdout = new Stdout(process.stdout, {
    before: () => notes.hide(),
    onPager: (isOpen) => notes.hold(isOpen),
    onPagerFailure: (command, how) => notes.warn(`the pager ${safeText(command)} ${how}; without it:`),
  });
  if (terminal.isTTY && !isUtf8(env)) stdout.shown = asciiText;
  return {
    arguments: given,
    env,
    cwd,
    directories,
    settings,
    get stdin() {
      return process.stdin;
    },
    stdout,
    terminal,
    notes,
    signal,
  };
};

const workingFolder = (): string => {
  try {
    return process.cwd();
  } catch {
    throw new UsageError("The working folder is not there any more", "Change to one that exists.");
  }
};

/** Writes to stderr, whose stream takes milliseconds to make. A closed one does not stop the command. */
const toStderr = (text: string): void => {
  if (process.stderr.listenerCount("error") === 0) process.stderr.on("error", () => {});
  process.stderr.write(text);
};

const stderrFacts = (): StreamFacts =>
  process.getBuiltinModule("node:tty").isatty(2)
    ? factsOf(process.stderr)
    : { isTTY: false, columns: undefined, rows: undefined };

const factsOf = (stream: NodeJS.WriteStream): StreamFacts => ({
  // Undefined unless it is a terminal, despite its type.
  isTTY: (stream as { readonly isTTY?: boolean }).isTTY ?? false,
  columns: stream.columns,
  rows: stream.rows,
});

/** Whether errors are printed as JSON, before the command line is parsed. */
const asksForJson = (argv: ReadonlyArray<string>, setting: string | undefined): boolean => {
  const [, form = setting] = /(?:^|\0)(?:--output|-o)[\0=]?(\w+)(?:\0|$)/.exec(argv.join("\0")) ?? [];
  return form === "json" || form === "ndjson";
};

const stackOf = (error: unknown): string => {
  const lines: Array<string> = [];
  for (let cause = error; cause instanceof Error; cause = cause.cause) lines.push(cause.stack ?? cause.message);
  return `${lines.join("\ncaused by ")}\n`;
};

/** The shell's convention: 128 plus the number of the signal. */
const terminatedCode = 143;

/** Reason of a run ended by a signal. */
export class Interrupted extends Error {
  readonly _tag = "Interrupted";
  readonly exitCode: number;
  constructor(signal: "SIGINT" | "SIGTERM") {
    super("interrupted");
    this.exitCode = signal === "SIGINT" ? exitCodes.interrupted : terminatedCode;
  }
}

/** An AbortSignal for SIGINT and SIGTERM. A second one ends the process at once. */
export const interruption = (): AbortSignal => {
  const controller = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      const reason = new Interrupted(name);
      if (controller.signal.aborted) process.exit(reason.exitCode);
      controller.abort(reason);
    });
  }
  return controller.signal;
};
