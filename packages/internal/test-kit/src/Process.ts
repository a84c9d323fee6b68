// A server in a process of its own: started, ready, ended.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

/** The root of this repository. */
export const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** How a process is started. */
export interface ProcessOptions {
  /** Default: the root of this repository. */
  readonly cwd?: string;
  /** Default: that of this process. */
  readonly env?: NodeJS.ProcessEnv;
  /** The line that says that it is ready; its first group is what it says. Default: `ready URL`. */
  readonly ready?: RegExp;
  /** Whether messages can be exchanged with it. */
  readonly ipc?: boolean;
}

/** A process that is ready. */
export interface ManagedProcess extends AsyncDisposable {
  readonly child: ChildProcess;
  /** What its ready line says. */
  readonly said: string;
  /** Ends it by SIGTERM, as an operator does, or by another signal; resolves when it has ended. */
  readonly stop: (signal?: NodeJS.Signals) => Promise<void>;
}

/**
 * Runs Node with these arguments; resolves when the process says that it is ready, rejects with what it printed when it ends before.
 * Its standard input stays open until this process ends, so that it can end then.
 */
export const startProcess = async (
  args: ReadonlyArray<string>,
  { cwd = root, env = process.env, ready = /^ready (\S+)/, ipc = false }: ProcessOptions = {},
): Promise<ManagedProcess> => {
  const child = spawn(process.execPath, args, {
    cwd,
    env,
    stdio: ["pipe", "pipe", "pipe", ...(ipc ? ["ipc" as const] : [])],
  });
  const ended = once(child, "exit");
  const printed: Array<string> = [];
  child.stderr?.setEncoding("utf8").on("data", (text: string) => printed.push(text));
  const said = await Promise.race([
    new Promise<string>((resolve) => {
      createInterface({ input: child.stdout as NodeJS.ReadableStream }).on("line", (line) => {
        printed.push(`${line}\n`);
        const [, said] = ready.exec(line) ?? [];
        if (said !== undefined) resolve(said);
      });
    }),
    ended.then(([code, signal]) => {
      throw new Error(`${args.join(" ")} ended before it was ready (${code ?? signal}):\n${printed.join("")}`);
    }),
  ]);
  // What it prints from now on is not kept.
  printed.length = 0;
  child.stderr?.removeAllListeners("data").resume();
  const stop = async (signal: NodeJS.Signals = "SIGTERM"): Promise<void> => {
    if (child.exitCode === null && child.signalCode === null) child.kill(signal);
    await ended;
  };
  return { child, said, stop, [Symbol.asyncDispose]: () => stop() };
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
