// Registries with other field numbers, direct or through one proxy.
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { randomEngines, randomNumbers } from "./Numberings.ts";
import { startProxy, type RunningProxy } from "@bytenite-engines/test-kit";
import { pass, startServer } from "@bytenite-engines/test-kit/ports";
import { seeded } from "@bytenite-engines/test-kit/random";

/** The ways to such a registry. */
export const ways = ["against the registry", "through the worker"] as const;
export type Way = (typeof ways)[number];

/** The worker, and which registries lie behind it. */
export interface ForeignServers {
  /** The base URL at which a way leads to the registry of that token. */
  readonly urlBy: (way: Way, token: string, registry: TestRegistry) => string;
  readonly stop: () => Promise<void>;
}

/** Response to a request: that of a registry (base URL), perhaps with other headers, or a status without a body. */
interface Routed {
  readonly baseUrl: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly status?: number;
}

/** One address for several registries: `route` chooses for each request. */
export const startFront = async (
  route: (request: { readonly accept: string; readonly token: string }) => Routed,
): Promise<RunningProxy> => {
  const front = await startServer((incoming, outgoing) => {
    const { accept = "", authorization: token = "" } = incoming.headers;
    const { baseUrl, headers, status } = route({ accept, token });
    if (status === undefined) pass(incoming, outgoing, new URL(incoming.url ?? "", baseUrl).href, headers);
    else outgoing.writeHead(status, { "content-length": "0" }).end();
  });
  return { url: front.baseUrl, stop: async () => front[Symbol.asyncDispose]() };
};

/** Starts the worker and the front behind it. Whoever starts registries ends them. */
export const startForeignServers = async (): Promise<ForeignServers> => {
  const urls = new Map<string, string>();
  const front = await startFront(({ token }) => ({ baseUrl: urls.get(token) ?? "" }));
  const proxy = await startProxy(front.url);
  return {
    urlBy: (way, token, registry) => {
      if (way === "against the registry") return registry.url;
      urls.set(token, registry.url);
      return proxy.url;
    },
    stop: async () => {
      await proxy.stop();
      await front.stop();
    },
  };
};

/** A registry with random numbers and no digest, the same for the same seed; alice's token is `t-SEED`. */
export const startForeignRegistry = (seed: number, hasFullEngine: boolean): Promise<TestRegistry> => {
  const random = seeded(seed);
  return startRegistry({
    fieldNumbers: randomNumbers(random),
    schemaDigest: false,
    users: [{ name: "alice", token: `t-${seed}`, engines: randomEngines(random, hasFullEngine) }],
  });
};
