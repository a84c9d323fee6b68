// `pnpm bench [FIGURE...] [--quick] [--write]`: benchmarks, and their sections of BENCHMARKS.md.
import { readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { writeCharts } from "./Charts.ts";
import { figures } from "./Figures.ts";
import { benchmarksFile, isCitable, markdownOf, textOf, verdictsOf, type Measured } from "./Report.ts";
import { busyShareNow } from "./Verdict.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { quick: { type: "boolean", default: false }, write: { type: "boolean", default: false } },
});

const unknown = positionals.filter((name) => figures.every((figure) => figure.name !== name));
if (unknown.length > 0) {
  process.stderr.write(
    `No such figure: ${unknown.join(", ")}. There are: ${figures.map(({ name }) => name).join(", ")}\n`,
  );
  process.exit(2);
}

/** Processors, Node, and the load average before the run. */
const machineLine = (): string => {
  const [cpu] = cpus();
  const load = loadavg()[0]?.toFixed(1);
  return `${availableParallelism()} x ${cpu?.model.trim() ?? "unknown processor"}, Node ${process.versions.node}, load ${load}`;
};

const machine = machineLine();
process.stdout.write(`${machine}\n`);
const file = fileURLToPath(new URL("../../../../BENCHMARKS.md", import.meta.url));
for (const figure of figures) {
  if (positionals.length > 0 && !positionals.includes(figure.name)) continue;
  process.stderr.write(`measuring: ${figure.name}\n`);
  const start = performance.now();
  const effort = values.quick ? "quick" : "full";
  const busyBefore = await busyShareNow();
  const result = await figure.measure(effort);
  const measured: Measured = { figure, result, effort, busyShare: Math.max(busyBefore, await busyShareNow()) };
  process.stderr.write(`it took ${((performance.now() - start) / 1_000).toFixed(0)} s\n`);
  process.stdout.write(textOf(measured));
  if (verdictsOf(measured).includes("fails")) process.exitCode = 1;
  if (!values.write) continue;
  if (!isCitable(measured)) {
    process.stderr.write(`not written: ${figure.name} is too noisy; run it again, longer or on an idle machine\n`);
    continue;
  }
  // One by one: a run of all takes half an hour.
  writeCharts(measured);
  const command = ["pnpm bench", figure.name, ...(values.quick ? ["--quick"] : [])].join(" ");
  writeFileSync(file, benchmarksFile(readFileSync(file, "utf8"), figures, markdownOf(measured, command, machine)));
}
