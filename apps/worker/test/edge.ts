// A test isolate: proxy, upstream, clock, data centre.
import { parseConfig } from "../src/Config.ts";
import { handle } from "../src/Flow.ts";
import { createIsolate, type Isolate, type Surroundings } from "../src/Isolate.ts";
import type { EdgeStore } from "../src/Entry.ts";
import type { RequestContext } from "../src/Request.ts";

/** The upstream as the proxy reaches it. */
export type Upstream = (url: string, init: RequestInit) => Promise<Response>;

/** A clock that the test moves. */
export interface Clock {
  ms: number;
}

export interface Edge {
  readonly isolate: Isolate;
  readonly get: (token: string | undefined, path: string, headers?: Record<string, string>) => Promise<Response>;
  readonly send: (request: Request) => Promise<Response>;
  /** Waits for all work that was left behind answers. */
  readonly settle: () => Promise<void>;
}

export const adminSecret = "0123456789abcdef";
export const edgeOrigin = "https://edge.example";

export const startEdge = (
  upstream: Upstream,
  clock: Clock,
  store: EdgeStore | undefined,
  variables: Readonly<Record<string, string>> = {},
  bindings: Pick<Surroundings, "analytics" | "purgeLog" | "limits"> = {},
): Edge => {
  const left: Array<Promise<unknown>> = [];
  const isolate = createIsolate({
    config: parseConfig({
      UPSTREAM_URL: "http://upstream.example/v1/dev",
      LOG: "off",
      ADMIN_SECRET: adminSecret,
      ...variables,
    }),
    fetch: upstream,
    store,
    ...bindings,
    now: () => clock.ms,
  });
  const context: Pick<RequestContext, "waitUntil"> = { waitUntil: (work) => void left.push(work) };
  const send = async (request: Request): Promise<Response> => handle(request, isolate, context);
  return {
    isolate,
    send,
    get: (token, path, headers = {}) =>
      send(
        new Request(`${edgeOrigin}/v1/dev${path}`, {
          headers: token === undefined ? headers : { authorization: token, ...headers },
        }),
      ),
    settle: async () => {
      while (left.length > 0) await Promise.all(left.splice(0));
    },
  };
};

/** The `hit` or `fwd` of Cache-Status. */
export const cacheResult = (response: Response): string =>
  /; (hit|fwd=[a-z-]+)/.exec(response.headers.get("cache-status") ?? "")?.[1] ?? "";
