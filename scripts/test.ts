// `pnpm test [FILTER...]`: everything the tests need, then all tests of all packages.
import { run } from "./run.ts";
import { installSystemPackages } from "./SystemPackages.ts";

await installSystemPackages();
await run("turbo", ["run", "build", "--output-logs=errors-only"]);
// Projects do not inherit these from the root configuration, and a busy machine may take its time.
await run("vitest", ["run", "--test-timeout=60000", "--hook-timeout=120000", ...process.argv.slice(2)]);
