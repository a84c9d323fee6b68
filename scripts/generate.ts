// `pnpm generate`: all tracked generated files.
import { run } from "./run.ts";

await run("turbo", ["run", "generate", "--output-logs=new-only"]);
await run("turbo", ["run", "api-report", "--output-logs=new-only"]);
