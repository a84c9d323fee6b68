// `pnpm fix`: mends what tools can mend by themselves: lint findings, then the format.
import { run } from "./run.ts";

await run("oxlint", ["--fix"]);
await run("oxfmt", []);
