// Description of the machine of a run.
import { availableParallelism, cpus, loadavg } from "node:os";

/** Processors, Node, and the load average before the run. */
export const machineLine = (): string => {
  const [cpu] = cpus();
  const load = loadavg()[0]?.toFixed(1);
  return `${availableParallelism()} x ${cpu?.model.trim() ?? "unknown processor"}, Node ${process.versions.node}, load ${load}`;
};
