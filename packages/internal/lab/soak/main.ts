// `pnpm soak [--minutes N] [--seed S] [--write]`: load, faults and checks.
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, loadavg } from "node:os";
import { parseArgs } from "node:util";
import { isGood, listOf, textOf } from "./Report.ts";
import { soak } from "./Soak.ts";

/** Duration of a round, in milliseconds. */
const roundMs = 20_000;

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "20" },
    seed: { type: "string", default: "1" },
    write: { type: "boolean", default: false },
  },
});
const ms = Number(values.minutes) * 60_000;
const seed = Number(values.seed);
if (!(ms > 0) || !Number.isInteger(seed)) {
  process.stderr.write("--minutes is a number above 0, --seed a whole number\n");
  process.exit(2);
}
const loadBefore = (loadavg()[0] ?? 0).toFixed(1);
const run = await soak({
  ms,
  rounds: Math.max(5, Math.round(ms / roundMs)),
  seed,
  onProgress: (line) => void process.stderr.write(`${line}\n`),
});
process.stdout.write(`pnpm soak --minutes ${values.minutes} --seed ${seed}\n${textOf(run)}`);
if (values.write) {
  const page = new URL("../../../../docs/soak.md", import.meta.url);
  const text = readFileSync(page, "utf8");
  const section = /## The last long run\n.*?(?=\n## |$(?![^]))/s;
  if (!section.test(text)) throw new Error("docs/soak.md has no section for the last long run");
  const machine = `${availableParallelism()} cores, load before the run ${loadBefore}`;
  const said = `\`pnpm soak --minutes ${values.minutes} --seed ${seed} --write\`, on ${new Date().toISOString().slice(0, 10)}, ${machine}: ${isGood(run) ? "everything holds" : "not everything holds"}.`;
  writeFileSync(
    page,
    text.replace(section, () => `## The last long run\n\n${said}\n\n${listOf(run)}`),
  );
}
process.exitCode = isGood(run) ? 0 : 1;
