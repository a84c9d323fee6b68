// Names what the flow works with. All of it belongs to the isolate, and none of it to a request.
import type { Collapse } from "./Collapse.ts";
import type { Config } from "./Config.ts";
import type { EdgeCache } from "./EdgeCache.ts";
import type { Identities } from "./Identity.ts";
import type { Metrics } from "./Metrics.ts";
import type { AnalyticsDataset } from "./Runtime.ts";
import type { AskUpstream } from "./Upstream.ts";
import type { Fetched } from "./Observed.ts";

export interface Rooms {
  readonly config: Config;
  readonly identities: Identities;
  readonly cache: EdgeCache;
  readonly collapse: Collapse<Fetched>;
  readonly ask: AskUpstream;
  readonly metrics: Metrics;
  readonly analytics: AnalyticsDataset | undefined;
  /** Milliseconds since the epoch. In production it moves only when something was waited for. */
  readonly now: () => number;
}
