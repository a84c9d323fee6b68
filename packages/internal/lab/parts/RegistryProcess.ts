// A registry process over SQLite, with faults on.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { FaultRule } from "@bytenite-engines/registry/testing";
import { freePort, startProcess, type ManagedProcess } from "@bytenite-engines/test-kit";
import { resultOf } from "@bytenite-engines/test-kit/process";
import { seriesIn, type Series } from "./Series.ts";

const heapProbe = new URL("heapProbe.ts", import.meta.url).href;
/** The command of a registry. */
export const registryMain = fileURLToPath(new URL("../../../registry/src/main.ts", import.meta.url));

/** Runs a command of a registry to its end; `input` is what it reads. Resolves to its exit code. */
export const runRegistry = async (args: ReadonlyArray<string>, key: string, input = ""): Promise<number | null> => {
  const env = { ...process.env, BYTENITE_REGISTRY_KEY: key };
  const { code, stderr } = await resultOf(spawn(process.execPath, [registryMain, ...args], { env }), input);
  if (code !== 0) process.stderr.write(stderr);
  return code;
};

/** How long answers under way may take when it is stopped, in milliseconds. */
const drainMs = 1_000;

/** Its data folder and its key. */
export interface RegistryFiles {
  readonly database: string;
  /** A settings file, which is written. */
  readonly config: string;
  readonly key: string;
}

/** A registry that can be ended and started again at the same address. */
export class RegistryProcess implements AsyncDisposable {
  readonly #files: RegistryFiles;
  readonly #port: number;
  #running: ManagedProcess | undefined;

  private constructor(files: RegistryFiles, port: number) {
    this.#files = files;
    this.#port = port;
  }

  static async start(files: RegistryFiles): Promise<RegistryProcess> {
    await writeFile(files.config, JSON.stringify({ limits: { drainMs } }));
    const registry = new RegistryProcess(files, await freePort());
    await registry.start();
    return registry;
  }

  /** Process id; undefined while it is ended. */
  get pid(): number | undefined {
    return this.#running?.child.pid;
  }

  get origin(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const { config, database } = this.#files;
    const flags = ["--config", config, "--port", `${this.#port}`, "--database", database, "--faults", "on"];
    this.#running = await startProcess(["--expose-gc", "--import", heapProbe, registryMain, ...flags], {
      env: { ...process.env, BYTENITE_REGISTRY_KEY: this.#files.key },
      ipc: true,
    });
  }

  /** Ends it: as an operator does, or as `kill -9` does. */
  async end(how: "stop" | "kill"): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    await running?.stop(how === "kill" ? "SIGKILL" : "SIGTERM");
  }

  async metrics(): Promise<ReadonlyArray<Series>> {
    return seriesIn(await (await fetch(`${this.origin}/metrics`)).text());
  }

  /** Collects its garbage; heap that is in use then, in MiB. */
  async heapMib(): Promise<number> {
    const child = this.#running?.child;
    if (child === undefined) throw new Error("the registry is ended");
    const message = once(child, "message");
    child.send("heap");
    const [{ heapBytes }] = (await message) as [{ readonly heapBytes: number }];
    return heapBytes / 2 ** 20;
  }

  /** Puts these faults in the place of all others. */
  async faults(rules: ReadonlyArray<FaultRule>): Promise<void> {
    const response = await fetch(`${this.origin}/faults`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(rules),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`the faults were refused: ${text}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("stop");
  }
}
