// Serves one bundled Worker on real workerd until it is told to end; says when it is ready.
import { existsSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import { basename } from "node:path";
import { Log, LogLevel, Miniflare } from "miniflare";

/** The runtime behaviour that the Worker is written and tested for. */
export const compatibilityDate = "2026-11-01";

export interface Served {
  /** Path of the bundle. */
  readonly script: string;
  /** 0: any free one. */
  readonly port: number;
  readonly variables: Readonly<Record<string, string>>;
  readonly compatibilityFlags?: ReadonlyArray<string>;
}

/** A running Worker. */
export interface Running {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const host = "127.0.0.1";

/** Starts; resolves when requests are accepted. Rejects with an Error whose message is one sentence. */
export const serve = async (served: Served): Promise<Running> => {
  if (!existsSync(served.script)) throw new Error(`${served.script} is missing: run pnpm build first.`);
  const port = await freePort(served.port);
  const name = basename(served.script, ".js");
  const miniflare = new Miniflare({
    host,
    port: 0,
    cf: false,
    logRequests: false,
    log: new Log(LogLevel.NONE),
    // Standard output is for the one line that says the Worker is ready.
    handleStructuredLogs: ({ message }) => process.stderr.write(`${message}\n`),
    workers: [
      {
        config: {
          name,
          compatibilityDate,
          ...(served.compatibilityFlags === undefined ? {} : { compatibilityFlags: [...served.compatibilityFlags] }),
          manifest: {
            mainModule: "worker.js",
            modules: { "worker.js": { type: "esm", contents: readFileSync(served.script, "utf8") } },
          },
          env: Object.fromEntries(
            Object.entries(served.variables).map(([key, value]) => [key, { type: "text" as const, value }]),
          ),
        },
        // Straight to the Worker: the emulator's own entry would compress answers and add fields of its own.
        dev: { unsafeDirectSockets: [{ host, port }] },
      },
    ],
  });
  await miniflare.ready;
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

/** Serves until SIGINT or SIGTERM, then ends the runtime too. A failure is one sentence on standard error, exit code 1. */
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
