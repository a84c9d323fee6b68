// Registries with other field numbers, direct or through one proxy.
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { startFront } from "./Front.ts";
import { randomEngines, randomNumbers } from "./Numberings.ts";
import { startProxy } from "@bytenite-engines/test-kit";
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
