// `pnpm check [--no-tests]`: all checks as named steps, then the tests.
import { checkGenerated } from "./Freshness.ts";
import { checkLicences } from "./Licences.ts";
import { checkPacked, publishedPackages } from "./Packed.ts";
import { canRehearse, rehearseRelease } from "./Rehearsal.ts";
import { run } from "./run.ts";
import { quietly, secondsSince, step } from "./Step.ts";

const turbo = (task: string) => quietly("turbo", ["run", task, "--output-logs=errors-only"]);

const steps: ReadonlyArray<readonly [name: string, work: () => Promise<unknown>]> = [
  ["generated code is fresh", () => checkGenerated("generate")],
  ["buf lint", () => turbo("lint")],
  ["buf breaking, against the released contract", () => turbo("breaking")],
  ["build of every package", () => turbo("build")],
  ["reports of the public API are fresh", () => checkGenerated("api-report")],
  ["the API reference can be written", () => turbo("api-reference")],
  ["wrangler deploy --dry-run", () => turbo("dry-run")],
  ["types of every package", () => turbo("types")],
  ["types of the root scripts", () => quietly("tsc", ["-p", "tsconfig.json"])],
  ["oxlint", () => quietly("oxlint", ["--deny-warnings"])],
  ["oxfmt", () => quietly("oxfmt", ["--check"])],
  ["turbo boundaries", () => quietly("turbo", ["boundaries"])],
  ["knip: nothing unused", () => quietly("knip", ["--no-progress"])],
  ...publishedPackages().map(
    (each) => [`${each.manifest.name} packed: publint, attw`, () => checkPacked(each)] as const,
  ),
  ["licences of all dependencies", checkLicences],
  ...(canRehearse() ? [["a release, rehearsed in a copy", rehearseRelease] as const] : []),
  ["bundle sizes", () => quietly(process.execPath, ["packages/internal/lab/bench/checkSizes.ts"])],
  ["speed of a call, with a margin", () => quietly(process.execPath, ["packages/internal/lab/bench/checkSpeed.ts"])],
];

const start = performance.now();
const failed: Array<string> = [];
for (const [name, work] of steps) if (!(await step(name, work))) failed.push(name);
process.stdout.write(`${steps.length - failed.length} of ${steps.length} checks hold (${secondsSince(start)})\n`);
if (failed.length > 0) {
  process.stdout.write(`Not: ${failed.join("; ")}\n`);
  process.exitCode = 1;
} else if (!process.argv.includes("--no-tests")) {
  await run(process.execPath, ["scripts/test.ts"]);
}
