// Decides: what the table runs against: a registry on its own port, and the proxy on real workerd before it.
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { fromJson } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { Seeds } from "./Case.ts";
import { engines, tokenOf, users, type OwnerIds } from "./Engines.ts";
import { exchange } from "./Exchange.ts";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));

/** A proxy in a process of its own, as `pnpm proxy` starts it. */
export interface RunningProxy {
  /** Base URL of the API at the proxy. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** Starts the proxy before an upstream; resolves once it accepts requests. */
export const startProxy = async (upstream: string): Promise<RunningProxy> => {
  const args = ["apps/worker/scripts/proxy.ts", "--port", "0", "--upstream", upstream];
  const child = spawn(process.execPath, args, { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
  const ended = once(child, "exit");
  const origin = await readyLine(child, ended);
  return {
    url: origin + new URL(upstream).pathname,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
};

/** The URL of the line `ready URL`; rejects with what was printed when the process ends before. */
const readyLine = async (child: ChildProcess, ended: Promise<unknown>): Promise<string> => {
  const printed: Array<string> = [];
  child.stderr?.setEncoding("utf8").on("data", (text: string) => printed.push(text));
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return Promise.race([
    new Promise<string>((resolve) =>
      lines.on("line", (line) => {
        printed.push(`${line}\n`);
        if (line.startsWith("ready ")) resolve(line.slice("ready ".length));
      }),
    ),
    ended.then(() => {
      throw new Error(`the proxy ended before it was ready:\n${printed.join("")}`);
    }),
  ]);
};

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

/** What the registry was filled with, and the ids that it gave to the owners. */
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
