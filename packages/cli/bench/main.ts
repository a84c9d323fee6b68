// Benchmarks of bne, by JSON lines: start-up and memory, or `--startup` alone.
import { startRegistry } from "@bytenite-engines/registry/testing";
import { fill, measureList } from "./Memory.ts";
import { measureStartup } from "./Startup.ts";

const many = 100_000;
const few = 1_000;
const promisedMemory = 1.3;

/** One figure. */
const report = (figure: {
  readonly name: string;
  readonly value: string;
  readonly ratio: number;
  readonly promised?: number | undefined;
  readonly rounds?: ReadonlyArray<number>;
}): void => void process.stdout.write(`${JSON.stringify(figure)}\n`);

const registry = await startRegistry({ users: [{ name: "alice" }, { name: "many" }, { name: "few" }] });
await fill(registry, "alice", 5);
const isShort = process.argv.includes("--startup");
const extent = { runs: isShort ? 15 : 30, peers: !isShort };
for (const { line, cpuMs, ratio, rounds, promised } of await measureStartup(
  registry.url,
  registry.tokens["alice"] ?? "",
  extent,
)) {
  report({ name: line, value: `${cpuMs.toFixed(1)} ms`, ratio, promised, rounds });
}
if (!isShort) {
  await fill(registry, "many", many);
  await fill(registry, "few", few);
  const small = await measureList(registry, "few");
  const large = await measureList(registry, "many");
  for (const { lines, peakMb } of [small, large]) {
    const whole = lines === few || lines === many;
    report({
      name: `list --all of ${lines} engines`,
      value: `${peakMb.toFixed(0)} MB`,
      ratio: whole ? peakMb / small.peakMb : Infinity,
      promised: promisedMemory,
    });
  }
}
await registry.stop();
