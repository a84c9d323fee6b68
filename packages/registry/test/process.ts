// The registry's command line as a process.
import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from "node:child_process";
import { fileURLToPath } from "node:url";
import { resultOf, startProcess, type Result } from "@bytenite-engines/test-kit/process";
import { onTestFinished } from "vitest";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

type Environment = Readonly<Record<string, string>>;

/** How a process is started, where it matters: in which directory, as which user. */
export interface StartOptions {
  readonly cwd?: string;
  readonly uid?: number;
}

/** Starts a command; whoever does has to end it. */
export const start = (
  args: ReadonlyArray<string>,
  environment: Environment = {},
  options: StartOptions = {},
): ChildProcessWithoutNullStreams =>
  spawn(process.execPath, [main, ...args], { env: environmentOf(environment), ...options });

const environmentOf = (environment: Environment): Environment => ({ PATH: process.env["PATH"] ?? "", ...environment });

/** Runs a command to its end. */
export const run = (
  args: ReadonlyArray<string>,
  environment: Environment = {},
  stdin = "",
  options: StartOptions = {},
): Promise<Result> => {
  const child = start(args, environment, options);
  onTestFinished(() => void child.kill("SIGKILL"));
  return resultOf(child, stdin);
};

/** A registry that serves, as its own process. */
export interface Serving {
  readonly origin: string;
  readonly child: ChildProcess;
  /** What it has written so far. */
  readonly output: { readonly stdout: string; readonly stderr: string };
  /** Sends a signal and waits for the end. */
  readonly end: (signal: NodeJS.Signals) => Promise<number | null>;
}

/** Starts a registry on a free port and waits for its line. */
export const serve = async (
  args: ReadonlyArray<string>,
  environment: Environment = {},
  options: StartOptions = {},
): Promise<Serving> => {
  const { child, said, output, stop } = await startProcess([main, "--port", "0", ...args], {
    ...options,
    env: environmentOf(environment),
    ready: /^ready (http:\/\/\S+)$/,
    keepsOutput: true,
  });
  // A test that fails before it has ended its registry must not leave it behind.
  onTestFinished(() => void child.kill("SIGKILL"));
  return {
    origin: said,
    child,
    output,
    end: async (signal) => {
      await stop(signal);
      return child.exitCode;
    },
  };
};
