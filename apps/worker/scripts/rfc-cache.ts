// `pnpm rfc-cache --port P --upstream URL`: the proxy as a shared cache, for conformance suites.
import { serveUntilSignal } from "@bytenite-engines/test-kit";
import { readArguments, runCommand } from "./arguments.ts";
import { builtWorker } from "./built.ts";

const usage = "Usage: pnpm rfc-cache --port P --upstream URL, such as --upstream http://127.0.0.1:8000";

await runCommand(async () => {
  const { port, upstream } = readArguments(process.argv.slice(2), usage);
  if (!URL.canParse(upstream)) throw new Error(`--upstream must be a URL. ${usage}`);
  const variables = {
    UPSTREAM_URL: new URL(upstream).origin,
    FORWARDED_PATHS: "/",
    CACHE_ANONYMOUS: "on",
    ATTEMPT_TIMEOUT_MS: "60000",
    LOG: "off",
  };
  await serveUntilSignal({ name: "worker", code: await builtWorker(), port, variables });
});
