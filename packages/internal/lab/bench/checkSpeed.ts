// Check of a call's cost against its limit and its peers.
import { startProcess } from "@bytenite-engines/test-kit";
import { bareProtobuf, connect, ours, stainless } from "./call/Clients.ts";
import { callLimit } from "./figures/Calls.ts";
import { interleaved } from "./Rounds.ts";
import { ratios, spreadOf } from "./Statistics.ts";
import { verdictTexts } from "./Report.ts";
import { busyShareNow, verdictOf } from "./Verdict.ts";

/** Tolerance beyond the promised ratio: in 3,000 calls much of the code is not compiled yet. */
const margin = 1.45;

const busyBefore = await busyShareNow();
await using server = await startProcess(["packages/internal/lab/bench/call/serveEngine.ts"]);
const [bare, core, ...peers] = [bareProtobuf, ours, connect, stainless].map((make) => make(server.said, fetch));
if (bare === undefined || core === undefined) throw new Error("nobody to compare");
const samples = await interleaved([bare, core, ...peers], { rounds: 15, calls: 200, concurrency: 16 });
const cpuOf = (name: string): ReadonlyArray<number> => (samples.get(name) ?? []).map(({ cpuUs }) => cpuUs);
const busyShare = Math.max(busyBefore, await busyShareNow());

const limits = [[bare.name, callLimit * margin] as const, ...peers.map(({ name }) => [name, 1] as const)];
for (const [name, limit] of limits) {
  const rounds = ratios(cpuOf(core.name), cpuOf(name));
  const ratio = spreadOf(rounds).median;
  const verdict = verdictOf({ rounds: rounds.map((one) => one / limit), reference: cpuOf(name) }, "full", busyShare);
  const line = `a call of core takes ${ratio.toFixed(2)} of the processor time of ${name}; the limit here is ${limit.toFixed(2)}: ${verdictTexts[verdict]}\n`;
  (verdict === "fails" ? process.stderr : process.stdout).write(line);
  if (verdict === "fails") process.exitCode = 1;
}
