// `pnpm registry --port P --database FILE` starts a registry; `pnpm registry --help` tells what else there is.
import { runRegistry } from "./command/registry.ts";

process.exitCode = await runRegistry(process.argv.slice(2));
