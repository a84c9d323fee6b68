// A server under load as a process, with its resource use.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startProcess } from "@bytenite-engines/test-kit";

/** Usage of a process so far. */
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

/** Starts a script of this folder, and waits until it has said its port. */
export const served = async (script: string, ...args: ReadonlyArray<string>): Promise<Served> => {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const { child, said, stop } = await startProcess([path, ...args], { ready: /^(\d+)$/, ipc: true });
  return {
    port: Number(said),
    usage: async () => {
      const message = once(child, "message");
      child.send("usage");
      return ((await message) as [Usage])[0];
    },
    stop: () => stop(),
  };
};

/** In the server's process: reports its port, and its usage on request. */
export const announce = (port: number): void => {
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuUs: user + system, residentBytes: process.memoryUsage.rss() } satisfies Usage);
  });
  process.stdout.write(`${port}\n`);
};
