// Counters of clients, proxy and registry across restarts.
import type { Edge } from "../parts/Edge.ts";
import type { RegistryProcess } from "../parts/RegistryProcess.ts";
import { sumOf, type Series } from "../parts/Series.ts";
import { outcomeOf, type Outcome } from "./Staleness.ts";

export const outcomes: ReadonlyArray<Outcome> = [
  "stored",
  "missed",
  "validated",
  "collapsed",
  "stale-if-error",
  "other",
];

/** Results of the edge's own metrics, by what its answers say of themselves. */
const outcomeOfResult: Readonly<Record<string, Outcome>> = {
  hit: "stored",
  stale: "stored",
  miss: "missed",
  validated: "validated",
  collapsed: "collapsed",
  "stale-if-error": "stale-if-error",
};

/** Reasons of retries after which no answer, or no whole one, had come. */
const unanswered: ReadonlySet<string> = new Set(["Unreachable", "TimedOut", "Undecodable", "TooLarge"]);

/** Everything that was counted up to a moment. */
export interface Counts {
  /** Requests that clients sent to the edge, and those of which the header of an answer came. */
  readonly sent: number;
  readonly answered: number;
  readonly answeredBy: Readonly<Record<Outcome, number>>;
  /** Requests that the edge says it answered. */
  readonly edge: number;
  readonly edgeBy: Readonly<Record<Outcome, number>>;
  /** Requests that the edge sent upstream, and those of which a whole answer came. */
  readonly upstream: number;
  readonly upstreamAnswered: number;
  /** Requests counted by the registry, and those whose connection a fault cut. */
  readonly registry: number;
  readonly torn: number;
}

export type RegistryCounts = Pick<Counts, "registry" | "torn">;
type EdgeCounts = Pick<Counts, "edge" | "edgeBy" | "upstream" | "upstreamAnswered">;

const none = (): Record<Outcome, number> => ({
  stored: 0,
  missed: 0,
  validated: 0,
  collapsed: 0,
  "stale-if-error": 0,
  other: 0,
});

/** Counts on the side of the clients, and reads the others'. */
export class Ledger {
  readonly #edge: Edge;
  readonly #registry: RegistryProcess;
  #sent = 0;
  #answered = 0;
  readonly #answeredBy = none();
  readonly #underWay = new Set<Promise<Response>>();
  /** Counts of the lives that have ended. */
  #edgeBefore: EdgeCounts = { edge: 0, edgeBy: none(), upstream: 0, upstreamAnswered: 0 };
  #registryBefore: RegistryCounts = { registry: 0, torn: 0 };
  /** Entries that the edge found under a key and could not open: a fault in its keys. */
  sealedFound = 0;

  constructor(edge: Edge, registry: RegistryProcess) {
    this.#edge = edge;
    this.#registry = registry;
  }

  /** A request is on its way. */
  send(requests = 1): void {
    this.#sent += requests;
  }

  /** An answer has come. */
  answer(cacheStatus: string | null): void {
    this.#answered += 1;
    this.#answeredBy[outcomeOf(cacheStatus)] += 1;
  }

  /** The global fetch, counted. */
  readonly fetch = async (url: string, init: RequestInit): Promise<Response> => {
    this.send();
    const asked = fetch(url, init);
    this.#underWay.add(asked);
    try {
      const response = await asked;
      this.answer(response.headers.get("cache-status"));
      return response;
    } finally {
      this.#underWay.delete(asked);
    }
  };

  /** Resolves when each request that is under way now has been answered or has failed. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#underWay);
  }

  /** What there is to say now. Both processes must live. */
  async read(): Promise<Counts> {
    const [edge, registry] = await Promise.all([this.readEdge(), this.readRegistry()]);
    return { ...this.ofClients(), ...edge, ...registry };
  }

  ofClients(): Pick<Counts, "sent" | "answered" | "answeredBy"> {
    return { sent: this.#sent, answered: this.#answered, answeredBy: { ...this.#answeredBy } };
  }

  async readEdge(): Promise<EdgeCounts> {
    const series = await this.#edge.metrics();
    this.sealedFound += sumOf(series, "bytenite_edge_undecryptable_found");
    return plus(this.#edgeBefore, countsIn(series));
  }

  async readRegistry(): Promise<RegistryCounts> {
    const { registry, torn } = await this.#registryCounts();
    return { registry, torn };
  }

  /** The same with those that the registry has begun and will count when they end. */
  async readRegistryBegun(): Promise<number> {
    const { registry, underWay } = await this.#registryCounts();
    return registry + underWay;
  }

  async #registryCounts(): Promise<RegistryCounts & { readonly underWay: number }> {
    const series = await this.#registry.metrics();
    const { registry, torn } = this.#registryBefore;
    const taken = "registry_requests_total";
    return {
      registry: registry + sumOf(series, taken, isOfEdge),
      torn: torn + sumOf(series, taken, ({ status }) => status === "faulted"),
      // The request for these metrics is one of them.
      underWay: sumOf(series, "registry_requests_under_way") - 1,
    };
  }

  /** The edge's life ends, or has ended: what it counted last is all that will be known of it. */
  closeEdge(last: EdgeCounts): void {
    this.#edgeBefore = last;
  }

  closeRegistry(last: RegistryCounts): void {
    this.#registryBefore = last;
  }
}

const requests = "bytenite_edge_requests_total";

/** Who looks whether the edge lives asks for no endpoint, and clients always for one. */
const isOfApi = ({ endpoint }: Series["labels"]): boolean => endpoint !== "none";

/** Endpoints of the registry that a run asks past the edge. */
const pastTheEdge: ReadonlySet<string> = new Set(["health", "metrics", "faults", "management", "docs"]);

const isOfEdge = ({ endpoint = "" }: Series["labels"]): boolean => !pastTheEdge.has(endpoint);

const isStatus = ({ outcome = "" }: Series["labels"]): boolean => /^[0-9]+$/.test(outcome);

/** Outcomes of exchanges for which the edge sent nothing. */
const notSent: ReadonlySet<string> = new Set(["known-to-be-down", "busy", "crowded"]);

const countsIn = (series: ReadonlyArray<Series>): EdgeCounts => {
  const edgeBy = none();
  for (const { name, labels, value } of series) {
    if (name !== requests || !isOfApi(labels)) continue;
    edgeBy[outcomeOfResult[labels["result"] ?? ""] ?? "other"] += value;
  }
  const exchanges = "bytenite_edge_upstream_requests_total";
  const upstreamAnswered = sumOf(series, exchanges, isStatus);
  const failed = sumOf(series, exchanges, (labels) => !isStatus(labels) && !notSent.has(labels["outcome"] ?? ""));
  const retried = sumOf(series, "bytenite_edge_upstream_retries_total", ({ reason = "" }) => unanswered.has(reason));
  const probes = sumOf(series, "bytenite_edge_upstream_probes_total", () => true);
  return {
    edge: sumOf(series, requests, isOfApi),
    edgeBy,
    upstream: upstreamAnswered + failed + retried + probes,
    upstreamAnswered,
  };
};

const plus = (a: EdgeCounts, b: EdgeCounts): EdgeCounts => {
  const edgeBy = none();
  for (const outcome of outcomes) edgeBy[outcome] = a.edgeBy[outcome] + b.edgeBy[outcome];
  return {
    edge: a.edge + b.edge,
    edgeBy,
    upstream: a.upstream + b.upstream,
    upstreamAnswered: a.upstreamAnswered + b.upstreamAnswered,
  };
};
