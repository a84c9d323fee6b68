// Benchmarks of bne: start-up and memory; `--startup`, `--json`.
import { startRegistry } from "@bytenite-engines/registry/testing";
import { fill, measureList } from "./Memory.ts";
import { measureStartup } from "./Startup.ts";

const many = 100_000;
const few = 1_000;
const promisedMemory = 1.3;

/** One figure. */
const report = (
  name: string,
  value: string,
  ratio: number,
  promised?: number,
  rounds?: ReadonlyArray<number>,
): void => {
  const line = process.argv.includes("--json")
    ? JSON.stringify({ name, value, ratio, promised, rounds })
    : `${name.padEnd(34)} ${value.padStart(9)}  ${ratio.toFixed(2)}x${promised === undefined ? "" : ` (at most ${promised}x)`}`;
  process.stdout.write(`${line}\n`);
};

const registry = await startRegistry({ users: [{ name: "alice" }, { name: "many" }, { name: "few" }] });
await fill(registry, "alice", 5);
const isShort = process.argv.includes("--startup");
const extent = { runs: isShort ? 15 : 30, peers: !isShort };
for (const { line, cpuMs, ratio, rounds, promised } of await measureStartup(
  registry.url,
  registry.tokens["alice"] ?? "",
  extent,
)) {
  report(line, `${cpuMs.toFixed(1)} ms`, ratio, promised, rounds);
}
if (!isShort) {
  await fill(registry, "many", many);
  await fill(registry, "few", few);
  const small = await measureList(registry, "few");
  const large = await measureList(registry, "many");
  for (const { lines, peakMb } of [small, large]) {
    const whole = lines === few || lines === many;
    report(
      `list --all of ${lines} engines`,
      `${peakMb.toFixed(0)} MB`,
      whole ? peakMb / small.peakMb : Infinity,
      promisedMemory,
    );
  }
}
await registry.stop();
