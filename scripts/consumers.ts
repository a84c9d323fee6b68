// `pnpm consumers`: all tests of the packages as installed.
import { run } from "./run.ts";

process.env["CONSUMERS"] = "all";
await run("turbo", ["run", "build", "--output-logs=errors-only"]);
await run("vitest", ["run", "--project", "consumers", ...process.argv.slice(2)]);
