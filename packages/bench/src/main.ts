// `pnpm bench [FIGURE...] [--quick] [--write]`: measures, prints, and with --write renews BENCHMARKS.md.
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { figures } from "./Figures.ts";
import { machineLine } from "./Machine.ts";
import { benchmarksFile, textOf, type Measured } from "./Report.ts";
import { writeCharts } from "./chart/Charts.ts";

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

const machine = machineLine();
process.stdout.write(`${machine}\n`);
const measured: Array<Measured> = [];
for (const figure of figures) {
  if (positionals.length > 0 && !positionals.includes(figure.name)) continue;
  process.stderr.write(`measuring: ${figure.name}\n`);
  const result = await figure.measure(values.quick ? "quick" : "full");
  measured.push({ figure, result });
  process.stdout.write(textOf({ figure, result }));
}
if (values.write) {
  writeCharts(measured);
  writeFileSync(
    fileURLToPath(new URL("../../../BENCHMARKS.md", import.meta.url)),
    benchmarksFile(["pnpm bench", ...process.argv.slice(2)].join(" "), machine, measured),
  );
}
if (measured.some(({ result }) => result.rows.some(({ holds }) => holds === false))) process.exitCode = 1;
