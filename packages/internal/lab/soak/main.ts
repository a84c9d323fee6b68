// `pnpm soak [--minutes N] [--seed S]`: load, faults and checks.
import { parseArgs } from "node:util";
import { isGood, textOf } from "./Report.ts";
import { soak } from "./Soak.ts";

/** How long a round takes, in milliseconds. */
const roundMs = 20_000;

const { values } = parseArgs({
  options: { minutes: { type: "string", default: "20" }, seed: { type: "string", default: "1" } },
});
const ms = Number(values.minutes) * 60_000;
const seed = Number(values.seed);
if (!(ms > 0) || !Number.isInteger(seed)) {
  process.stderr.write("--minutes is a number above 0, --seed a whole number\n");
  process.exit(2);
}
const run = await soak({
  ms,
  rounds: Math.max(5, Math.round(ms / roundMs)),
  seed,
  onProgress: (line) => void process.stderr.write(`${line}\n`),
});
process.stdout.write(`pnpm soak --minutes ${values.minutes} --seed ${seed}\n${textOf(run)}`);
process.exitCode = isGood(run) ? 0 : 1;
