// `pnpm proxy --port P --upstream URL`: the built Worker on this machine.
import { serveUntilSignal } from "@bytenite-engines/test-kit";
import { parseConfig } from "../src/Config.ts";
import { readArguments, runCommand } from "./arguments.ts";
import { builtWorker } from "./built.ts";

const usage = "Usage: pnpm proxy --port P --upstream URL, such as --upstream http://127.0.0.1:4010/v1/dev";

/** Variables of the environment that reach the Worker under the same name. */
const passedOn =
  /^(?:LIST|GET|STATUS|NEGATIVE)(?:_[A-Z_]+)?_SECONDS$|^(?:MEMORY_MIB|MEMORY_ENTRIES|EDGE_TIER|FORWARDED_PATHS|CACHE_ANONYMOUS|ATTEMPT_TIMEOUT_MS|DEPLOYMENT_ID|DEADLINE_MS|ALLOWED_ORIGINS|LOG|(?:ADMIN|IDENTITY)_SECRET(?:_PREVIOUS)?)$/;

await runCommand(async () => {
  const { port, upstream } = readArguments(process.argv.slice(2), usage);
  const variables: Record<string, string> = { UPSTREAM_URL: upstream };
  for (const [name, value] of Object.entries(process.env)) {
    if (passedOn.test(name) && value !== undefined) variables[name] = value;
  }
  // Invalid settings are reported before anything is started.
  parseConfig(variables);
  await serveUntilSignal({ name: "worker", code: await builtWorker(), port, variables });
});
