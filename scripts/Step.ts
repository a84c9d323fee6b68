// Decides: how a step of a longer job is shown: its name while it runs, its time when it ends, its output when it fails.
import { spawn } from "node:child_process";

/** A failed command: what it was, and all that it printed. */
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

/** Runs a tool quietly. Resolves with what it printed on stdout; rejects with all of it when it does not end with 0. */
export const quietly = (
  command: string,
  args: ReadonlyArray<string>,
  options: { readonly cwd?: string; readonly signal?: AbortSignal } = {},
): Promise<string> =>
  new Promise((resolve, reject) => {
    const child = spawn(command, args, { ...options, env: toolEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
    const stdout: Array<string> = [];
    const all: Array<string> = [];
    child.stdout.setEncoding("utf8").on("data", (text: string) => {
      stdout.push(text);
      all.push(text);
    });
    child.stderr.setEncoding("utf8").on("data", (text: string) => all.push(text));
    const shown = [command, ...args].join(" ");
    child.on("error", (error) => reject(new CommandError(shown, `did not start: ${error.message}`, "")));
    child.on("close", (code, signal) => {
      if (code === 0) resolve(stdout.join(""));
      else reject(new CommandError(shown, `ended with ${signal ?? `exit code ${code}`}`, all.join("")));
    });
  });

/** Seconds since a moment of `performance.now()`, to a tenth. */
export const secondsSince = (start: number): string => `${((performance.now() - start) / 1000).toFixed(1)} s`;

/**
 * Does one named step and shows how it went. Resolves with whether it succeeded; a failure is shown with its output,
 * and the caller decides whether to go on.
 */
export const step = async (name: string, work: () => Promise<unknown>): Promise<boolean> => {
  const start = performance.now();
  if (process.stdout.isTTY) process.stdout.write(`  .. ${name}`);
  const line = (mark: string) => `${process.stdout.isTTY ? "\r" : ""}${mark} ${name} (${secondsSince(start)})\n`;
  try {
    await work();
    process.stdout.write(line("  ok"));
    return true;
  } catch (error) {
    process.stdout.write(line("FAIL"));
    const detail =
      error instanceof CommandError
        ? `${error.output.trimEnd()}\n${error.message}`
        : error instanceof Error
          ? error.message
          : String(error);
    process.stdout.write(`${detail.replaceAll(/^/gm, "     ")}\n`);
    return false;
  }
};
