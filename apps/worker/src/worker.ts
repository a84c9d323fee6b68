// Worker entry: checked settings and the flow.
import { env as variables } from "cloudflare:workers";
import { parseConfig } from "./Config.ts";
import { handle } from "./Flow.ts";
import { createIsolate, type AnalyticsDataset, type Isolate } from "./Isolate.ts";
import type { PurgeLogStub } from "./Purge.ts";
import type { RequestContext } from "./Request.ts";
import type { RateLimiter } from "./Upstream.ts";

export { PurgeLog } from "./PurgeLog.ts";

/** Bindings of the Worker; see wrangler.jsonc for each, and for the variables. */
interface Env {
  readonly UPSTREAM?: { readonly fetch: typeof fetch };
  readonly ANALYTICS?: AnalyticsDataset;
  readonly PURGE_LOG?: { getByName(name: string): PurgeLogStub };
  readonly TOKEN_LIMIT?: RateLimiter;
  readonly ANONYMOUS_LIMIT?: RateLimiter;
}

// A deployment that cannot work is refused before it gets its first request.
const config = parseConfig(variables);

let isolate: Isolate | undefined;

const isolateWith = ({ UPSTREAM, ANALYTICS, PURGE_LOG, TOKEN_LIMIT, ANONYMOUS_LIMIT }: Env): Isolate =>
  createIsolate({
    config,
    fetch: (url, init) => (UPSTREAM === undefined ? fetch(url, init) : UPSTREAM.fetch(url, init)),
    store: typeof caches === "undefined" ? undefined : (caches as CacheStorage & { readonly default?: Cache }).default,
    analytics: ANALYTICS,
    // A stub belongs to the request that made it.
    purgeLog: PURGE_LOG && (() => PURGE_LOG.getByName("all")),
    limits: { token: TOKEN_LIMIT, anonymous: ANONYMOUS_LIMIT },
    now: Date.now,
  });

export default {
  fetch(request: Request, env: Env, context: RequestContext): Response | Promise<Response> {
    return handle(request, (isolate ??= isolateWith(env)), context);
  },
};
