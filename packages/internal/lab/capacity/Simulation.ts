// Requests of a scenario, and their results.
import { readNames, type ReadName } from "@bytenite-engines/core/wire";
import { seeded } from "@bytenite-engines/test-kit/random";
import { EdgeModel, type Became, type Demand } from "./EdgeModel.ts";
import type { Scenario } from "./Scenario.ts";
import { byEndpoint, livingLonger, type WorkerSettings } from "./WorkerSettings.ts";
import { weighted, zipfWeight } from "./Zipf.ts";

/** Result of a stretch of time. */
export interface Stretch {
  readonly seconds: number;
  readonly requests: number;
  readonly became: Readonly<Record<Became, number>>;
  readonly upstream: number;
  readonly upstreamBy: Readonly<Record<ReadName, number>>;
  readonly looks: number;
}

/** Result of a scenario. */
export interface Simulated {
  readonly scenario: Scenario;
  /** Before, during and after an outage; one stretch where there is none. */
  readonly stretches: ReadonlyArray<Stretch>;
  /** Memory of the isolates of the simulated data centres at the end, in bytes. */
  readonly isolateBytes: { readonly mean: number; readonly most: number };
}

export const simulate = (scenario: Scenario, deployed: WorkerSettings, seed: number): Simulated => {
  const settings = livingLonger(deployed, scenario.lifetimesTimes);
  const random = seeded(seed);
  const { dataCentres, sampled, isolates, outage, seconds, warmUpSeconds } = scenario;
  const perDataCentre = Math.floor(scenario.tokens / dataCentres);
  const pickToken = weighted(
    Array.from({ length: perDataCentre * sampled }, (_, index) =>
      meanWeight(Math.floor(index / sampled) * dataCentres + 1, dataCentres, scenario.tokenSkew),
    ),
  );
  const pickTag = weighted(
    Array.from({ length: scenario.tags }, (_, index) => zipfWeight(index + 1, scenario.tagSkew)),
  );
  const pickEndpoint = weighted(readNames.map((endpoint) => scenario.mix[endpoint]));
  const isUp = (atMs: number): boolean => outage === undefined || atMs < outage[0] * 1_000 || atMs >= outage[1] * 1_000;
  const model = new EdgeModel({
    settings,
    latencyMs: scenario.latencyMs,
    bytes: scenario.bytes,
    workersCache: scenario.workersCache,
    isUp,
  });
  const ends = [...(outage ?? []), seconds].map((end) => end * 1_000);
  const meanGapMs = (1_000 * dataCentres) / (scenario.perSecond * sampled);
  const meanRecycleMs = (scenario.isolateSeconds * 1_000) / (isolates * sampled);
  const stretches: Array<Stretch> = [];
  let nextRecycleMs = random.exponential(meanRecycleMs);
  let nextSweepMs = 30_000;
  let atMs = 0;
  let fromMs = warmUpSeconds * 1_000;
  for (const endMs of ends) {
    const counted = counters();
    let [upstream, looks] = [model.upstream, model.looks];
    for (atMs += random.exponential(meanGapMs); atMs < endMs; atMs += random.exponential(meanGapMs)) {
      for (; nextRecycleMs < atMs; nextRecycleMs += random.exponential(meanRecycleMs)) {
        model.recycle(random.below(sampled), random.below(isolates));
      }
      for (; nextSweepMs < atMs; nextSweepMs += 30_000) model.sweep(atMs);
      const token = pickToken(random);
      const endpoint = readNames[pickEndpoint(random)] ?? "get";
      // A roaming request fills another data centre. All are alike, so the same amount arrives here.
      const place = random.chance(scenario.roaming) ? random.below(dataCentres) + 1 : 0;
      const tag = endpoint === "list" ? 0 : pickTag(random) + 1;
      const key = (token * readNames.length + readNames.indexOf(endpoint)) * (scenario.tags + 1) + tag;
      const demand: Demand = {
        atMs,
        dataCentre: token % sampled,
        isolate: random.below(isolates),
        endpoint,
        key,
        localKey: key * (dataCentres + 1) + place,
      };
      const before = model.upstream;
      const became = model.request(demand);
      if (atMs < fromMs) {
        [upstream, looks] = [model.upstream, model.looks];
        continue;
      }
      counted.requests += 1;
      counted.became[became] += 1;
      counted.upstreamBy[endpoint] += model.upstream - before;
    }
    stretches.push({
      ...counted,
      seconds: (endMs - fromMs) / 1_000,
      upstream: model.upstream - upstream,
      looks: model.looks - looks,
    });
    fromMs = endMs;
  }
  const memories = model.memories.map(({ bytes }) => bytes);
  const mean = memories.reduce((sum, bytes) => sum + bytes, 0) / Math.max(memories.length, 1);
  return { scenario, stretches, isolateBytes: { mean, most: Math.max(...memories) } };
};

/** Of each run of tokens with neighbouring ranks, one is at home in each data centre; which one makes no difference here. */
const meanWeight = (firstRank: number, count: number, exponent: number): number => {
  let sum = 0;
  for (let rank = firstRank; rank < firstRank + count; rank++) sum += zipfWeight(rank, exponent);
  return sum / count;
};

const counters = () => ({
  requests: 0,
  became: {
    memory: 0,
    "data-centre": 0,
    stale: 0,
    "workers-cache": 0,
    collapsed: 0,
    fetched: 0,
    "stale-if-error": 0,
    failed: 0,
  } satisfies Record<Became, number> as Record<Became, number>,
  upstreamBy: byEndpoint(() => 0),
});
