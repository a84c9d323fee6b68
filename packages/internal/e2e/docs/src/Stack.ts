// Registry and proxy for the picture.
import { startRegistry } from "@bytenite-engines/registry/testing";
import { startProxy } from "@bytenite-engines/test-kit";

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
  const proxy = await startProxy(registry.url, proxyPort);
  const stop = async (): Promise<void> => {
    await proxy.stop();
    await registry.stop();
  };
  return { url: proxy.url, token: registry.tokens["alice"] ?? "", stop };
};
