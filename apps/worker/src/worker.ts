// The Worker: puts the rooms together once for an isolate, and hands each request to the flow.
import { env as variables } from "cloudflare:workers";
import { Collapse } from "./Collapse.ts";
import { parseConfig } from "./Config.ts";
import { EdgeCache } from "./EdgeCache.ts";
import { EdgeTier } from "./EdgeTier.ts";
import { handle } from "./Handler.ts";
import { Identities } from "./Identity.ts";
import { MemoryTier } from "./MemoryTier.ts";
import { Metrics } from "./Metrics.ts";
import type { Rooms } from "./Rooms.ts";
import { dataCentreCache, type AnalyticsDataset, type RequestContext, type ServiceBinding } from "./Runtime.ts";
import { createUpstream, upstreamBreaker } from "./Upstream.ts";

/** Variables, secrets and bindings of the Worker; see wrangler.jsonc for each. */
interface Env extends Readonly<Record<string, unknown>> {
  readonly UPSTREAM?: ServiceBinding;
  readonly ANALYTICS?: AnalyticsDataset;
}

/** How much longer than a whole exchange may take a slot can be joined, in milliseconds. */
const slotSlackMs = 1_000;

const build = (env: Env): Rooms => {
  const config = parseConfig(env);
  const store = config.edgeTier ? dataCentreCache() : undefined;
  const binding = env.UPSTREAM;
  const metrics = new Metrics();
  const now = Date.now;
  const maxWaitMs = config.deadlineMs + slotSlackMs;
  return {
    config,
    identities: new Identities(),
    cache: new EdgeCache(
      new MemoryTier(config.memoryBytes, config.memoryEntries),
      store === undefined ? undefined : new EdgeTier(store),
    ),
    collapse: new Collapse(maxWaitMs, maxWaitMs),
    ask: createUpstream({
      config,
      fetch: (url, init) => (binding === undefined ? fetch(url, init) : binding.fetch(url, init)),
      breaker: upstreamBreaker(),
      onEvent: (event) => metrics.tell(event, now()),
      onFailure: (problem) => metrics.fail(problem, now()),
      now,
    }),
    metrics,
    analytics: env.ANALYTICS,
    now,
  };
};

// Checked when the Worker starts: a deployment that cannot work is refused before it gets its first request.
parseConfig(variables);

let rooms: Rooms | undefined;

export default {
  fetch(request: Request, env: Env, context: RequestContext): Promise<Response> {
    rooms ??= build(env);
    return handle(request, rooms, context);
  },
};
