// Ends of processes during a round, and the counts lost.
import { setTimeout as pause } from "node:timers/promises";
import type { Edge } from "../parts/Edge.ts";
import type { RegistryProcess } from "../parts/RegistryProcess.ts";
import { undisturbed, type Disturbance } from "./Balance.ts";
import type { Ledger } from "./Ledger.ts";
import { callers, type Load } from "./Load.ts";
import type { Disruption } from "./Plan.ts";

/** Duration of an outage, in milliseconds. */
const outageMs = 3_000;

/**
 * Exchanges that the edge may have been waiting for when it was read last, so that it never counted them, although the
 * registry did: for each caller the one that it waits for, and a validation behind an earlier answer.
 */
const waitedFor = 2 * callers;

/** Processes to end. */
export interface Parts {
  readonly edge: Edge;
  readonly registry: RegistryProcess;
  readonly ledger: Ledger;
  readonly load: Load;
}

/** Ends a process under load and starts it again. */
export const disrupt = (disruption: Disruption, parts: Parts): Promise<Disturbance> => {
  const how = disruption === "registry-stop" || disruption === "edge-stop" ? "stop" : "kill";
  return disruption.startsWith("edge")
    ? disruptEdge(how, parts)
    : disruptRegistry(how, disruption === "outage" ? outageMs : 0, parts);
};

const disruptRegistry = async (
  how: "stop" | "kill",
  downMs: number,
  { registry, ledger }: Parts,
): Promise<Disturbance> => {
  const before = await ledger.readEdge();
  const last = await ledger.readRegistry();
  await registry.end(how);
  ledger.closeRegistry(last);
  const after = await ledger.readEdge();
  if (downMs > 0) await pause(downMs);
  await registry.start();
  return { ...undisturbed, registry: true, registryLost: after.upstreamAnswered - before.upstreamAnswered };
};

const disruptEdge = async (how: "stop" | "kill", { edge, ledger, load }: Parts): Promise<Disturbance> => {
  const { registry: taken } = await ledger.readRegistry();
  const { answered } = ledger.ofClients();
  const last = await ledger.readEdge();
  await edge.end(how);
  ledger.closeEdge(last);
  // Running requests are answered, or fail, before there is another edge.
  await ledger.settled();
  const edgeLost = ledger.ofClients().answered - answered + load.processesUnderWay;
  const upstreamLost = (await ledger.readRegistryBegun()) - taken + waitedFor;
  await edge.start();
  return { ...undisturbed, edge: true, edgeLost, upstreamLost };
};
