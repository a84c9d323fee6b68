// Description of the machine of a run.
import { availableParallelism, cpus, loadavg, release, totalmem, type } from "node:os";

/** One line: processor, memory, system, Node, and how busy it was with other things. */
export const machineLine = (): string => {
  const [cpu] = cpus();
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`;
  const load = loadavg()[0]?.toFixed(1);
  return `${availableParallelism()} x ${cpu?.model.trim() ?? "unknown processor"}, ${memory}, ${type()} ${release()}, Node ${process.versions.node}, load before the run ${load}`;
};
