// A server under load as a process, with its resource use.
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { startProcess } from "@bytenite-engines/test-kit";
import { bodyOf, requestOf, type Exchange } from "../edge/Load.ts";
import { nameOf } from "./Filling.ts";

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

/** A request for at most so many engines, with its expected response: the first one. Throws where that has none, or more. */
export const exchangeOf = async (
  { port }: Served,
  path: string,
  token: string,
  mediaType: string,
  engines: number,
): Promise<Exchange> => {
  const headers = { authorization: token, accept: mediaType };
  const response = await fetch(`http://127.0.0.1:${port}${path}`, { headers });
  const bytes = new Uint8Array(await response.arrayBuffer());
  const names = new TextDecoder("latin1").decode(bytes).match(new RegExp(nameOf(0).replace("0", "\\d+"), "g")) ?? [];
  if (response.status !== 200 || names.length === 0 || names.length > engines) {
    throw new Error(`${path} was answered ${response.status} with ${names.length} engines, not 1 to ${engines}`);
  }
  return { request: requestOf(path, token, mediaType), expected: bodyOf(bytes) };
};

/** In the server's process: reports its port, and its usage on request. */
export const announce = (port: number): void => {
  process.on("message", () => {
    const { user, system } = process.cpuUsage();
    process.send?.({ cpuUs: user + system, residentBytes: process.memoryUsage.rss() } satisfies Usage);
  });
  process.stdout.write(`${port}\n`);
};
