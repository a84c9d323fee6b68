// The Worker: puts the rooms together once for an isolate, and hands each request to the flow.
import { Collapse } from "./Collapse.ts";
import { parseConfig } from "./Config.ts";
import { EdgeCache } from "./EdgeCache.ts";
import { EdgeTier } from "./EdgeTier.ts";
import { Identities } from "./Identity.ts";
import { MemoryTier } from "./MemoryTier.ts";
import { answerTo } from "./Proxy.ts";
import type { Rooms } from "./Rooms.ts";
import { dataCentreCache, type RequestContext, type ServiceBinding } from "./Runtime.ts";
import { createUpstream, upstreamBreaker } from "./Upstream.ts";

/** Variables, secrets and bindings of the Worker; see wrangler.jsonc for each. */
interface Env extends Readonly<Record<string, unknown>> {
  readonly UPSTREAM?: ServiceBinding;
}

/** How much longer than a whole exchange may take a slot can be joined, in milliseconds. */
const slotSlackMs = 1_000;

const build = (env: Env): Rooms => {
  const config = parseConfig(env);
  const store = config.edgeTier ? dataCentreCache() : undefined;
  const fetcher: typeof fetch = env.UPSTREAM === undefined ? fetch : env.UPSTREAM.fetch.bind(env.UPSTREAM);
  return {
    config,
    identities: new Identities(),
    cache: new EdgeCache(
      new MemoryTier(config.memoryBytes, config.memoryEntries),
      store === undefined ? undefined : new EdgeTier(store),
    ),
    collapse: new Collapse(config.deadlineMs + slotSlackMs, config.deadlineMs + slotSlackMs),
    ask: createUpstream({
      config,
      fetch: (url, init) => fetcher(url, init),
      breaker: upstreamBreaker(),
      onEvent: () => {},
      now: Date.now,
    }),
    now: Date.now,
  };
};

let rooms: Rooms | undefined;

export default {
  fetch(request: Request, env: Env, context: RequestContext): Promise<Response> {
    rooms ??= build(env);
    return answerTo(request, rooms, context);
  },
};
