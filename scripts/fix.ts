// `pnpm fix`: automatic lint fixes and formatting.
import { run } from "./run.ts";

await run("oxlint", ["--fix"]);
await run("oxfmt", []);
