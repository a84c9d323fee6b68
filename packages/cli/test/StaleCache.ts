// A cache that never validates unless asked (RFC 9111, 5.2.1.4).
import { startServer } from "@bytenite-engines/test-kit/ports";

/** Age that it claims for what it has kept, in seconds. */
export const claimedAge = 40;

export interface StaleCache extends AsyncDisposable {
  readonly url: string;
  /** The `Cache-Control` of each request. */
  readonly asked: Array<string | undefined>;
}

/** Starts one before an upstream. */
export const startStaleCache = async (upstream: string): Promise<StaleCache> => {
  const kept = new Map<string, { readonly status: number; readonly headers: Headers; readonly body: Buffer }>();
  const asked: Array<string | undefined> = [];
  const { origin, pathname } = new URL(upstream);
  const server = await startServer((request, response) => {
    void (async () => {
      asked.push(request.headers["cache-control"]);
      const key = `${request.url} ${request.headers.accept} ${request.headers.authorization}`;
      const past = /no-cache/.test(request.headers["cache-control"] ?? "");
      let entry = kept.get(key);
      const hit = entry !== undefined && !past;
      if (entry === undefined || past) {
        const answer = await fetch(`${origin}${request.url}`, {
          method: request.method ?? "GET",
          headers: {
            accept: request.headers.accept ?? "*/*",
            authorization: request.headers.authorization ?? "",
            // fetch unpacks bodies, and hands out the fields as if it had not.
            "accept-encoding": "identity",
          },
        });
        entry = { status: answer.status, headers: answer.headers, body: Buffer.from(await answer.arrayBuffer()) };
        kept.set(key, entry);
      }
      response.statusCode = entry.status;
      for (const [name, value] of entry.headers) {
        if (!["content-length", "connection", "date", "keep-alive", "transfer-encoding"].includes(name))
          response.setHeader(name, value);
      }
      if (hit) {
        response.setHeader("age", String(claimedAge));
        response.setHeader("date", new Date(Date.now() - claimedAge * 1_000).toUTCString());
      }
      response.setHeader("cache-status", hit ? "stale-cache; hit" : "stale-cache; fwd=request");
      response.end(entry.body);
    })();
  });
  return { url: server.origin + pathname, asked, [Symbol.asyncDispose]: () => server[Symbol.asyncDispose]() };
};
