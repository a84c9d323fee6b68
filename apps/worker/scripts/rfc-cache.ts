// `pnpm rfc-cache --port P --upstream URL`: the cache rules as a plain shared cache, for conformance suites.
import { fileURLToPath } from "node:url";
import { readArguments, runCommand } from "./arguments.ts";
import { bundle } from "./build.ts";
import { serveUntilSignal } from "./serve.ts";

const usage = "Usage: pnpm rfc-cache --port P --upstream URL, such as --upstream http://127.0.0.1:8000";

await runCommand(async () => {
  const { port, upstream } = readArguments(process.argv.slice(2), usage);
  if (!URL.canParse(upstream)) throw new Error(`--upstream must be a URL. ${usage}`);
  // Made when it is asked for: what `pnpm build` leaves for deployment does not hold it.
  await bundle("rfc/worker.ts", "rfc-cache.js");
  await serveUntilSignal({
    script: fileURLToPath(new URL("../dist/rfc-cache.js", import.meta.url)),
    port,
    variables: { UPSTREAM_URL: upstream.replace(/\/+$/, "") },
  });
});
