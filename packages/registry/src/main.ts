// `pnpm registry [--port P] [--database FILE]`: the registry's command line.
import { runRegistry } from "./command/registry.ts";

process.exitCode = await runRegistry(process.argv.slice(2));
