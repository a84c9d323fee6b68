// Names what the flow works with. All of it belongs to the isolate, and none of it to a request.
import type { Collapse } from "./Collapse.ts";
import type { Config } from "./Config.ts";
import type { EdgeCache } from "./EdgeCache.ts";
import type { Entry } from "./Entry.ts";
import type { Identities } from "./Identity.ts";
import type { AskUpstream, UpstreamFailure } from "./Upstream.ts";

/** What one exchange with the upstream came to, as plain data that requests may share. */
export type Fetched =
  | { readonly entry: Entry; readonly status: number; readonly stored: boolean }
  | { readonly failure: UpstreamFailure };

export interface Rooms {
  readonly config: Config;
  readonly identities: Identities;
  readonly cache: EdgeCache;
  readonly collapse: Collapse<Fetched>;
  readonly ask: AskUpstream;
  /** Milliseconds since the epoch. In production it moves only when something was waited for. */
  readonly now: () => number;
}
