// One round: load, changes, faults.
import { setTimeout as pause } from "node:timers/promises";
import type { Edge } from "../parts/Edge.ts";
import type { RegistryProcess } from "../parts/RegistryProcess.ts";
import type { Random } from "@bytenite-engines/test-kit/random";
import { undisturbed, type Disturbance } from "./Balance.ts";
import type { Changes } from "./Changes.ts";
import { disrupt } from "./Disrupt.ts";
import type { EngineWorld } from "./EngineWorld.ts";
import type { Findings } from "./Findings.ts";
import type { Judge } from "./Judge.ts";
import type { Ledger } from "./Ledger.ts";
import type { Load } from "./Load.ts";
import type { Round } from "./Plan.ts";
import { spoiledForMs } from "./Staleness.ts";
import type { Operator } from "./Operator.ts";
import type { Tokens } from "./Tokens.ts";

/** Mean time between two changes of the data, in milliseconds. */
const changeEveryMs = 400;
/** Mean time between two users that an operator makes, in milliseconds. */
const manageEveryMs = 1_000;
/** After faults the edge may leave the registry alone for so long (its breaker), in milliseconds. */
const breakerMs = 11_000;

/** Parts of a run. */
export interface Course {
  readonly random: Random;
  readonly operator: Operator;
  readonly world: EngineWorld;
  readonly changes: Changes;
  readonly tokens: Tokens;
  readonly load: Load;
  readonly edge: Edge;
  readonly registry: RegistryProcess;
  readonly ledger: Ledger;
  readonly judge: Judge;
  readonly findings: Findings;
}

/** How long a round takes: a time, and longer until so many answers of the whole run are right. */
export interface RoundLength {
  readonly ms: number;
  readonly minRights: number;
}

/** One round; what of the counts its disruption makes uncertain. `troubledAtMs` is when something last went wrong. */
export const runRound = async (
  round: Round,
  { ms, minRights }: RoundLength,
  troubledAtMs: number,
  course: Course,
): Promise<Disturbance> => {
  const { random, operator, world, changes, tokens, load, edge, registry, ledger, judge, findings } = course;
  const until = Date.now() + ms;
  const isOver = (): boolean => Date.now() >= until && findings.rights >= minRights;
  await registry.faults(round.faults);
  const calmFromMs =
    round.name === "calm" ? troubledAtMs + Math.max(breakerMs, spoiledForMs) : Number.POSITIVE_INFINITY;
  const keepCalm = async (): Promise<void> => {
    findings.isCalm = false;
    await pause(Math.max(0, Math.min(calmFromMs, until) - Date.now()));
    findings.isCalm = calmFromMs < until;
  };
  const keepChanging = async (): Promise<void> => {
    await world.during(() => changes.importLines());
    await tokens.rotate(random);
    while (!isOver()) {
      await world.during(() => changes.step());
      await pause(random.exponential(changeEveryMs));
    }
  };
  const keepAsking = async (): Promise<void> => {
    while (!isOver()) {
      await load.process();
      await pause(ms / 5);
    }
  };
  const trouble = async (): Promise<Disturbance> => {
    await pause(ms * (0.2 + 0.2 * random.next()));
    if (round.disruption === undefined) {
      const purgedAtMs = Date.now();
      await edge.purge();
      judge.purgedAtMs = Math.max(judge.purgedAtMs, purgedAtMs);
      return undisturbed;
    }
    const disturbance = await disrupt(round.disruption, { edge, registry, ledger, load });
    await registry.faults(round.faults);
    return disturbance;
  };
  const keepManaging = async (): Promise<void> => {
    const backup = operator.backUp();
    while (!isOver()) {
      await operator.manage();
      await pause(random.exponential(manageEveryMs));
    }
    await backup;
  };
  const [disturbance] = await Promise.all([
    trouble(),
    keepManaging(),
    operator.attack(pause(ms)),
    load.run(isOver, round.impatient),
    keepChanging(),
    keepAsking(),
    keepCalm(),
  ]);
  findings.isCalm = false;
  return disturbance;
};
