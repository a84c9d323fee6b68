// Names what the flow works with. All of it belongs to the isolate, and none of it to a request.
import type { Collapse } from "./Collapse.ts";
import type { Config } from "./Config.ts";
import type { EdgeCache } from "./EdgeCache.ts";
import type { Entry } from "./Entry.ts";
import type { Identities } from "./Identity.ts";
import type { Metrics } from "./Metrics.ts";
import type { AnalyticsDataset } from "./Runtime.ts";
import type { AskUpstream, UpstreamFailure } from "./Upstream.ts";
import type { UpstreamTrust } from "./UpstreamTrust.ts";

/** What one exchange with the upstream came to, as plain data that requests may share. */
export type Fetched =
  | {
      readonly entry: Entry;
      /** The upstream's status; 304 where the entry was confirmed. */
      readonly status: number;
      readonly stored: boolean;
      /** 0: what another request had fetched, here or through Workers Cache. */
      readonly attempts: number;
      readonly durationMs: number;
    }
  | { readonly failure: UpstreamFailure };

export interface Rooms {
  readonly config: Config;
  readonly identities: Identities;
  readonly cache: EdgeCache;
  readonly collapse: Collapse<Fetched>;
  readonly ask: AskUpstream;
  readonly trust: UpstreamTrust;
  readonly metrics: Metrics;
  readonly analytics: AnalyticsDataset | undefined;
  /** Milliseconds since the epoch. In production it moves only when something was waited for. */
  readonly now: () => number;
}
