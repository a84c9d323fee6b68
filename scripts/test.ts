// `pnpm test [FILTER...]`: builds what the tests run against, then all tests of all packages.
import { run } from "./run.ts";

await run("turbo", ["run", "build", "--output-logs=errors-only"]);
await run("vitest", ["run", ...process.argv.slice(2)]);
