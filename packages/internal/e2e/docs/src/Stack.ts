// Starts what guides and picture need beside a shell: a registry with the trial users, and the proxy on workerd before it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { startRegistry } from "@bytenite-engines/registry/testing";

/** The root of this repository. */
export const root = fileURLToPath(new URL("../../../../..", import.meta.url));

/** A registry and a proxy that answer. */
export interface Stack {
  /** Base URL of the API at the proxy. */
  readonly url: string;
  /** A token of the registry. */
  readonly token: string;
  readonly stop: () => Promise<void>;
}

/** Starts both; the proxy on this port, on a free one for 0. Needs built packages. */
export const startStack = async (proxyPort: number): Promise<Stack> => {
  const registry = await startRegistry();
  const args = ["apps/worker/scripts/proxy.ts", "--port", `${proxyPort}`, "--upstream", registry.url];
  const proxy = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(proxy, "exit");
  const stop = async (): Promise<void> => {
    proxy.kill("SIGTERM");
    await ended;
    await registry.stop();
  };
  for await (const line of createInterface({ input: proxy.stdout })) {
    if (!line.startsWith("ready ")) continue;
    const url = line.slice("ready ".length) + new URL(registry.url).pathname;
    return { url, token: registry.tokens["alice"] ?? "", stop };
  }
  await stop();
  throw new Error("the proxy ended before it was ready");
};
