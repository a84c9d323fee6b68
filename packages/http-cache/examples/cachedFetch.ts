import { httpCache, type CacheEntry, type EvaluateResult } from "@bytenite-engines/http-cache";

type Stored = CacheEntry & { body: ArrayBuffer };
const cache = httpCache({ shared: false });
const entries = new Map<string, Stored>();

/** `fetch` with a private cache. */
export const cachedFetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
  const request = new Request(input, init);
  const decision = cache.evaluate(request, entries.get(request.url.replace(/#.*/, "")), Date.now());
  if (decision.action === "unsatisfiable") return new Response(null, decision.response);
  if (decision.action === "fresh" || decision.action === "stale") {
    if (decision.action === "stale" && decision.revalidate) exchange(request, decision).catch(() => {});
    return respond(request, decision.response, decision.entry.body);
  }
  const result = await exchange(request, decision).catch((error: unknown) => ({ error }));
  const response = "error" in result ? undefined : result;
  const stale = decision.entry && cache.staleIfError(request, decision.entry, response, Date.now());
  if (decision.entry && stale) return respond(request, stale, decision.entry.body);
  if ("error" in result) throw result.error;
  return result;
};

const exchange = async (request: Request, decision: Extract<EvaluateResult<Stored>, { send: Headers }>) => {
  const requestTimeMs = Date.now();
  const response = await fetch(new Request(request, { headers: decision.send, cache: "no-store" }));
  const times = { requestTimeMs, responseTimeMs: Date.now() };
  const head = request.method === "HEAD" && response.status === 200;
  if (decision.entry && (head || (response.status === 304 && decision.action !== "forward"))) {
    const moved = response.redirected ? ({ action: "mismatch" } as const) : undefined;
    const updated = moved ?? cache.update(decision.entry, request, response, times);
    if (updated.action === "updated") entries.set(updated.entry.url, updated.entry);
    else entries.delete(decision.entry.url);
    if (head) return response;
    if (updated.action === "mismatch") return fetch(request, { cache: "no-store" });
    return respond(request, updated.response, decision.entry.body);
  }
  for (const url of cache.invalidate(request, response).urls) entries.delete(url);
  const { entry } = { entry: undefined, ...cache.store(request, response, times) };
  if (entry && !response.redirected) entries.set(entry.url, { ...entry, body: await response.clone().arrayBuffer() });
  return response;
};

const respond = (request: Request, init: { status: number; headers: Headers }, body: ArrayBuffer) =>
  new Response(request.method === "HEAD" || [204, 205, 304].includes(init.status) ? null : body, init);
