// `pnpm rfc-cache --port P --upstream URL`: the cache rules as a plain shared cache, for conformance suites.
import { fileURLToPath } from "node:url";
import { bundled, serveUntilSignal } from "@bytenite-engines/test-kit";
import { readArguments, runCommand } from "./arguments.ts";

const usage = "Usage: pnpm rfc-cache --port P --upstream URL, such as --upstream http://127.0.0.1:8000";

await runCommand(async () => {
  const { port, upstream } = readArguments(process.argv.slice(2), usage);
  if (!URL.canParse(upstream)) throw new Error(`--upstream must be a URL. ${usage}`);
  await serveUntilSignal({
    name: "rfc-cache",
    // Made when it is asked for: what `pnpm build` leaves for deployment does not hold it.
    code: await bundled(fileURLToPath(new URL("../rfc/worker.ts", import.meta.url))),
    port,
    variables: { UPSTREAM_URL: upstream.replace(/\/+$/, "") },
  });
});
