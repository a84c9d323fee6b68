// Server processes: start, readiness, end.
import { spawn, type ChildProcess, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** The root of this repository. */
export const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** Exit and output of a process. */
export interface Result {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Output of a process until it ends. `input` is its stdin. */
export const resultOf = async (child: ChildProcessWithoutNullStreams, input?: string | Uint8Array): Promise<Result> => {
  let stdout = "";
  let stderr = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => (stdout += chunk));
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  // It may end before it has read everything.
  if (input !== undefined) child.stdin.on("error", () => {}).end(input);
  const [code] = (await once(child, "close")) as [number | null];
  return { code, stdout, stderr };
};

/** Options of a server process. */
export interface ProcessOptions {
  /** Default: the root of this repository. */
  readonly cwd?: string;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** The ready line; its first group is the value of `ready`. Default: `ready URL`. */
  readonly ready?: RegExp;
  /** Whether messages can be exchanged with it. */
  readonly ipc?: boolean;
  /** Whether all that it prints is kept, also after its ready line. Default: false. */
  readonly keepsOutput?: boolean;
  /** The user that it runs as. */
  readonly uid?: number | undefined;
}

/** A ready process. */
export interface ManagedProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** Value of its ready line. */
  readonly said: string;
  /** Its output until it was ready, or so far. */
  readonly output: { readonly stdout: string; readonly stderr: string };
  /** Ends it by SIGTERM, as an operator does, or by another signal; resolves when it has ended. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
}

/**
 * Runs Node with these arguments. Resolves at the ready line; rejects with the output if the process ends before. Its stdin
 * stays open until this process ends, so that it can end then.
 */
export const startProcess = async (
  args: ReadonlyArray<string>,
  { cwd = root, env = process.env, ready = /^ready (\S+)/, ipc = false, keepsOutput = false, uid }: ProcessOptions = {},
): Promise<ManagedProcess> => {
  const child = spawn(process.execPath, args, {
    cwd,
    env,
    ...(uid === undefined ? {} : { uid }),
    stdio: ["pipe", "pipe", "pipe", ...(ipc ? ["ipc" as const] : [])],
  });
  const ended = once(child, keepsOutput ? "close" : "exit") as Promise<[number | null, NodeJS.Signals | null]>;
  const output = { stdout: "", stderr: "" };
  let isReady = false;
  child.stderr?.setEncoding("utf8").on("data", (text: string) => (output.stderr += text));
  const said = await Promise.race([
    new Promise<string>((resolve) => {
      child.stdout?.setEncoding("utf8").on("data", (text: string) => {
        output.stdout += text;
        if (isReady) return;
        for (const line of output.stdout.split("\n").slice(0, -1)) {
          const [, said] = ready.exec(line) ?? [];
          if (said === undefined) continue;
          isReady = true;
          resolve(said);
        }
      });
    }),
    ended.then(([code, signal]) => {
      const printed = output.stdout + output.stderr;
      throw new Error(`${args.join(" ")} ended before it was ready (${code ?? signal}):\n${printed}`);
    }),
  ]);
  if (!keepsOutput) {
    child.stdout?.removeAllListeners("data").resume();
    child.stderr?.removeAllListeners("data").resume();
  }
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  return { child, said, output, stop, [Symbol.asyncDispose]: () => stop() };
};

/** A proxy that answers. */
export interface RunningProxy {
  /** Base URL of the API at the proxy. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Starts the built proxy before an upstream, as `pnpm proxy` does; port 0 takes a free one. */
export const startProxy = async (upstream: string, port = 0): Promise<RunningProxy> => {
  const { said, stop } = await startProcess([
    "apps/worker/scripts/proxy.ts",
    "--port",
    `${port}`,
    "--upstream",
    upstream,
  ]);
  return { url: said + new URL(upstream).pathname, stop: () => stop() };
};
