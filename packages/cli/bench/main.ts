// Prints the figures of bne: what a start costs, and the memory that a long list takes.
import { startRegistry } from "@bytenite-engines/registry/testing";
import { fill, measureList } from "./Memory.ts";
import { measureStartup } from "./Startup.ts";

const many = 100_000;
const few = 1_000;

await using registry = await startRegistry({ users: [{ name: "alice" }, { name: "many" }, { name: "few" }] });
await fill(registry, "alice", 5);
for (const { line, cpuMs, ratio, promised } of await measureStartup(registry.url, registry.tokens["alice"] ?? "")) {
  process.stdout.write(
    `${line.padEnd(22)} ${cpuMs.toFixed(1).padStart(6)} ms  ${ratio.toFixed(2)}x (at most ${promised}x)\n`,
  );
}
await fill(registry, "many", many);
await fill(registry, "few", few);
const small = await measureList(registry, "few");
const large = await measureList(registry, "many");
for (const { lines, peakMb, seconds } of [small, large]) {
  process.stdout.write(`${lines} engines: peak RSS ${peakMb.toFixed(0)} MB, ${seconds.toFixed(1)} s\n`);
}
process.stdout.write(`peak RSS ${(large.peakMb / small.peakMb).toFixed(2)}x (at most 1.3x)\n`);
