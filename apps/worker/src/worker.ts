// Worker entry: checked settings, the flow, and the purge log.
import { DurableObject, env as variables } from "cloudflare:workers";
import { parseConfig } from "./Config.ts";
import { handle } from "./Flow.ts";
import { createIsolate, type AnalyticsDataset, type Isolate } from "./Isolate.ts";
import type { Purge, PurgeLogStub } from "./Purge.ts";
import type { RequestContext } from "./Request.ts";
import type { RateLimiter } from "./Upstream.ts";

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

const maxRecords = 5_000; // records that are kept; the oldest ones become one purge of everything up to then
const deletedAtOnce = 128; // records that are deleted at a time: the most that storage takes at once
const keyOf = (number: number): string => `purge/${number.toString().padStart(15, "0")}`;

/** Single-threaded, with durable storage: purges that arrive at the same time are all kept, in one order. */
export class PurgeLog extends DurableObject implements PurgeLogStub {
  async append(purge: Purge): Promise<number> {
    const { storage } = this.ctx;
    const last = ((await storage.get<number>("last")) ?? 0) + 1;
    await storage.put({ last, [keyOf(last)]: purge });
    if (last > maxRecords && last % deletedAtOnce === 0) {
      await storage.delete(Array.from({ length: deletedAtOnce }, (_, index) => keyOf(last - maxRecords - index)));
    }
    return last;
  }
  async since(number: number): Promise<{ readonly purges: ReadonlyArray<Purge>; readonly last: number }> {
    const { storage } = this.ctx;
    const start = keyOf(number + 1);
    const records = await storage.list<Purge>({ prefix: "purge/", start });
    const last = (await storage.get<number>("last")) ?? 0;
    const [oldest] = records;
    const everything = oldest === undefined || oldest[0] === start ? [] : [{ atMs: oldest[1].atMs, hard: true }];
    return { purges: [...everything, ...records.values()], last };
  }
}
