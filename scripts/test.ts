// `pnpm test [FILTER...]`: everything the tests need, then all tests of all packages.
import { run } from "./run.ts";
import { installSystemPackages } from "./SystemPackages.ts";

await installSystemPackages();
await run("turbo", ["run", "build", "--output-logs=errors-only"]);
await run("vitest", ["run", ...process.argv.slice(2)]);
