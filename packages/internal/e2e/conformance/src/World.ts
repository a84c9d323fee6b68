// The registry that the table of wire cases runs against.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fromJson } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { Seeds } from "./Case.ts";
import { engines, tokenOf, users, type OwnerIds } from "./Engines.ts";
import { exchange } from "./Exchange.ts";

/** The registry of the table, filled, on a SQLite file that goes when it ends. */
export const startTableRegistry = async (): Promise<TestRegistry> => {
  const folder = mkdtempSync(join(tmpdir(), "conformance-"));
  const registry = await startRegistry({
    database: join(folder, "registry.sqlite"),
    users: users.map((name) => ({
      name,
      token: tokenOf(name),
      engines: engines[name].map((engine) => fromJson(EngineSchema, engine)),
    })),
  });
  return {
    ...registry,
    stop: async () => {
      await registry.stop();
      rmSync(folder, { recursive: true });
    },
  };
};

/** Contents of the registry, and the ids of the owners. */
export const seedsOf = async (registry: TestRegistry): Promise<Seeds> => {
  const owners = await Promise.all(
    users.map(async (name) => {
      const { body } = await exchange(registry.url, "/engines?pagination.limit=1", { authorization: tokenOf(name) });
      const { engines: found } = JSON.parse(body.toString()) as { engines: ReadonlyArray<{ owner: string }> };
      return [name, found[0]?.owner ?? ""] as const;
    }),
  );
  return new Seeds(Object.fromEntries(owners) as OwnerIds);
};
