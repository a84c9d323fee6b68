// `pnpm consumers`: the packages as those who install them get them, in all forms; `pnpm test` has the quick ones.
import { run } from "./run.ts";

process.env["CONSUMERS"] = "all";
await run("turbo", ["run", "build", "--output-logs=errors-only"]);
await run("vitest", ["run", "--project", "consumers", ...process.argv.slice(2)]);
