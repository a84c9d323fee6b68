// Purges: the responses they affect, and the log for other isolates.
import { parseTag, readNames, type ReadName } from "@bytenite-engines/core/wire";
import { remember } from "./Admission.ts";
import { orNothing, type EdgeStore, type Entry } from "./Entry.ts";

/** A purge: responses requested up to a time, within a scope. An empty scope is everything. */
export interface Purge {
  readonly atMs: number;
  /** Hard: unusable. Otherwise it has to be validated, and is only used where the upstream fails. */
  readonly hard: boolean;
  /** Digests of one user: by the current server secret, and by the previous one. */
  readonly owners?: ReadonlyArray<string>;
  readonly endpoint?: ReadName;
  /** Name of an engine: all its versions, and whatever contains it. */
  readonly name?: string;
  /** Whether all lists lie in the scope: a new engine is in none yet. */
  readonly lists?: boolean;
}

/** How often an isolate reads the purges of others, in milliseconds. */
export const purgesReadEveryMs = 5_000;
/** Remembered purges without an owner, and of one owner; the oldest ones become one purge of everything in that scope. */
export const maxPurges = 200;
const maxOfOwner = 50;
/** Owners with remembered purges. */
const maxOwners = 4_000;
/** Purges that are recognised when they are read again, as JSON. */
const maxKnown = 10_000;
/** How long notes are kept in the Cache API, in seconds: a week. */
const notesKeptSeconds = 604_800;
/** Never resolved: the Cache API needs a URL. */
const noteOrigin = "https://e.invalid/purges/";

type Purgeable = Pick<Entry, "owner" | "endpoint" | "names" | "fetchedAtMs">;

const isIn = (purge: Purge, entry: Purgeable): boolean =>
  entry.fetchedAtMs <= purge.atMs &&
  (purge.endpoint === undefined || purge.endpoint === entry.endpoint) &&
  (purge.name === undefined ||
    (purge.lists === true && entry.endpoint === "list") ||
    entry.names === null ||
    entry.names.includes(purge.name));

/** `all` bounded: the oldest ones become one of everything up to then. */
const folded = (all: ReadonlyArray<Purge>, most: number): ReadonlyArray<Purge> => {
  if (all.length <= most) return all;
  const oldest = all.slice(0, all.length - most + 1);
  const atMs = Math.max(...oldest.map((purge) => purge.atMs));
  return [{ atMs, hard: oldest.some(({ hard }) => hard) }, ...all.slice(oldest.length)];
};

export class Purges {
  #general: ReadonlyArray<Purge> = [];
  readonly #byOwner = new Map<string, ReadonlyArray<Purge>>();
  readonly #known = new Map<string, true>();
  #latestMs = 0;
  /** What the data centre has from before is not used: the purges of an owner may have been dropped. */
  floorMs = 0;

  /** The latest time so far: after a clock goes back, purges must still apply. */
  latest(nowMs: number): number {
    this.#latestMs = Math.max(this.#latestMs, nowMs);
    return this.#latestMs;
  }

  add(purges: ReadonlyArray<Purge>): ReadonlyArray<Purge> {
    const added = purges.filter((purge) => {
      const text = JSON.stringify(purge);
      const isNew = !this.#known.has(text);
      remember(this.#known, text, true, maxKnown);
      return isNew;
    });
    for (const purge of added) {
      for (const owner of purge.owners ?? []) {
        const all = [...(this.#byOwner.get(owner) ?? []), purge];
        const [dropped] = this.#byOwner.size >= maxOwners ? this.#byOwner.values() : [];
        this.floorMs = Math.max(this.floorMs, dropped?.at(-1)?.atMs ?? 0);
        remember(this.#byOwner, owner, folded(all, maxOfOwner), maxOwners);
      }
      if (purge.owners === undefined) this.#general = folded([...this.#general, purge], maxPurges);
    }
    return added;
  }

  of(entry: Purgeable): "hard" | "soft" | undefined {
    const found = [...this.#general, ...(this.#byOwner.get(entry.owner) ?? [])].filter((purge) => isIn(purge, entry));
    if (found.length === 0) return undefined;
    return found.some(({ hard }) => hard) ? "hard" : "soft";
  }
}

/** The log of purges for all data centres: a Durable Object. */
export interface PurgeLogStub {
  /** Appends; returns the number of the record. */
  append(purge: Purge): Promise<number>;
  /** The records after a number, oldest first. */
  since(number: number): Promise<{ readonly purges: ReadonlyArray<Purge>; readonly last: number }>;
}

/** Storage of purges for other isolates. `isPerOwner`: each owner has notes of its own, so that they crowd out no others. */
export type PurgeNotes = ReturnType<typeof notesInCache>;

export const notesInLog = (log: PurgeLogStub): PurgeNotes => {
  let last = 0;
  return {
    reach: `at once in this isolate, within ${purgesReadEveryMs / 1000} seconds everywhere`,
    isPerOwner: false,
    write: async (purge) => void (await log.append(purge)),
    read: async () => {
      const { purges, last: read } = await log.since(last);
      last = read;
      return purges;
    },
  };
};

/** Notes in the Cache API: for the data centre alone. What is written at the same moment by two isolates may be lost. */
export const notesInCache = (store: EdgeStore) => {
  const readNote = async (name: string): Promise<ReadonlyArray<Purge>> => {
    const text = await orNothing(async () => (await store.match(noteOrigin + name))?.text());
    const noted: unknown = await orNothing(async () => JSON.parse(text ?? "[]"));
    return Array.isArray(noted) ? noted.filter(isPurge) : [];
  };
  return {
    reach: `at once in this isolate, within ${purgesReadEveryMs / 1000} seconds in its data centre; not in others (no PURGE_LOG is bound)`,
    isPerOwner: true,
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

const parameterNames: ReadonlyArray<string> = ["all", "endpoint", "tag", "hard"];

export const wrongParameter = (parameters: URLSearchParams, names: ReadonlyArray<string>): string | undefined => {
  const unknown = [...parameters.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined) return `unknown parameter ${unknown}: there are ${names.join(", ")}`;
  const twice = names.find((name) => parameters.getAll(name).length > 1);
  return twice === undefined ? undefined : `${twice} is given more than once: send one request for each`;
};

export const parsePurge = (parameters: URLSearchParams, atMs: number): Purge | string => {
  const wrong = wrongParameter(parameters, parameterNames);
  if (wrong !== undefined) return wrong;
  const { all, endpoint, tag, hard = "false" } = Object.fromEntries(parameters) as Partial<Record<string, string>>;
  if (hard !== "true" && hard !== "false") return "hard must be true or false";
  const base = { atMs, hard: hard === "true" };
  if (all !== undefined) {
    if (all !== "true") return "all must be true";
    return endpoint === undefined && tag === undefined ? base : "all=true stands alone";
  }
  if (endpoint === undefined && tag === undefined) return "say what to purge: endpoint=..., tag=..., or all=true";
  const name = tag === undefined ? undefined : parseTag(tag)?.name;
  if (tag !== undefined && name === undefined) return "tag must be a tag such as name, name@1 or name@1.2";
  const known = readNames.find((each) => each === endpoint);
  if (endpoint !== undefined && known === undefined) return `endpoint must be one of ${readNames.join(", ")}`;
  return { ...base, ...(known && { endpoint: known }), ...(name !== undefined && { name }) };
};
