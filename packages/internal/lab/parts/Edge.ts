// The built Worker on workerd: isolates over one Cache API.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { cacheBackend, freePort, startWorkerd, type Standalone } from "@bytenite-engines/test-kit";
import { seriesIn, type Series } from "./Series.ts";

/** The Worker as it is deployed. */
const builtWorker = fileURLToPath(new URL("../../../../apps/worker/dist/worker.js", import.meta.url));

const adminSecret = "a-secret-of-this-run";

/** Options of an edge. */
export interface EdgeOptions {
  /** Base URL of the API behind it. */
  readonly upstreamUrl: string;
  /** Settings of the Worker except the upstream. */
  readonly variables?: Readonly<Record<string, string>>;
  /** Isolates over the one Cache API. Default 1. */
  readonly isolates?: number;
}

/** An edge that can be ended and started again at the same addresses. */
export class Edge implements AsyncDisposable {
  readonly #options: EdgeOptions;
  readonly #script: string;
  readonly #ports: ReadonlyArray<number>;
  #running: Standalone | undefined;

  private constructor(options: EdgeOptions, script: string, ports: ReadonlyArray<number>) {
    this.#options = options;
    this.#script = script;
    this.#ports = ports;
  }

  static async start(options: EdgeOptions): Promise<Edge> {
    const ports = await Promise.all(Array.from({ length: options.isolates ?? 1 }, freePort));
    const edge = new Edge(options, await readFile(builtWorker, "utf8"), ports);
    await edge.start();
    return edge;
  }

  /** Process id; undefined while it is ended. */
  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** Origins of the isolates. */
  get origins(): ReadonlyArray<string> {
    return this.#ports.map((port) => `http://127.0.0.1:${port}`);
  }

  async start(): Promise<void> {
    const variables = {
      UPSTREAM_URL: this.#options.upstreamUrl,
      ADMIN_SECRET: adminSecret,
      LOG: "off",
      ...this.#options.variables,
    };
    this.#running = await startWorkerd([
      { name: "cache", script: cacheBackend },
      ...this.#ports.map((port, index) => ({
        name: `edge${index}`,
        script: this.#script,
        cache: "cache",
        port,
        variables,
      })),
    ]);
  }

  /** Ends it: as an operator does, or as `kill -9` does. */
  async end(how: "stop" | "kill"): Promise<void> {
    const running = this.#running;
    this.#running = undefined;
    if (how === "kill") await running?.kill();
    else await running?.[Symbol.asyncDispose]();
  }

  /** The metrics of all isolates, one after the other. */
  async metrics(): Promise<ReadonlyArray<Series>> {
    const texts = await Promise.all(
      this.origins.map(async (origin) =>
        (await fetch(`${origin}/-/metrics`, { headers: { authorization: adminSecret } })).text(),
      ),
    );
    return texts.flatMap(seriesIn);
  }

  /** Drops all answers; resolves when they are gone. */
  async purge(): Promise<void> {
    for (const origin of this.origins) {
      const response = await fetch(`${origin}/-/purge?all=true&hard=true`, {
        method: "POST",
        headers: { authorization: adminSecret },
      });
      await response.arrayBuffer();
      if (!response.ok) throw new Error(`the purge was refused: ${response.status}`);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end("stop");
  }
}
