// Asks the upstream through the cached entrypoint, where Workers Cache is switched on. Never needed: what it gives is opened
// and judged here, and whatever is not usable is fetched without it.
import { timeToLive } from "@bytenite-engines/http-cache";
import { cacheKey } from "./CacheKey.ts";
import { isValidatable, type Entry } from "./Entry.ts";
import type { Question } from "./WholeAnswer.ts";
import type { Identity } from "./Identity.ts";
import { isPlain } from "./PlainControl.ts";
import type { Rooms } from "./Rooms.ts";
import type { RequestContext } from "./Runtime.ts";
import { open } from "./Seal.ts";
import { clientField, orStaleField, sealedUrl, type SealedFailure } from "./SealedExchange.ts";
import { UpstreamFailure } from "./Upstream.ts";

/** The name of that cache in Cache-Status. */
const layerName = "workers-cache";

/** What came through the cached entrypoint. */
export interface Layered {
  readonly entry: Entry;
  /** Somebody else had it fetched, earlier. */
  readonly cached: boolean;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
}

/**
 * Undefined: the layer is off, is not for this question, or gave nothing that may be used. It is for the first fetch of an
 * object, and for one that cannot be validated: a validation is cheaper, and goes to the upstream itself. Rejects with
 * UpstreamFailure where the upstream gave no answer.
 */
export const throughWorkersCache = async (
  question: Question,
  rooms: Rooms,
  { exports }: RequestContext,
): Promise<Layered | undefined> => {
  const { identity, route, format, stored, control } = question;
  const entrypoint = rooms.config.workersCache ? exports?.SealedExchange : undefined;
  if (entrypoint === undefined || identity === undefined || !isPlain(control)) return undefined;
  if (stored !== undefined && isValidatable(stored)) return undefined;
  const headers = new Headers(question.headers);
  if (question.orStale) headers.set(orStaleField, "1");
  headers.set(clientField, question.client);
  const askedAtMs = rooms.now();
  let response: Response;
  let body: ArrayBuffer;
  try {
    const inner = entrypoint({ props: { owner: identity.digest } });
    response = await inner.fetch(new Request(sealedUrl(format, route.target), { headers }));
    body = await response.arrayBuffer();
  } catch {
    rooms.metrics.count("bytenite_edge_workers_cache_total", { result: "failed" });
    if (rooms.now() - askedAtMs >= rooms.config.deadlineMs) throw new UpstreamFailure("timed-out", 1);
    return undefined;
  }
  if (response.status === 503) throw failureIn(body);
  const entry = await open(cacheKey(identity, route, format), body, identity);
  const cached = entry !== undefined && entry.fetchedAtMs < askedAtMs;
  const isUsable = entry !== undefined && (!cached || mayBeUsed(entry, identity, stored, rooms));
  rooms.metrics.count("bytenite_edge_workers_cache_total", {
    result: isUsable ? (cached ? "hit" : "miss") : "unusable",
  });
  if (entry === undefined || !isUsable) return undefined;
  return { entry: cached ? marked(entry) : entry, cached, durationMs: rooms.now() - askedAtMs };
};

/** Fresh, not made to go by a 401 or a purge, and news. */
const mayBeUsed = (entry: Entry, identity: Identity, stored: Entry | undefined, { cache, now }: Rooms): boolean =>
  entry.storable &&
  timeToLive(entry.freshness, now()) > 0 &&
  !cache.isGone(entry, identity) &&
  (stored === undefined || entry.fetchedAtMs > stored.fetchedAtMs);

/** With a member in Cache-Status before ours: caches are named from the origin on (RFC 9211, 2). */
const marked = (entry: Entry): Entry => {
  const before = entry.client["cache-status"];
  const member = `${layerName}; hit`;
  return {
    ...entry,
    client: { ...entry.client, "cache-status": before === undefined ? member : `${before}, ${member}` },
  };
};

const failureIn = (body: ArrayBuffer): UpstreamFailure => {
  const { problem, attempts, retryAfterMs } = JSON.parse(new TextDecoder().decode(body)) as SealedFailure;
  return new UpstreamFailure(problem, attempts, retryAfterMs);
};
