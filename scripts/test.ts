// `pnpm test [FILTER...] [--force]`: build, then the tests package by package.
import { globSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { exitCodeOf, run } from "./run.ts";
import { installSystemPackages } from "./SystemPackages.ts";
import { closingLine, problems, retries, sumOf, type TestCounts } from "./TestCounts.ts";

/** The counts of the packages that have run. */
const countFiles = (): ReadonlyArray<string> =>
  globSync([
    "{packages,apps}/*/.data/tests.json",
    "packages/internal/*/.data/tests.json",
    ".data/tests.json",
  ]).toSorted();

const force = process.argv.includes("--force");
const filters = process.argv.slice(2).filter((argument) => argument !== "--force");

await installSystemPackages();
await run("turbo", ["run", "build", "--output-logs=errors-only"]);
process.env["PACKAGES_BUILT"] = "1";
if (filters.length > 0) await run("vitest", ["run", ...filters]);
else {
  for (const file of countFiles()) rmSync(file);
  // Two packages at a time, of each two files at a time: many tests wait for processes and clocks. What no change has touched
  // since it passed is not run again.
  const args = ["run", "test", "--concurrency=2", "--continue", "--env-mode=loose", "--output-logs=new-only"];
  const packages = await exitCodeOf("turbo", [...args, ...(force ? ["--force"] : [])]);
  mkdirSync(".data", { recursive: true });
  process.env["TEST_COUNTS"] = ".data/tests.json";
  const scripts = await exitCodeOf("vitest", ["run", "--project", "scripts", ...retries(process.env)]);
  const runs = countFiles().map((file) => [file, JSON.parse(readFileSync(file, "utf8")) as TestCounts] as const);
  process.stdout.write("\n");
  for (const [file, counts] of runs) {
    process.stdout.write(`${file.replace(/\/?\.data\/tests\.json$/, "") || "scripts"}: ${closingLine(counts)}\n`);
  }
  const sum = sumOf(runs.map(([, counts]) => counts));
  process.exitCode = packages || scripts;
  const isCounted = process.exitCode === 0 || sum.failed.length > 0 || sum.skipped.length > 0;
  const failed = isCounted ? sum.failed : ["a run ended before it could count"];
  const all: TestCounts = { ...sum, failed };
  process.stdout.write(`${problems(all)}\n${closingLine(all)}\n`);
}
