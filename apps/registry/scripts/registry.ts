// Serves this Worker on real workerd with a local D1 database, until SIGINT or SIGTERM:
// `node scripts/registry.ts --port P [--seed FILE.sql]`; the file is what `registry export --format sql` writes.
import { readFile } from "node:fs/promises";
import { createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { Log, LogLevel, Miniflare } from "miniflare";
import { rolldown } from "rolldown";

/** The runtime behaviour of wrangler.jsonc. */
const compatibilityDate = "2026-11-01";

const host = "127.0.0.1";

/** The Worker as one ES module. */
const bundled = async (): Promise<string> => {
  const build = await rolldown({
    input: fileURLToPath(new URL("../src/worker.ts", import.meta.url)),
    platform: "browser",
    resolve: { conditionNames: ["workerd", "worker", "import", "default"] },
  });
  const { output } = await build.generate({ format: "esm", minify: true, codeSplitting: false });
  await build.close();
  return output[0].code;
};

/** A port that is free at the moment. */
const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, host, () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

const { values } = parseArgs({
  options: { port: { type: "string", default: "4011" }, seed: { type: "string" } },
});
const port = Number(values.port) || (await freePort());
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
        name: "registry",
        compatibilityDate,
        manifest: { mainModule: "worker.js", modules: { "worker.js": { type: "esm", contents: await bundled() } } },
        env: {
          DB: { type: "d1", id: "engines" },
          BYTENITE_REGISTRY_KEY: { type: "text", value: process.env["BYTENITE_REGISTRY_KEY"] ?? "" },
        },
      },
      // Straight to the Worker: the emulator's own entry would compress answers and add fields of its own.
      dev: { unsafeDirectSockets: [{ host, port }] },
    },
  ],
});
await miniflare.ready;
if (values.seed !== undefined) {
  const database = await miniflare.getD1Database("DB");
  for (const statement of (await readFile(values.seed, "utf8")).split("\n")) {
    if (statement !== "") await database.prepare(statement).run();
  }
}
const ended = new Promise<void>((resolve) => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    // The emulator's own handlers would end this process at once, as if it had failed.
    process.removeAllListeners(signal);
    process.once(signal, () => resolve());
  }
});
process.stdout.write(`ready http://${host}:${port}\n`);
await ended;
await miniflare.dispose();
process.exit(0);
