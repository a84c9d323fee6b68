// Ends with 0 while a call of core costs no more than its promise, with a margin for busy machines, and less than with its peers;
// `pnpm check` runs it. The figures themselves are made by `pnpm bench calls`.
import { bareProtobuf, connect, ours, stainless } from "./call/Clients.ts";
import { startEngineServer } from "./call/EngineServer.ts";
import { callLimit } from "./figures/Calls.ts";
import { interleaved } from "./Rounds.ts";
import { ratioOf } from "./Statistics.ts";

/** By how much the promised ratio may be exceeded here. */
const margin = 1.5;

await using server = await startEngineServer();
const [bare, core, ...peers] = [bareProtobuf, ours, connect, stainless].map((make) => make(server.origin, fetch));
if (bare === undefined || core === undefined) throw new Error("nobody to compare");
const samples = await interleaved([bare, core, ...peers], { rounds: 15, calls: 200, concurrency: 16 });
const cpuOf = (name: string): ReadonlyArray<number> => (samples.get(name) ?? []).map(({ cpuUs }) => cpuUs);

const limits = [[bare.name, callLimit * margin] as const, ...peers.map(({ name }) => [name, 1] as const)];
for (const [name, limit] of limits) {
  const ratio = ratioOf(cpuOf(core.name), cpuOf(name)).median;
  const line = `a call of core takes ${ratio.toFixed(2)} of the processor time of ${name}; the limit here is ${limit.toFixed(2)}\n`;
  if (ratio <= limit) {
    process.stdout.write(line);
  } else {
    process.stderr.write(line);
    process.exitCode = 1;
  }
}
