// Course of a run: rounds, counts, footprints.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { makeSecretBox, migrate, openSqlite } from "@bytenite-engines/registry";
import { Edge } from "../parts/Edge.ts";
import { footprintOf, type Footprint } from "../parts/Footprint.ts";
import { RegistryProcess } from "../parts/RegistryProcess.ts";
import { seeded } from "@bytenite-engines/test-kit/random";
import { imbalances } from "./Balance.ts";
import { Changes } from "./Changes.ts";
import { EngineWorld } from "./EngineWorld.ts";
import { Findings } from "./Findings.ts";
import { Judge } from "./Judge.ts";
import { Ledger, type Counts } from "./Ledger.ts";
import { Load } from "./Load.ts";
import { Operator } from "./Operator.ts";
import { planOf } from "./Plan.ts";
import { runRound } from "./RoundRun.ts";
import { edgeVariables, maxOldMs } from "./Staleness.ts";
import { Tokens } from "./Tokens.ts";

/** Duration of a run, and its rounds. */
export interface SoakOptions {
  readonly ms: number;
  readonly rounds: number;
  readonly seed: number;
  /** Right answers that the last round, which is calm, goes on for, however slow the machine is. Default: 0. */
  readonly minRights?: number;
  /** Gets a report after each round, and each wrong response at once. */
  readonly onProgress: (line: string) => void;
}

/** Memory and files of the processes after a round. */
export interface Sample {
  readonly client: Footprint & { readonly heapMib: number };
  readonly edge: Footprint;
  readonly registry: Footprint & { readonly heapMib: number };
  /** Whether processes were ended in this round, or since: their memory says nothing yet. */
  readonly isYoung: boolean;
}

/** Result of a run. */
export interface Soaked {
  readonly findings: Findings;
  readonly imbalances: ReadonlyArray<string>;
  readonly counts: Counts;
  readonly sealedFound: number;
  readonly samples: ReadonlyArray<Sample>;
  readonly did: Readonly<Record<string, number>>;
}

/** Milliseconds for which former states of the engines are kept. */
const keptMs = 3 * maxOldMs;
/** Longest wait for what is under way to end, in milliseconds. */
const maxQuietMs = 15_000;

export const soak = async ({ ms, rounds, seed, minRights = 0, onProgress }: SoakOptions): Promise<Soaked> => {
  const random = seeded(seed);
  const home = await mkdtemp(join(tmpdir(), "bytenite-soak-"));
  const key = "a key of a run, which is no secret";
  const database = join(home, "engines.sqlite");
  const file = openSqlite(database);
  await migrate(file.port, Date.now());
  const world = new EngineWorld(keptMs);
  const tokens = new Tokens(file, Date.now());
  await tokens.begin();
  const changes = new Changes({
    world,
    file,
    box: await makeSecretBox(key),
    tokens,
    random: seeded(seed + 1),
    database,
    key,
  });
  await changes.begin();
  await using registry = await RegistryProcess.start({ database, key, config: join(home, "registry.json") });
  await using edge = await Edge.start({
    upstreamUrl: `${registry.origin}/v1/dev`,
    variables: edgeVariables,
  });
  const findings = new Findings(onProgress);
  const judge = new Judge(world);
  const ledger = new Ledger(edge, registry);
  const baseUrl = `${edge.origins[0]}/v1/dev`;
  const load = new Load({ baseUrl, world, tokens, judge, ledger, findings, random: seeded(seed + 2), home });
  const operator = new Operator({ file, registry, database, home, key, isCalm: () => findings.isCalm });
  await operator.begin();
  const course = { random, operator, world, changes, tokens, load, edge, registry, ledger, judge, findings };
  const did: Record<string, number> = {};
  const wrong: Array<string> = [];
  const samples: Array<Sample> = [];
  const plan = planOf(rounds, random);
  let before = await ledger.read();
  let troubledAtMs = Date.now();
  for (const [index, round] of plan.entries()) {
    const length = { ms: ms / rounds, minRights: index === plan.length - 1 ? minRights : 0 };
    const disturbance = await runRound(round, length, troubledAtMs, course);
    await quiet(ledger);
    const counts = await ledger.read();
    if (round.name !== "calm") troubledAtMs = Date.now();
    if (round.disruption !== undefined) did[round.disruption] = (did[round.disruption] ?? 0) + 1;
    const amiss = imbalances(before, counts, disturbance);
    wrong.push(
      ...amiss.map((text) => `round ${index + 1} (${round.name}, ${round.disruption ?? "no disruption"}): ${text}`),
    );
    const isYoung = plan.slice(index).some(({ disruption }) => disruption !== undefined);
    const sample = await sampleOf(edge, registry, isYoung);
    samples.push(sample);
    onProgress(
      `${index + 1}/${rounds} ${round.name}${round.disruption === undefined ? "" : `, ${round.disruption}`}: ` +
        `${counts.answered - before.answered} answers, ${findings.failures} failed, ${findings.wrongs} wrong so far; ` +
        `MiB: client ${sample.client.residentMib.toFixed(0)} (heap ${sample.client.heapMib.toFixed(0)}), ` +
        `edge ${sample.edge.residentMib.toFixed(0)}, registry ${sample.registry.residentMib.toFixed(0)} (heap ${sample.registry.heapMib.toFixed(1)})`,
    );
    before = counts;
  }
  wrong.push(...operator.imbalances());
  file.close();
  await rm(home, { recursive: true, force: true });
  const { calls, processes } = load;
  Object.assign(did, { calls, "bne processes": processes, changes: changes.made, imports: changes.imports });
  Object.assign(did, { "tokens revoked": tokens.revocations });
  const { managed, failed, backups, attacks } = operator;
  Object.assign(did, { "management calls": managed, "of them failed": failed, backups, attacks });
  return { findings, imbalances: wrong, counts: before, sealedFound: ledger.sealedFound, samples, did };
};

/** Waits until nothing is under way any more: validations go on behind the answers. */
const quiet = async (ledger: Ledger): Promise<void> => {
  const until = Date.now() + maxQuietMs;
  let last = "";
  for (;;) {
    const now = JSON.stringify(await ledger.read());
    const { registry: taken } = JSON.parse(now) as Counts;
    if (now === last && taken === (await ledger.readRegistryBegun())) return;
    if (Date.now() > until) throw new Error("something is under way and does not end");
    last = now;
    await pause(200);
  }
};

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

/** Heap of this process that is in use once all garbage is gone, in MiB. */
const ownHeapMib = (): number => {
  collectGarbage();
  return process.memoryUsage().heapUsed / 2 ** 20;
};

/** Garbage is collected first: how much of it lies about says nothing of what is held. */
const sampleOf = async (edge: Edge, registry: RegistryProcess, isYoung: boolean): Promise<Sample> => ({
  client: { heapMib: ownHeapMib(), ...footprintOf(process.pid) },
  edge: footprintOf(edge.pid ?? 0),
  registry: { heapMib: await registry.heapMib(), ...footprintOf(registry.pid ?? 0) },
  isYoung,
});
