// Comparison of the counts of clients, proxy and registry.
import { outcomes, type Counts } from "./Ledger.ts";

/** What was between two readings that makes counts uncertain: processes that ended took their last counts with them. */
export interface Disturbance {
  /** Whether the edge, or the registry, was ended in between. */
  readonly edge: boolean;
  readonly registry: boolean;
  /** Answers of the edge that clients got after its last reading, at most. */
  readonly edgeLost: number;
  /** Requests that the registry took after its last reading, at most. */
  readonly registryLost: number;
  /** Requests that the edge sent upstream after its last reading, at most. */
  readonly upstreamLost: number;
}

export const undisturbed: Disturbance = {
  edge: false,
  registry: false,
  edgeLost: 0,
  registryLost: 0,
  upstreamLost: 0,
};

/** Counts that do not add up, in words. */
export const imbalances = (
  before: Counts,
  after: Counts,
  { edge, registry, ...lost }: Disturbance,
): ReadonlyArray<string> => {
  const sent = after.sent - before.sent;
  const answered = after.answered - before.answered;
  const counted = after.edge - before.edge;
  const upstream = after.upstream - before.upstream;
  const upstreamAnswered = after.upstreamAnswered - before.upstreamAnswered;
  const taken = after.registry - before.registry;
  const wrong: Array<string> = [];
  const must = (holds: boolean, text: string): void => void (holds || wrong.push(text));
  must(counted <= sent, `the edge counted ${counted} requests, ${sent} were sent`);
  must(answered <= counted + lost.edgeLost, `${answered} answers came, the edge counted ${counted}`);
  if (!edge && answered === sent) {
    for (const outcome of outcomes) {
      const seen = after.answeredBy[outcome] - before.answeredBy[outcome];
      const said = after.edgeBy[outcome] - before.edgeBy[outcome];
      must(seen === said, `${seen} answers say ${outcome}, the edge counted ${said}`);
    }
  }
  // workerd sends a GET once more by itself when a connection that it had kept is torn before the answer begins.
  const torn = after.torn - before.torn;
  const most = upstream + torn + (edge ? lost.upstreamLost : 0);
  must(taken <= most, `the registry took ${taken} requests, the edge sent ${upstream} upstream`);
  // Requests written to such a connection while it breaks are lost.
  const reached = edge ? upstreamAnswered : Math.max(upstreamAnswered, upstream - torn);
  const least = registry ? upstreamAnswered - lost.registryLost : reached;
  must(taken >= least, `the edge sent ${upstream} upstream (${upstreamAnswered} answered), the registry took ${taken}`);
  return wrong;
};
