// `pnpm fuzz [--minutes N] [--seed N] [--runs N] [TARGET...]`: fuzzing, with exit code 1 after a finding.
import { relative } from "node:path";
import { parseArgs } from "node:util";
import { fuzzTarget } from "./Fuzzing.ts";
import { moduleOf, seedsOf, targetNames } from "./Targets.ts";

const usage = `Usage: pnpm fuzz [--minutes N] [--seed N] [--runs N] [TARGET...]

  --minutes N   for each target (default 1; fractions are fine)
  --seed N      where chance begins (default: another one each time; it is shown)
  --runs N      inputs for each target at most; with --seed the same every time

Targets: ${targetNames.join(", ")}
`;

const positive = (text: string, name: string): number => {
  const number = Number(text);
  if (Number.isFinite(number) && number > 0) return number;
  process.stderr.write(`--${name} must be a number above 0\n`);
  return process.exit(2);
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    minutes: { type: "string", default: "1" },
    seed: { type: "string" },
    runs: { type: "string" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  process.stdout.write(usage);
  process.exit(0);
}
const stranger = positionals.find((name) => !targetNames.includes(name));
if (stranger !== undefined) {
  process.stderr.write(`there is no target ${stranger}\n${usage}`);
  process.exit(2);
}

const seconds = Math.ceil(positive(values.minutes, "minutes") * 60);
const seed = Math.floor(values.seed === undefined ? 1 + Math.random() * 2 ** 30 : positive(values.seed, "seed"));
const runs = values.runs === undefined ? undefined : Math.floor(positive(values.runs, "runs"));
const names = positionals.length === 0 ? targetNames : positionals;

process.stdout.write(`seed ${seed}, ${seconds} s for each of ${names.length} targets\n`);
let findings = 0;
for (const name of names) {
  const fuzzed = await fuzzTarget({ module: moduleOf(name), seeds: seedsOf(name), seconds, seed, runs }, seedsOf(name));
  const counts = `${fuzzed.runs.toLocaleString("en")} inputs, ${fuzzed.coverage} branches, ${fuzzed.corpus} kept`;
  process.stdout.write(`${name.padEnd(14)} ${counts}${fuzzed.finding === undefined ? "" : ", and it DOES NOT HOLD"}\n`);
  if (fuzzed.finding === undefined) continue;
  findings += 1;
  const path = relative(process.cwd(), fuzzed.finding.path);
  process.stdout.write(
    `${fuzzed.finding.report}\nThe input is now a seed: ${path}; pnpm test --project fuzz tries it.\n`,
  );
}
process.exitCode = findings === 0 ? 0 : 1;
