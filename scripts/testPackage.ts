// `test` script of each package, with counts in `.data/tests.json`.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "./run.ts";
import { retries } from "./TestCounts.ts";

const folder = join(process.cwd(), ".data");
mkdirSync(folder, { recursive: true });
// Turbo has, before it.
process.env["PACKAGES_BUILT"] = "1";
process.env["TEST_COUNTS"] = join(folder, "tests.json");
const projects = process.argv.slice(2).flatMap((project) => ["--project", project]);
await run("vitest", [
  "run",
  "--root",
  fileURLToPath(new URL("..", import.meta.url)),
  ...retries(process.env),
  ...projects,
]);
