// Display of a step: name, time, output on failure.
import { spawn, type ChildProcess } from "node:child_process";

/** A failed command and its output. */
export class CommandError extends Error {
  readonly output: string;
  constructor(command: string, outcome: string, output: string) {
    super(`${command} ${outcome}`);
    this.name = "CommandError";
    this.output = output;
  }
}

/** The environment of every tool: no telemetry, and colours as if on our own terminal. */
export const toolEnvironment = (): NodeJS.ProcessEnv => ({
  ...process.env,
  TURBO_TELEMETRY_DISABLED: "1",
  DO_NOT_TRACK: "1",
  ...(process.stdout.isTTY && process.env["NO_COLOR"] === undefined ? { FORCE_COLOR: "1" } : {}),
});

/** Folder of a quiet tool, and the signal that ends it. */
export interface QuietOptions {
  readonly cwd?: string;
  /** Ends the tool with all that it started. */
  readonly signal?: AbortSignal;
}

/** Runs a tool quietly. Resolves with its stdout; rejects with all output if its exit code is not 0. */
export const quietly = (command: string, args: ReadonlyArray<string>, options: QuietOptions = {}): Promise<string> =>
  new Promise((resolve, reject) => {
    const { cwd, signal } = options;
    const child = spawn(command, args, {
      cwd,
      env: toolEnvironment(),
      stdio: ["ignore", "pipe", "pipe"],
      // Own process group, so that it can be ended with its children.
      detached: signal !== undefined,
    });
    const stdout: Array<string> = [];
    const all: Array<string> = [];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout.push(text);
      all.push(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => all.push(text));
    const shown = [command, ...args].join(" ");
    const end = (): void => killGroup(child, "SIGTERM");
    signal?.addEventListener("abort", end, { once: true });
    child.on("error", (error) => reject(new CommandError(shown, `did not start: ${error.message}`, "")));
    child.on("close", (code, by) => {
      signal?.removeEventListener("abort", end);
      if (code === 0) resolve(stdout.join(""));
      else reject(new CommandError(shown, `ended with ${by ?? `exit code ${code}`}`, all.join("")));
    });
  });

/** Sends a signal to a child's process group. */
export const killGroup = (child: ChildProcess, signal: NodeJS.Signals): void => {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, signal);
  } catch {
    // The group is gone already.
  }
};

/** Seconds since a moment of `performance.now()`, to a tenth. */
export const secondsSince = (start: number): string => `${((performance.now() - start) / 1000).toFixed(1)} s`;

/** Interval of the time display of a running step on a terminal, in milliseconds. */
const tickMs = 1_000;

/**
 * Runs a named step and shows its result. Resolves with whether it succeeded; a failure is shown with its output, and the
 * caller decides whether to go on. A step ended by the signal is not shown as a failure.
 */
export const step = async (name: string, work: () => Promise<unknown>, signal?: AbortSignal): Promise<boolean> => {
  const start = performance.now();
  const { isTTY } = process.stdout;
  const show = (mark: string, end: string): void => {
    const time = mark === "  .." && !isTTY ? "" : ` (${secondsSince(start)})`;
    process.stdout.write(`${isTTY ? "\r\x1b[K" : ""}${mark} ${name}${time}${end}`);
  };
  show("  ..", isTTY ? "" : "\n");
  const ticking = isTTY ? setInterval(() => show("  ..", ""), tickMs) : undefined;
  try {
    await work();
    clearInterval(ticking);
    show("  ok", "\n");
    return true;
  } catch (error) {
    clearInterval(ticking);
    if (signal?.aborted === true) {
      if (isTTY) process.stdout.write("\r\x1b[K");
      return false;
    }
    show("FAIL", "\n");
    const detail = error instanceof CommandError ? `${error.output.trimEnd()}\n${error.message}` : messageOf(error);
    process.stdout.write(`${detail.replaceAll(/^/gm, "     ")}\n`);
    return false;
  }
};

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
