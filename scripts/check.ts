// `pnpm check [--no-tests]`: all checks as named steps, then the tests.
import { createHash } from "node:crypto";
import { globSync, readFileSync, statSync } from "node:fs";
import { checkLicences } from "./Licences.ts";
import { checkPacked, publishedPackages } from "./Packed.ts";
import { canRehearse, rehearseRelease } from "./Rehearsal.ts";
import { run } from "./run.ts";
import { CommandError, quietly, secondsSince, step } from "./Step.ts";

/** All that `pnpm generate` writes: the files of each task of turbo. */
const generated = {
  generate: ["{packages,apps}/*/src/gen/**/*", "packages/cli/package.json"],
  "api-report": ["packages/internal/e2e/consumers/api/**/*"],
} as const;

const snapshot = (files: ReadonlyArray<string>): ReadonlyMap<string, string> =>
  new Map(
    globSync(files)
      .filter((file) => statSync(file).isFile())
      .toSorted()
      .map((file) => [file, createHash("sha256").update(readFileSync(file)).digest("hex")]),
  );

/** Runs the generators of a task and fails when that changed, added or removed a file. The fresh files stay. */
const checkGenerated = async (task: keyof typeof generated): Promise<void> => {
  const before = snapshot(generated[task]);
  await quietly("turbo", ["run", task]);
  const after = snapshot(generated[task]);
  const stale = [...new Set([...before.keys(), ...after.keys()])].filter(
    (file) => before.get(file) !== after.get(file),
  );
  if (stale.length > 0) {
    throw new CommandError("pnpm generate", `changed ${stale.length} files; commit them`, stale.join("\n"));
  }
};

const turbo = (task: string, ...flags: ReadonlyArray<string>) =>
  quietly("turbo", ["run", task, "--output-logs=errors-only", ...flags]);
/** A task without its dependencies, so that built files are not rewritten while others read them. */
const alone = (task: string) => turbo(task, "--only");

type Check = readonly [name: string, work: () => Promise<unknown>];

/** Steps that write files for other checks. */
const first: ReadonlyArray<Check> = [
  ["generated code is fresh", () => checkGenerated("generate")],
  ["build of every package", () => turbo("build")],
  ["reports of the public API are fresh", () => checkGenerated("api-report")],
];

/** Two rows that run side by side: most of these use one processor. */
const rows: ReadonlyArray<ReadonlyArray<Check>> = [
  [
    ["types of every package", () => alone("types")],
    ["types of the root scripts", () => quietly("tsc", ["-p", "tsconfig.json"])],
    ["the API reference can be written", () => alone("api-reference")],
    ["turbo boundaries", () => quietly("turbo", ["boundaries"])],
    ["licences of all dependencies", checkLicences],
  ],
  [
    ["oxlint", () => quietly("oxlint", ["--deny-warnings"])],
    ["oxfmt", () => quietly("oxfmt", ["--check"])],
    ["buf lint", () => alone("lint")],
    ["buf breaking, against the released contract", () => alone("breaking")],
    ["wrangler deploy --dry-run", () => alone("dry-run")],
    ["knip: nothing unused", () => quietly("knip", ["--no-progress"])],
    ...publishedPackages().map((each): Check => [
      `${each.manifest.name} packed: publint, attw`,
      () => checkPacked(each),
    ]),
  ],
];

/** Steps that copy all files or need the whole machine. */
const last: ReadonlyArray<Check> = [
  ...(canRehearse() ? [["a release, rehearsed in a copy", rehearseRelease] as const] : []),
  ["bundle sizes", () => quietly(process.execPath, ["packages/internal/lab/bench/BundleSize.ts"])],
  ["speed of a call, with a margin", () => quietly(process.execPath, ["packages/internal/lab/bench/checkSpeed.ts"])],
];

const start = performance.now();
const failed: Array<string> = [];
const inTurn = async (checks: ReadonlyArray<Check>): Promise<void> => {
  for (const [name, work] of checks) if (!(await step(name, work))) failed.push(name);
};
await inTurn(first);
await Promise.all(rows.map(inTurn));
await inTurn(last);
const count = [first, ...rows, last].flat().length;
process.stdout.write(`${count - failed.length} of ${count} checks hold (${secondsSince(start)})\n`);
if (failed.length > 0) {
  process.stdout.write(`Not: ${failed.join("; ")}\n`);
  process.exitCode = 1;
} else if (!process.argv.includes("--no-tests")) {
  await run(process.execPath, ["scripts/test.ts"]);
}
