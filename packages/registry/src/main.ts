// Starts a registry: `pnpm registry --port P --database FILE`.
import { serve } from "./command/serve.ts";

process.exitCode = await serve(process.argv.slice(2));
