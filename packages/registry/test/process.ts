// The registry's command line as a process.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));

/** What a process that has ended leaves. */
export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

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
): ChildProcess =>
  spawn(process.execPath, [main, ...args], { env: { PATH: process.env["PATH"] ?? "", ...environment }, ...options });

/** Runs a command to its end. */
export const run = async (
  args: ReadonlyArray<string>,
  environment: Environment = {},
  stdin = "",
  options: StartOptions = {},
): Promise<Ended> => {
  const child = start(args, environment, options);
  onTestFinished(() => void child.kill("SIGKILL"));
  let stdout = "";
  let stderr = "";
  child.stdout?.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr?.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  child.stdin?.end(stdin);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
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
  const child = start(["--port", "0", ...args], environment, options);
  // A test that fails before it has ended its registry must not leave it behind.
  onTestFinished(() => void child.kill("SIGKILL"));
  const output = { stdout: "", stderr: "" };
  child.stderr?.on("data", (chunk: Buffer) => (output.stderr += chunk.toString()));
  await new Promise<void>((resolve, reject) => {
    child.stdout?.on("data", (chunk: Buffer) => {
      output.stdout += chunk.toString();
      if (output.stdout.includes("\n")) resolve();
    });
    child.once("close", () => reject(new Error(`it ended: ${output.stderr}`)));
  });
  const origin = /^ready (http:\/\/\S+)\n$/.exec(output.stdout)?.[1] ?? "";
  return {
    origin,
    child,
    output,
    end: async (signal) => {
      const closed = once(child, "close");
      child.kill(signal);
      const [code] = (await closed) as [number | null];
      return code;
    },
  };
};
