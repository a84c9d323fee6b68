// Puts the rooms of one isolate together.
import { Collapse } from "./Collapse.ts";
import type { Config } from "./Config.ts";
import { EdgeCache } from "./EdgeCache.ts";
import { EdgeTier, type EdgeStore } from "./EdgeTier.ts";
import { Identities } from "./Identity.ts";
import { MemoryTier } from "./MemoryTier.ts";
import { Metrics } from "./Metrics.ts";
import type { Rooms } from "./Rooms.ts";
import type { AnalyticsDataset } from "./Runtime.ts";
import { createUpstream } from "./Upstream.ts";
import { UpstreamGate } from "./UpstreamGate.ts";

/** What an isolate is given from outside. */
export interface Surroundings {
  readonly config: Config;
  /** Reaches the upstream. */
  readonly fetch: (url: string, init: RequestInit) => Promise<Response>;
  /** The Cache API, where there is one. */
  readonly store: EdgeStore | undefined;
  readonly analytics: AnalyticsDataset | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** How much longer than a whole exchange may take its slot can be joined, in milliseconds. */
const slotSlackMs = 1_000;

export const createRooms = ({ config, fetch, store, analytics, now }: Surroundings): Rooms => {
  const metrics = new Metrics();
  const edgeStore = config.edgeTier ? store : undefined;
  const maxWaitMs = config.deadlineMs + slotSlackMs;
  return {
    config,
    identities: new Identities(),
    cache: new EdgeCache(
      new MemoryTier(config.memoryBytes, config.memoryEntries),
      edgeStore && new EdgeTier(edgeStore),
    ),
    collapse: new Collapse(maxWaitMs, maxWaitMs),
    ask: createUpstream({
      config,
      fetch,
      gate: new UpstreamGate(config.deadlineMs, now, (state) => metrics.breaker(state)),
      onEvent: (event) => metrics.tell(event, now()),
      onFailure: (problem) => metrics.fail(problem, now()),
      now,
    }),
    metrics,
    analytics,
    now,
  };
};
