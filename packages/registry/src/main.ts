// `pnpm registry --port P --database FILE` starts a registry; `pnpm registry --help` tells what else there is.
import { enableCompileCache } from "node:module";

enableCompileCache();
const { runRegistry } = await import("./command/registry.ts");
process.exitCode = await runRegistry(process.argv.slice(2));
