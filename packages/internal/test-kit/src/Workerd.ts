// Workers on workerd alone, from a capnp configuration, without an emulator.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { compatibilityDate, compatibilityFlags } from "./Emulator.ts";
import { freePort } from "./Ports.ts";

/** Path of the binary. The package is CommonJS without types, and a bundler's idea of its default export is not Node's. */
const require = createRequire(import.meta.url);
const { default: binary } = require("workerd") as { readonly default: string };

/** One worker of a run. */
export interface WorkerInit {
  readonly name: string;
  /** Source text of one ES module. */
  readonly script: string;
  /** Source texts of further ES modules that it imports, by the name that it imports them by. */
  readonly modules?: Readonly<Record<string, string>>;
  readonly variables?: Readonly<Record<string, string>>;
  /** Name of the worker that keeps its Cache API. */
  readonly cache?: string;
  /** Bindings to other workers, by binding name. */
  readonly services?: Readonly<Record<string, string>>;
  /** Port. Default: a free one. */
  readonly port?: number;
}

/** A running workerd. */
export interface Standalone extends AsyncDisposable {
  readonly pid: number;
  /** Ports by name of the worker. */
  readonly ports: Readonly<Record<string, number>>;
  /** Ends it at once, as `kill -9` does. */
  readonly kill: () => Promise<void>;
}

/** Longest start of workerd, in milliseconds. */
const maxStartMs = 20_000;

export const startWorkerd = async (
  workers: ReadonlyArray<WorkerInit>,
  v8Flags: ReadonlyArray<string> = [],
): Promise<Standalone> => {
  const folder = await mkdtemp(join(tmpdir(), "bytenite-bench-"));
  const ports: Record<string, number> = {};
  for (const { name, script, modules = {}, port } of workers) {
    ports[name] = port ?? (await freePort());
    await writeFile(join(folder, `${name}.js`), script);
    for (const [module, text] of Object.entries(modules)) await writeFile(join(folder, `${name}-${module}.js`), text);
  }
  await writeFile(join(folder, "config.capnp"), configOf(workers, ports, v8Flags));
  const child = spawn(binary, ["serve", join(folder, "config.capnp")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = once(child, "exit");
  const stop = async (signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> => {
    child.kill(signal);
    await exited;
    await rm(folder, { recursive: true, force: true });
  };
  const until = Date.now() + maxStartMs;
  for (const port of Object.values(ports)) {
    while (!(await isAccepting(port))) {
      if (child.exitCode !== null || Date.now() > until) {
        await stop();
        throw new Error("workerd does not accept connections");
      }
    }
  }
  return { pid: child.pid ?? 0, ports, kill: () => stop("SIGKILL"), [Symbol.asyncDispose]: () => stop() };
};

const configOf = (
  workers: ReadonlyArray<WorkerInit>,
  ports: Readonly<Record<string, number>>,
  v8Flags: ReadonlyArray<string>,
): string => {
  const text = JSON.stringify;
  const definitions = workers.map(({ name, modules = {}, variables = {}, cache, services = {} }) => {
    const imported = Object.keys(modules).map(
      (module) => `, (name = ${text(module)}, esModule = embed ${text(`${name}-${module}.js`)})`,
    );
    const bindings = [
      ...Object.entries(variables).map(([key, value]) => `(name = ${text(key)}, text = ${text(value)})`),
      ...Object.entries(services).map(([key, service]) => `(name = ${text(key)}, service = ${text(service)})`),
    ];
    return `const ${name} :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed ${text(`${name}.js`)})${imported.join("")}],
  compatibilityDate = ${text(compatibilityDate)},
  compatibilityFlags = ${text(compatibilityFlags)},
  bindings = [${bindings.join(", ")}],${cache === undefined ? "" : `\n  cacheApiOutbound = ${text(cache)},`}
);`;
  });
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  v8Flags = [${v8Flags.map((flag) => text(flag)).join(", ")}],
  services = [
${workers.map(({ name }) => `    (name = "${name}", worker = .${name}),`).join("\n")}
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [
${workers.map(({ name }) => `    (name = "${name}", address = "127.0.0.1:${ports[name]}", http = (), service = "${name}"),`).join("\n")}
  ],
);
${definitions.join("\n")}
`;
};

const isAccepting = (port: number): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/`, { signal: AbortSignal.timeout(2_000) }).then(
    async (response) => {
      await response.arrayBuffer();
      return true;
    },
    () => new Promise((resolve) => setTimeout(() => resolve(false), 50)),
  );
