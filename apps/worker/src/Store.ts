// Stored entries in the isolate's memory and encrypted in the Cache API.
import { hasValidator, matchesVary, usableUntil } from "@bytenite-engines/http-cache";
import type { Format } from "@bytenite-engines/core/wire";
import { decryptEntry, encryptEntry, fieldIn, hasForm, inForm, isFresh, orNothing } from "./Entry.ts";
import { outdated, sizeOf, type EdgeStore, type Entry } from "./Entry.ts";
import { ownersOf, type Identity } from "./Identity.ts";
import { logError } from "./Log.ts";
import { createPurges, purgesReadEveryMs, type Purge, type PurgeNotes } from "./Purge.ts";
import { recentOf } from "./Recent.ts";
import type { ParsedRequest, RequestContext, Route } from "./Request.ts";

const generation = 9; // version of stored entries. Raising it discards all older ones
/** Never resolved: the Cache API needs a URL. Short, because it is parsed and compared with every look. */
const keyOrigin = `https://e.invalid/${generation}/`;
const keptForValidationMs = 600_000; // how much longer than it may be served an entry with a validator is kept, in milliseconds
const maxEncryptedBytes = 1024 * 1024; // longest body that is stored in the Cache API: encryption takes three times that
const maxVariants = 32; // entries of one key, which differ by Vary or by their part
const maxNoted = 10; // purges of one user that are recorded between two readings; the last takes all of the user until then
const maxLogWaitMs = 1_000; // longest wait for the log of purges, in milliseconds: what it says later is applied then
const maxChanges = 10_000; // most objects whose last change is remembered, so that an older response changes nothing
const uncacheableForMs = 10_000; // after an uncacheable response: how long requests for it are not coalesced, in milliseconds
export const nobody = ""; // the owner of responses to requests without a token

export const logUnrecorded = (error: unknown): void => logError("a purge cannot be recorded", error);
/** Undefined where the work takes longer. */
export const inTime = <A>(ms: number, work: Promise<A>): Promise<A | undefined> => {
  const timer = Promise.withResolvers<undefined>();
  const timeout = setTimeout(timer.resolve, ms);
  return Promise.race([work, timer.promise]).finally(() => clearTimeout(timeout));
};

/** Token's digest, requested format (none: both), normalised target. Other paths have one for all spellings, which http-cache tells apart. */
export const cacheKey = (owner: string, { endpoint, target, path }: Route, format: Format | "" = ""): string => {
  if (endpoint !== "other") return `${owner}/${format}${target}`;
  const query = /\?.*$/.exec(target)?.[0] ?? "";
  const spelled = path === undefined ? target : encodeURI(path).replaceAll(/[?#]/g, encodeURIComponent) + query;
  return `${owner}/other${spelled}`;
};

/** Entries in memory, bounded in bytes and in number of keys. */
export const createMemory = (maxBytes: number, maxEntries: number) => {
  const kept = recentOf<ReadonlyArray<Entry>>(maxEntries, undefined, maxBytes, (key, entries) =>
    entries.reduce((size, entry) => size + sizeOf(entry), key.length * 2),
  );
  /** Stores the entries of a key, unless they take more than a quarter of the memory. */
  const set = (key: string, entries: ReadonlyArray<Entry>): void =>
    entries.length === 0 ? kept.delete(key) : kept.set(key, entries);
  return {
    ...kept,
    set,
    /** The entries of a key, asked for later than `sinceMs`. Those of another owner count as absent. */
    get: (key: string, owner: string, sinceMs = Number.NEGATIVE_INFINITY): ReadonlyArray<Entry> => {
      const entries = kept.get(key);
      return entries?.[0]?.owner === owner ? entries.filter(({ fetchedAtMs }) => fetchedAtMs > sinceMs) : [];
    },
    /** Replaces what these owners have; undefined among them: what all have. */
    replaceAll: (replace: (entry: Entry) => Entry | undefined, owners: ReadonlySet<string | undefined>): void => {
      kept.each((key, entries) => {
        if (!owners.has(undefined) && !owners.has(entries[0]?.owner)) return;
        const replaced = entries.map(replace).filter((entry) => entry !== undefined);
        if (entries.some((entry, at) => entry !== replaced[at])) set(key, replaced);
      });
    },
  };
};

/** Sequence number and time of a request to the upstream. Workers' clocks stand still between I/O, so time alone gives no order. */
export interface Asked {
  readonly sequence: number;
  readonly atMs: number;
}

interface Change extends Asked {
  readonly removed: boolean;
  readonly elsewhere?: boolean; // whether another isolate made it: then it is ordered by time, not by number
  readonly reason?: string | undefined;
}

/** Whether two answers are of one representation, as far as their fields say: parts of two do not belong together. */
const isOfSame = (one: Entry, other: Entry): boolean =>
  ["etag", "last-modified"].every((name) => fieldIn(one.headers, name) === fieldIn(other.headers, name)) &&
  totalOf(one) === totalOf(other);

const totalOf = ({ part, bytes }: Entry): number | undefined => (part === undefined ? bytes.byteLength : part.total);

export const createStore = (
  memory: ReturnType<typeof createMemory>,
  edge: EdgeStore | undefined,
  notes: PurgeNotes | undefined,
  now: () => number,
  near: PurgeNotes | undefined,
) => {
  const purges = createPurges();
  let sequence = 0;
  /** Requests that began before this one change nothing, since the last change of their object may have been dropped. */
  let floor = Number.NEGATIVE_INFINITY;
  const changes = recentOf<Change>(maxChanges, (dropped) => (floor = Math.max(floor, dropped.sequence)));
  let undecryptable = 0;
  const ask = (): Asked => {
    const atMs = now();
    purges.latest(atMs);
    return { sequence: ++sequence, atMs };
  };
  /** Whether a response may change the object: no later request has changed it. Records the change. */
  const mayChange = (name: string, change: Change): boolean => {
    const before = changes.get(name);
    if (change.sequence < (before?.sequence ?? floor)) return false;
    if (before?.elsewhere === true && change.atMs <= before.atMs) return false;
    changes.set(name, change);
    return true;
  };
  /** The entry after purges that came since it was found; undefined if removed. */
  const afterPurges = (entry: Entry): Entry | undefined => {
    const purged = purges.of(entry);
    if (purged === "hard") return undefined;
    const { lifetimeMs, staleWhileRevalidateMs } = entry.freshness;
    return purged === "soft" && lifetimeMs + staleWhileRevalidateMs > 0 ? outdated(entry) : entry;
  };
  const apply = (added: ReadonlyArray<Purge>): void => {
    const owners = new Set(purges.add(added).flatMap<string | undefined>((purge) => purge.owners ?? [undefined]));
    if (owners.size !== 0) memory.replaceAll(afterPurges, owners);
  };
  /** Applies a purge by a user, and records it. Those of a token that may be made up, and too many of one user, would crowd out others. */
  const purgeOwn = async (identity: Identity, isKnown: boolean, scope: Omit<Purge, "owners">): Promise<void> => {
    const { hasEntries, noted } = identity;
    const { atMs, hard, name } = scope;
    const owners = ownersOf(identity);
    const isOwner = isKnown || hasEntries;
    if (isOwner) apply([{ ...scope, owners }]);
    if (!isOwner || (hard && name === undefined)) identity.revoked = { sequence: ask().sequence, atMs };
    if (atMs >= noted.untilMs) Object.assign(noted, { count: 0, untilMs: atMs + purgesReadEveryMs });
    const recorded = ++noted.count === maxNoted ? { atMs, untilMs: noted.untilMs, hard: true } : scope;
    if (noted.count <= maxNoted) await (isOwner ? notes : near)?.write({ ...recorded, owners }).catch(logUnrecorded);
  };
  const everybody = { notesReadAtMs: 0, hasEntries: true }; // who has no token
  /** The last reading of the log, for all users: when it began, and its end. Failures are ignored. */
  let logReading = { atMs: Number.NEGATIVE_INFINITY, ended: Promise.resolve() };
  const readLog = (): Promise<void> =>
    Promise.resolve(notes?.read([]) ?? []).then(apply, (error) => logError("the log of purges cannot be read", error));
  /** What the data centre has, by the current server secret or by the previous one. */
  const read = async (identity: Identity, route: Route, format: Format): Promise<Entry | undefined> => {
    for (const known of identity.previous === undefined ? [identity] : [identity, identity.previous]) {
      const key = cacheKey(known.digest, route, format);
      const encrypted = await orNothing(async () => (await edge?.match(keyOrigin + key))?.arrayBuffer());
      if (encrypted === undefined) continue;
      const entry = await decryptEntry(key, encrypted, known.key, identity.digest);
      if (entry !== undefined) return entry;
      undecryptable += 1;
    }
    return undefined;
  };
  /** Reads an entry of the data centre into memory, unless it is older than what this isolate knows. */
  const fetchNear = async (identity: Identity, route: Route, format: Format, name: string) => {
    const found = await read(identity, route, format);
    if (found === undefined) return [];
    const { fetchedAtMs, freshness } = found;
    purges.latest(fetchedAtMs);
    const change = changes.get(name);
    const isKnown = change !== undefined && fetchedAtMs < change.atMs + (change.removed ? 1 : 0);
    if (isKnown || fetchedAtMs <= Math.max(identity.revoked.atMs, purges.floorMs())) return [];
    const usable = afterPurges(found);
    const near = memory.get(name, identity.digest);
    const isFormat = (entry: Entry): boolean => entry.askedFormat === format;
    const isNewer = near.some((e) => isFormat(e) && e.freshness.responseTimeMs >= freshness.responseTimeMs);
    if (usable === undefined || isNewer) return [];
    identity.hasEntries = true;
    // Nor may the data centre later have an older one: isolates do not order what they write there.
    if (change?.atMs !== fetchedAtMs) {
      changes.set(name, { sequence: change?.sequence ?? floor, atMs: fetchedAtMs, removed: false, elsewhere: true });
    }
    memory.set(name, [usable, ...near.filter((entry) => !isFormat(entry))]);
    return [usable];
  };
  const write = async (key: string, entry: Entry, { key: secret }: Identity, keepSeconds: number): Promise<void> => {
    // No Content-Type: it is not used, and costs 5 % of a lookup.
    const headers = { "cache-control": `max-age=${keepSeconds}` };
    const encrypted = await encryptEntry(key, entry, secret);
    await orNothing(() => edge?.put(keyOrigin + key, new Response(encrypted, { headers })));
  };
  /** The entry in a form, counted anew where that was made. */
  const asForm = async (route: Route, entry: Entry, format: Format): Promise<Entry | undefined> => {
    const before = entry.other;
    const made = await inForm(entry, format);
    const name = cacheKey(entry.owner, route);
    const near = before === entry.other ? [] : memory.get(name, entry.owner);
    if (near.includes(entry)) memory.set(name, near);
    return made;
  };
  return {
    memory,
    ask,
    purgeOwn,
    /** Applies a purge here, and records it for other isolates. */
    purge: async (added: Purge): Promise<void> => {
      apply([added]);
      await notes?.write(added);
    },
    afterPurges,
    purgeOf: purges.of,
    asForm,
    /** Number of entries found that this token cannot decrypt; they are not served. */
    undecryptable: () => undecryptable,
    /** How far a purge reaches, for people. */
    reach: notes?.reach ?? "in this isolate alone: there is neither a Cache API nor a PURGE_LOG",
    purgeTime: (): number => purges.latest(now()),
    /** The latest entry in memory, if it is fresh and alone; synchronous. */
    recall: (owner: string, identity: Identity | undefined, route: Route, nowMs: number): Entry | undefined => {
      const [entry] = memory.get(cacheKey(owner, route), owner, identity?.revoked.atMs);
      return entry !== undefined && entry.vary.length === 0 && isFresh(entry, nowMs) ? entry : undefined;
    },
    /** The entries of an object in the first of the forms, or from which it can be made: fresh ones first, of the Cache API if none is near. */
    find: async (owner: string, identity: Identity | undefined, route: Route, stored: ReadonlyArray<Format>) => {
      const [format = "json"] = stored;
      const [fresh, stale]: [Array<Entry>, Array<Entry>] = [[], []];
      const name = cacheKey(owner, route);
      let entries = memory.get(name, owner, identity?.revoked.atMs);
      if (identity !== undefined && entries.length > 0) identity.hasEntries = true;
      for (let next = 0; ; next++) {
        for (const entry of entries) {
          const isUsable = hasForm(entry, format) || (stored.length > 1 && (await asForm(route, entry, format)));
          if (isUsable) (isFresh(entry, now()) ? fresh : stale).push(entry);
        }
        const each = stored[next];
        if (each === undefined || fresh.length > 0 || edge === undefined || identity === undefined) break;
        entries = await fetchNear(identity, route, each, name);
      }
      return fresh.concat(stale);
    },
    /** Stores an entry. False: a later request has changed the object, or a purge lies on it. */
    put: (user: Identity | undefined, request: ParsedRequest, entry: Entry, asked: Asked, context: RequestContext) => {
      const { route } = request;
      const { owner, askedFormat, part, freshness, bytes } = entry;
      const name = cacheKey(owner, route);
      if (user !== undefined && asked.sequence < user.revoked.sequence) return false;
      if (purges.of(entry) !== undefined || entry.fetchedAtMs <= purges.floorMs()) return false;
      if (!mayChange(name, { ...asked, removed: false })) return false;
      const isReplaced = (other: Entry): boolean =>
        other.askedFormat === askedFormat &&
        matchesVary(other.vary, request.headers, null) &&
        (part === undefined || other.part?.askedRange === part.askedRange || !isOfSame(entry, other));
      const others = memory.get(name, owner).filter((other) => !isReplaced(other));
      memory.set(name, [entry, ...others.slice(0, maxVariants - 1)]);
      if (user === undefined) return true;
      user.hasEntries = true;
      const until = usableUntil(freshness) + (hasValidator(entry) ? keptForValidationMs : 0);
      const keepSeconds = Math.ceil((Math.min(until, user.expiresAtMs) - now()) / 1000);
      const isKept = keepSeconds > 0 && part === undefined && bytes.byteLength <= maxEncryptedBytes;
      if (isKept) context.waitUntil(write(cacheKey(owner, route, askedFormat), entry, user, keepSeconds));
      return true;
    },
    /** Removes an object in both formats, unless a later request has changed it. `reason`: why its answer cannot be shared. */
    remove: async (identity: Identity | undefined, route: Route, asked: Asked, reason?: string): Promise<void> => {
      const name = cacheKey(identity?.digest ?? nobody, route);
      if (!mayChange(name, { ...asked, removed: true, reason })) return;
      memory.delete(name);
      const formats = ["json", "protobuf"] as const;
      const keys = ownersOf(identity).flatMap((owner) => formats.map((format) => cacheKey(owner, route, format)));
      await Promise.all(Array.from(new Set(keys), (key) => orNothing(() => edge?.delete(keyOrigin + key))));
    },
    /** Why answers for an object could not be shared lately, so that requests for it do not wait for each other. */
    uncacheable: (owner: string, route: Route): string | undefined => {
      const change = changes.get(cacheKey(owner, route));
      return change !== undefined && change.atMs + uncacheableForMs > now() ? change.reason : undefined;
    },
    /** Whether nothing has come after an entry that was stored: no later answer, removal or purge. */
    holds: (route: Route, entry: Entry): boolean => {
      const change = changes.get(cacheKey(entry.owner, route));
      return change?.removed === false && change.atMs === entry.fetchedAtMs && purges.of(entry) === undefined;
    },
    /** Whether the purges recorded by other isolates, for this identity or for all, are due to be read. */
    areNotesDue: (user: Identity | undefined, nowMs: number): boolean =>
      notes !== undefined && Math.abs(nowMs - (user ?? everybody).notesReadAtMs) > purgesReadEveryMs,
    /** Reads and applies them; `found`: whether the token has entries is known then. */
    readNotes: async (user: Identity | undefined, isKnown: boolean, found: unknown, context: RequestContext) => {
      const nowMs = now();
      const reader = user ?? everybody;
      const ofOwners = near?.read(ownersOf(user));
      if (notes !== near && Math.abs(nowMs - logReading.atMs) > purgesReadEveryMs) {
        logReading = { atMs: nowMs, ended: readLog() };
        context.waitUntil(logReading.ended);
      }
      const { atMs, ended } = notes === near ? { atMs: nowMs, ended: Promise.resolve() } : logReading;
      await inTime(maxLogWaitMs, ended);
      // Those of tokens that may be made up would crowd out others.
      const isMadeUp = (): boolean => !isKnown && !reader.hasEntries;
      if (isMadeUp()) await found;
      if (isMadeUp()) return;
      apply((await ofOwners) ?? []);
      // Only now: a request that comes meanwhile reads for itself.
      reader.notesReadAtMs = atMs;
    },
  };
};
