// Gets an answer from the upstream for a visit: shared with others where it may be, stored where it may be.
import type { Format } from "@bytenite-engines/core/wire";
import { cacheKey } from "./CacheKey.ts";
import type { Entry } from "./Entry.ts";
import { exchange, isLost } from "./Exchange.ts";
import type { Identity } from "./Identity.ts";
import type { Fetched } from "./Observed.ts";
import type { Rooms } from "./Rooms.ts";
import type { RequestContext } from "./Runtime.ts";
import { UpstreamFailure } from "./Upstream.ts";
import { clientOf, forwardedHeaders, type Visit } from "./Visit.ts";
import { throughWorkersCache } from "./WorkersCache.ts";

/** What to ask the upstream for. */
export interface Errand {
  readonly visit: Visit;
  /** Undefined: the request has no (living) token; its answer is stored nowhere and shared with nobody. */
  readonly identity: Identity | undefined;
  readonly format: Format;
  readonly stored: Entry | undefined;
  /** Whether something stale will be served if no answer comes. */
  readonly orStale: boolean;
  /** The client wants its own answer: it joins nobody. */
  readonly alone: boolean;
}

/** How often a request follows others whose exchange failed, before it sends its own. */
const maxFollowed = 2;

/** Statuses after which the stored object stays: the upstream did not speak about the resource. */
const aboutTheServer: ReadonlySet<number> = new Set([408, 425, 429]);

const isLostEntry = (entry: Entry): boolean => isLost(entry, entry.client["content-encoding"]);

/** Whether an answer that may not be stored says that what is stored is no longer so. */
const isNews = (entry: Entry): boolean =>
  entry.status < 500 && !aboutTheServer.has(entry.status) && !isLostEntry(entry);

/** The answer, and whether it was another request's exchange. Never rejects. */
export const forward = async (
  errand: Errand,
  rooms: Rooms,
  context: RequestContext,
): Promise<{ readonly fetched: Fetched; readonly collapsed: boolean }> => {
  const { identity, visit } = errand;
  if (identity === undefined || visit.control.noStore) {
    return { fetched: await fetchAndStore(errand, rooms, context), collapsed: false };
  }
  const key = cacheKey(identity, visit.route, errand.format);
  let followed: Fetched | undefined;
  for (let count = 0; !errand.alone && count < maxFollowed; count++) {
    // Asked and joined in one step: of all who wake from a failed leader, the first leads and the rest follow it.
    if (!rooms.collapse.isLed(key, identity.digest, rooms.now())) break;
    followed = await rooms.collapse.follow(key, identity.digest, rooms.now());
    if (followed === undefined) break;
    if ("entry" in followed) {
      if (mayBeShared(followed)) return { fetched: followed, collapsed: true };
      return { fetched: await fetchAndStore(errand, rooms, context), collapsed: false };
    }
    if (count === maxFollowed - 1) return { fetched: followed, collapsed: true };
  }
  // Another request's exchange may have ended between our look into the cache and now.
  const late = errand.alone ? undefined : rooms.cache.recall(identity, visit.route, errand.format, rooms.now());
  if (late !== undefined && late !== errand.stored) {
    return { fetched: { entry: late, status: late.status, stored: true, attempts: 0, durationMs: 0 }, collapsed: true };
  }
  return { fetched: await lead(errand, identity, rooms, context), collapsed: false };
};

/** Validates a stored object behind an answer that was already given; does nothing where that is under way. */
export const revalidate = (errand: Errand, identity: Identity, rooms: Rooms, context: RequestContext): void => {
  const key = cacheKey(identity, errand.visit.route, errand.format);
  if (!rooms.collapse.isLed(key, identity.digest, rooms.now())) void lead(errand, identity, rooms, context);
};

const lead = (errand: Errand, identity: Identity, rooms: Rooms, context: RequestContext): Promise<Fetched> => {
  const key = cacheKey(identity, errand.visit.route, errand.format);
  const work = rooms.collapse.lead(key, identity.digest, rooms.now(), () => fetchAndStore(errand, rooms, context));
  // The exchange outlives a client that goes away: others may be waiting for it.
  context.waitUntil(work);
  return work;
};

/** Others may have an answer that may be stored, and a failure; not one that is for a single request. */
const mayBeShared = ({ entry, status }: Extract<Fetched, { readonly entry: Entry }>): boolean =>
  entry.storable || status >= 400 || isLostEntry(entry);

const fetchAndStore = (errand: Errand, rooms: Rooms, context: RequestContext): Promise<Fetched> => {
  const work = fetchOnce(errand, rooms, context);
  // It goes on where the client goes away: then its place at the upstream becomes free as it ends.
  context.waitUntil(work);
  return work;
};

const fetchOnce = async (errand: Errand, rooms: Rooms, context: RequestContext): Promise<Fetched> => {
  const { visit, identity } = errand;
  try {
    const question = {
      route: visit.route,
      format: errand.format,
      headers: forwardedHeaders(visit, rooms.config.deployment),
      control: visit.control,
      identity,
      client: clientOf(visit.headers),
      stored: errand.stored,
      orStale: errand.orStale,
    };
    const layered = await throughWorkersCache(question, rooms, context);
    if (layered !== undefined) {
      const { entry, cached, durationMs } = layered;
      if (identity !== undefined) context.waitUntil(keep(errand, identity, entry, rooms));
      return { entry, status: entry.status, stored: entry.storable, attempts: cached ? 0 : 1, durationMs };
    }
    const { entry, answer } = await exchange(question, rooms.ask, rooms.config);
    if (identity !== undefined) context.waitUntil(keep(errand, identity, entry, rooms));
    const durationMs = answer.responseTimeMs - answer.requestTimeMs;
    return { entry, status: answer.status, stored: entry.storable, attempts: answer.attempts, durationMs };
  } catch (error) {
    if (error instanceof UpstreamFailure) return { failure: error };
    console.error(JSON.stringify({ level: "error", message: "an exchange failed unexpectedly", error: String(error) }));
    return { failure: new UpstreamFailure("unreachable", 1) };
  }
};

/** Stores what may be stored, and drops what an answer has made untrue. */
const keep = async (errand: Errand, identity: Identity, entry: Entry, rooms: Rooms): Promise<void> => {
  const { route } = errand.visit;
  if (entry.storable) {
    await rooms.cache.store(identity, route, entry, rooms.now());
  } else if (entry.status === 401 || entry.status === 403) {
    rooms.collapse.close(identity.digest);
    await rooms.cache.turnAway(identity, rooms.now());
  } else if (isNews(entry) && !errand.visit.control.noStore) {
    await rooms.cache.drop(identity, route, entry);
  }
};
