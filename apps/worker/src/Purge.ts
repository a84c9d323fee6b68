// Purges: the responses they affect, and the log for other isolates.
import { parseTag, readNames, type ReadName } from "@bytenite-engines/core/wire";
import { orNothing, type EdgeStore, type Entry } from "./Entry.ts";
import { recentOf } from "./Recent.ts";

/** A purge: responses requested up to a time, within a scope. An empty scope is everything. */
export interface Purge {
  readonly atMs: number;
  readonly untilMs?: number; // responses requested up to then, where that is later than the purge itself
  readonly hard: boolean; // hard: unusable. Otherwise it has to be validated, and is only used where the upstream fails
  readonly owners?: ReadonlyArray<string> | undefined; // digests of one user: by the current server secret, and by the previous one
  readonly endpoint?: ReadName;
  /** Name of an engine: all its versions, and whatever contains it. Of one user also all lists: a new engine is in none yet. */
  readonly name?: string;
}

export const purgesReadEveryMs = 5_000; // how often an isolate reads the purges of others, in milliseconds
/** Remembered purges without an owner, and of one owner; the oldest ones become one purge of everything in that scope. */
export const maxPurges = 200;
const maxOfOwner = 50;
const maxOwners = 4_000; // owners with remembered purges
const maxKnown = 10_000; // purges that are recognised when they are read again, as JSON
const notesKeptSeconds = 604_800; // how long notes are kept in the Cache API, in seconds: a week
const noteOrigin = "https://e.invalid/purges/"; // never resolved: the Cache API needs a URL

type Purgeable = Pick<Entry, "owner" | "endpoint" | "names" | "fetchedAtMs">;

const endOf = ({ atMs, untilMs = atMs }: Purge): number => untilMs;

const isIn = (purge: Purge, entry: Purgeable): boolean =>
  entry.fetchedAtMs <= endOf(purge) &&
  (purge.endpoint === undefined || purge.endpoint === entry.endpoint) &&
  (purge.name === undefined ||
    (purge.owners !== undefined && entry.endpoint === "list") ||
    entry.names === null ||
    entry.names.includes(purge.name));

/** `all`, of one scope, bounded: the oldest ones become one of everything in it up to then. */
const folded = (all: ReadonlyArray<Purge>, most: number): ReadonlyArray<Purge> => {
  if (all.length <= most) return all;
  const oldest = all.slice(0, all.length - most + 1);
  const [atMs, untilMs] = [Math.max(...oldest.map((purge) => purge.atMs)), Math.max(...oldest.map(endOf))];
  return [{ atMs, untilMs, hard: oldest.some(({ hard }) => hard), owners: oldest[0]?.owners }, ...all.slice(1 - most)];
};

export const createPurges = () => {
  const known = recentOf<Purge>(maxKnown);
  let general: ReadonlyArray<Purge> = [];
  let latestMs = 0;
  let floorMs = 0;
  const byOwner = recentOf<ReadonlyArray<Purge>>(maxOwners, (dropped) => {
    floorMs = Math.max(floorMs, ...dropped.map(endOf));
  });
  return {
    /** What the data centre has from before is not used: the purges of an owner may have been dropped. */
    floorMs: (): number => floorMs,
    /** The latest time so far: after a clock goes back, purges must still apply. */
    latest: (nowMs: number): number => (latestMs = Math.max(latestMs, nowMs)),
    /** Adds purges; returns those that are new. */
    add: (purges: ReadonlyArray<Purge>): ReadonlyArray<Purge> => {
      const added = purges.filter((purge) => known.get(JSON.stringify(purge)) === undefined);
      for (const purge of added) {
        latestMs = Math.max(latestMs, purge.atMs);
        known.set(JSON.stringify(purge), purge);
        if (purge.owners === undefined) general = folded([...general, purge], maxPurges);
        for (const owner of purge.owners ?? []) {
          byOwner.set(owner, folded([...(byOwner.get(owner) ?? []), purge], maxOfOwner));
        }
      }
      return added;
    },
    /** The purge that lies on an entry. */
    of: (entry: Purgeable): "hard" | "soft" | undefined => {
      const found = [...general, ...(byOwner.get(entry.owner) ?? [])].filter((purge) => isIn(purge, entry));
      return found.length === 0 ? undefined : found.some(({ hard }) => hard) ? "hard" : "soft";
    },
  };
};

/** The log of purges for all data centres: a Durable Object. */
export interface PurgeLogStub {
  /** Appends; returns the number of the record. */
  append(purge: Purge): Promise<number>;
  /** The records after a number, oldest first. */
  since(number: number): Promise<{ readonly purges: ReadonlyArray<Purge>; readonly last: number }>;
}

/** Storage of purges for other isolates. */
export type PurgeNotes = ReturnType<typeof notesInCache>;

export const notesInLog = (log: () => PurgeLogStub): PurgeNotes => {
  let latest: Awaited<ReturnType<PurgeLogStub["since"]>> = { purges: [], last: 0 };
  return {
    reach: `at once in this isolate, within ${purgesReadEveryMs / 1000} seconds everywhere`,
    write: async (purge) => void (await log().append(purge)),
    read: async () => (latest = await log().since(latest.last)).purges,
  };
};

/** Notes in the Cache API: for the data centre alone. Those of an owner crowd out no others. What is written at the same moment by two isolates may be lost. */
export const notesInCache = (store: EdgeStore) => {
  const readNote = async (name: string): Promise<ReadonlyArray<Purge>> => {
    const noted: unknown = await orNothing(async () => (await store.match(noteOrigin + name))?.json());
    const purges: ReadonlyArray<Purge> = Array.isArray(noted) ? noted.filter(isPurge) : [];
    return name === "all" ? purges : purges.map((purge) => Object.assign(purge, { owners: purge.owners ?? [name] }));
  };
  return {
    reach: `at once in this isolate, within ${purgesReadEveryMs / 1000} seconds in its data centre; not in others (no PURGE_LOG is bound)`,
    write: async (purge: Purge): Promise<void> => {
      const headers = { "cache-control": `max-age=${notesKeptSeconds}`, "content-type": "application/json" };
      for (const name of purge.owners ?? ["all"]) {
        const notes = folded([...(await readNote(name)), purge], purge.owners === undefined ? maxPurges : maxOfOwner);
        await orNothing(() => store.put(noteOrigin + name, new Response(JSON.stringify(notes), { headers })));
      }
    },
    /** What others wrote that may concern an owner, or everybody. */
    read: async (owners: ReadonlyArray<string>): Promise<ReadonlyArray<Purge>> =>
      (await Promise.all(["all", ...owners].map(readNote))).flat(),
  };
};

const isPurge = (value: Partial<Purge> | null): value is Purge =>
  typeof value?.atMs === "number" && typeof value.hard === "boolean";

/** Says what is wrong. `accepted`: what to send instead of an unknown parameter. */
export const wrongParameter = (parameters: URLSearchParams, names: ReadonlyArray<string>, accepted: string) => {
  const unknown = [...parameters.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined) return `unknown parameter ${unknown}: there are ${accepted}`;
  const twice = names.find((name) => parameters.getAll(name).length > 1);
  return twice === undefined ? undefined : `${twice} is given more than once: send one request for each`;
};

export const purgeForms =
  "tag=..., endpoint=... or all=true in the URL, also with hard=true, and token=... in a form body";
const purgeNames: ReadonlyArray<string> = ["all", "endpoint", "tag", "hard"];

export const parsePurge = (parameters: URLSearchParams): Omit<Purge, "atMs"> | string => {
  const wrong = wrongParameter(parameters, purgeNames, purgeForms);
  if (wrong !== undefined) return wrong;
  const [all, endpoint, tag, hard] = purgeNames.map((name) => parameters.get(name));
  const name = parseTag(tag ?? "")?.name;
  const known = readNames.find((each) => each === endpoint);
  if (hard !== null && hard !== "true" && hard !== "false") return "hard must be true or false";
  if (all !== null && all !== "true") return "all must be true";
  if (all === "true" && (endpoint ?? tag) !== null) return "all=true stands alone";
  if ((all ?? endpoint ?? tag) === null) return `say what to purge: there are ${purgeForms}`;
  if (tag !== null && name === undefined) return "tag must be a tag such as name, name@1 or name@1.2";
  if (endpoint !== null && known === undefined) return `endpoint must be one of ${readNames.join(", ")}`;
  return { hard: hard === "true", ...(known && { endpoint: known }), ...(name !== undefined && { name }) };
};
