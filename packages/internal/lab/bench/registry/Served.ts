// A server under load as a process, with its resource use.
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

/** What a process has used so far. */
export interface Usage {
  readonly cpuUs: number;
  readonly residentBytes: number;
}

/** A server in its own process. */
export interface Served {
  readonly port: number;
  readonly usage: () => Promise<Usage>;
  readonly stop: () => Promise<void>;
}

/** Starts a script, and waits until it has sent its port. */
export const served = async (script: URL, args: ReadonlyArray<string> = []): Promise<Served> => {
  const child = fork(fileURLToPath(script), [...args], {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const { port } = (await message(child)) as { port: number };
  return {
    port,
    usage: async () => {
      child.send("usage");
      return (await message(child)) as Usage;
    },
    stop: async () => {
      const ended = once(child, "exit");
      child.kill("SIGTERM");
      await ended;
    },
  };
};

/** The next message of a process; rejects when it ends before. */
const message = (child: ChildProcess): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const onMessage = (sent: unknown): void => {
      child.off("exit", onExit);
      resolve(sent);
    };
    const onExit = (): void => {
      child.off("message", onMessage);
      reject(new Error("the server ended"));
    };
    child.once("message", onMessage);
    child.once("exit", onExit);
  });

/** In the process of a server: says its port, and its usage when asked. */
export const announce = (port: number): void => {
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuUs: user + system, residentBytes: process.memoryUsage.rss() } satisfies Usage);
  });
  process.send?.({ port });
};
