// Workers on workerd under Miniflare, with its bindings.
import { createServer } from "node:net";
import { Log, LogLevel, Miniflare, type MiniflareOptions } from "miniflare";
import { rolldown } from "rolldown";
import { host } from "./Ports.ts";

/** The runtime behaviour that the Workers are written, tested and deployed for: that of their wrangler.jsonc. */
export const compatibilityDate = "2026-11-01";
export const compatibilityFlags = ["enable_request_signal"];

/** A Worker to be served. */
export interface Served {
  readonly name: string;
  /** The Worker as one ES module. */
  readonly code: string;
  /** 0: any free one. */
  readonly port: number;
  readonly variables: Readonly<Record<string, string>>;
  /** Binding of an empty D1 database, and its setup before the Worker is ready. */
  readonly database?: {
    readonly binding: string;
    readonly fill: (run: (sql: string) => Promise<unknown>) => Promise<void>;
  };
}

/** A running Worker. */
export interface Running {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** The bundle of a Worker as one ES module, by the path of its entry point. */
export const bundled = async (entry: string): Promise<string> => {
  const build = await rolldown({
    input: entry,
    platform: "browser",
    external: [/^cloudflare:/, /^node:/],
    resolve: { conditionNames: ["workerd", "worker", "import", "default"] },
  });
  const { output } = await build.generate({ format: "esm", minify: true, codeSplitting: false });
  await build.close();
  return output[0].code;
};

/** One ES module as a Worker's code. */
export const moduleOf = (contents: string) => ({
  mainModule: "worker.js",
  modules: { "worker.js": { type: "esm" as const, contents } },
});

/** Options that give a Worker of `emulate` its own port, without the emulator's entry. */
export const directSocket = { unsafeDirectSockets: [{ host, port: 0 }] };

/** Workers in one emulator, on a free port or this one, silent; resolves when they accept requests. To be disposed of. */
export const emulate = async (
  workers: Extract<MiniflareOptions, { readonly workers: unknown }>["workers"],
  port = 0,
  handleStructuredLogs: MiniflareOptions["handleStructuredLogs"] = () => undefined,
): Promise<Miniflare> => {
  const miniflare = new Miniflare({
    host,
    port,
    cf: false,
    logRequests: false,
    log: new Log(LogLevel.NONE),
    handleStructuredLogs,
    workers,
  });
  await miniflare.ready;
  return miniflare;
};

/** Origin of a Worker with a direct socket. */
export const originOf = async (miniflare: Miniflare, worker: string): Promise<string> =>
  (await miniflare.unsafeGetDirectURL(worker)).origin;

/** A variable of a Worker. */
export const textBinding = (value: string) => ({ type: "text" as const, value });

/** Starts; resolves when requests are accepted. Rejects with an Error whose message is one sentence. */
export const serve = async (served: Served): Promise<Running> => {
  const { name, code, variables, database } = served;
  const port = await freePort(served.port);
  const config = {
    name,
    compatibilityDate,
    compatibilityFlags,
    manifest: moduleOf(code),
    env: {
      ...Object.fromEntries(Object.entries(variables).map(([key, value]) => [key, textBinding(value)])),
      ...(database === undefined ? {} : { [database.binding]: { type: "d1" as const, id: database.binding } }),
    },
  };
  const miniflare = await emulate(
    // Directly to the Worker: the emulator's entry would compress answers and add headers.
    [{ config, dev: { unsafeDirectSockets: [{ host, port }] } }],
    0,
    // stdout is for the ready line only.
    ({ message }) => process.stderr.write(`${message}\n`),
  );
  if (database !== undefined) {
    const d1 = await miniflare.getD1Database(database.binding);
    await database.fill((sql) => d1.prepare(sql).run());
  }
  return { url: `http://${host}:${port}`, stop: () => miniflare.dispose() };
};

/** The port itself when it is free, a free one for 0. */
const freePort = (port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", (error: NodeJS.ErrnoException) => {
      reject(
        new Error(
          error.code === "EADDRINUSE"
            ? `Port ${port} is in use: choose another one with --port.`
            : `Port ${port} cannot be used: ${error.message}.`,
        ),
      );
    });
    server.listen(port, host, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : port));
    });
  });

/** Serves until SIGINT or SIGTERM, then ends the runtime too. */
export const serveUntilSignal = async (served: Served): Promise<void> => {
  const running = await serve(served);
  const ended = new Promise<void>((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      // The emulator's own handlers would end this process at once, as if it had failed.
      process.removeAllListeners(signal);
      process.once(signal, () => resolve());
    }
  });
  process.stdout.write(`ready ${running.url}\n`);
  await ended;
  await running.stop();
  process.exit(0);
};
