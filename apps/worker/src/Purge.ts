// Purges: the responses they affect, and the log for other isolates.
import { parseTag, readNames, type ReadName } from "@bytenite-engines/core/wire";
import { remember } from "./Admission.ts";
import type { EdgeStore } from "./Runtime.ts";

/** A purge: responses requested up to a time, within a scope. An empty scope is everything. */
export interface Purge {
  readonly atMs: number;
  /** Hard: unusable. Otherwise it has to be validated, and is only used where the upstream fails. */
  readonly hard: boolean;
  /** Digests of one user: the current one, and the one by the previous server secret. */
  readonly owners?: ReadonlyArray<string>;
  readonly endpoint?: ReadName;
  /** Name of an engine: all its versions, and whatever contains it. */
  readonly name?: string;
  /** Whether all lists lie in the scope: a new engine is in none yet. */
  readonly lists?: boolean;
}

/** What a purge looks at. */
export interface Purgeable {
  readonly owner: string;
  readonly endpoint: ReadName | "other";
  /** Names of the engines that it contains; null: unknown, perhaps any. */
  readonly names: ReadonlyArray<string> | null;
  readonly fetchedAtMs: number;
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
  return [{ atMs, hard: oldest.some(({ hard }) => hard) }, ...all.slice(all.length - most + 1)];
};

/** The purges that an isolate knows of. */
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

  /** Adds purges; returns those that were not known. */
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
      if (purge.owners === undefined) this.#general = [...this.#general, purge];
    }
    this.#general = folded(this.#general, maxPurges);
    return added;
  }

  /** The strongest purge that a response lies in. */
  of(entry: Purgeable): "hard" | "soft" | undefined {
    let found: "soft" | undefined;
    for (const purges of [this.#general, this.#byOwner.get(entry.owner) ?? []]) {
      for (const purge of purges) {
        if (!isIn(purge, entry)) continue;
        if (purge.hard) return "hard";
        found = "soft";
      }
    }
    return found;
  }
}

/** Storage of purges for other isolates. */
export interface PurgeNotes {
  /** How far a purge reaches, for people. */
  readonly reach: string;
  /** Whether each owner has notes of its own, so that many of them crowd out no others. */
  readonly isPerOwner: boolean;
  readonly write: (purge: Purge) => Promise<void>;
  /** What others wrote that may concern an owner, or everybody. */
  readonly read: (owners: ReadonlyArray<string>) => Promise<ReadonlyArray<Purge>>;
}

/** The log of purges for all data centres: a Durable Object. */
export interface PurgeLogStub {
  /** Appends; returns the number of the record. */
  append(purge: Purge): Promise<number>;
  /** The records after a number, oldest first. */
  since(number: number): Promise<{ readonly purges: ReadonlyArray<Purge>; readonly last: number }>;
}

/** Notes in the log of all data centres. */
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
export const notesInCache = (store: EdgeStore): PurgeNotes => {
  const readNote = async (name: string): Promise<ReadonlyArray<Purge>> => {
    try {
      const noted: unknown = JSON.parse((await (await store.match(noteOrigin + name))?.text()) ?? "[]");
      return Array.isArray(noted) ? noted.filter(isPurge) : [];
    } catch {
      // What cannot be read is as if it were not there: notes can be evicted at any time.
      return [];
    }
  };
  return {
    reach: `at once in this isolate, within ${purgesReadEveryMs / 1000} seconds in its data centre; not in others (no PURGE_LOG is bound)`,
    isPerOwner: true,
    write: async (purge) => {
      const headers = { "cache-control": `max-age=${notesKeptSeconds}`, "content-type": "application/json" };
      for (const name of purge.owners ?? ["all"]) {
        const notes = folded([...(await readNote(name)), purge], purge.owners === undefined ? maxPurges : maxOfOwner);
        try {
          await store.put(noteOrigin + name, new Response(JSON.stringify(notes), { headers }));
        } catch {
          // Without the Cache API a purge is for this isolate.
        }
      }
    },
    read: async (owners) => (await Promise.all(["all", ...owners].map(readNote))).flat(),
  };
};

const isPurge = (value: unknown): value is Purge =>
  typeof value === "object" &&
  value !== null &&
  "atMs" in value &&
  typeof value.atMs === "number" &&
  "hard" in value &&
  typeof value.hard === "boolean";

const parameterNames: ReadonlyArray<string> = ["all", "endpoint", "tag", "hard"];

/** The problem of parameter names: unknown or repeated. */
export const wrongParameter = (parameters: URLSearchParams, names: ReadonlyArray<string>): string | undefined => {
  const unknown = [...parameters.keys()].find((name) => !names.includes(name));
  if (unknown !== undefined) return `unknown parameter ${unknown}: there are ${names.join(", ")}`;
  const twice = names.find((name) => parameters.getAll(name).length > 1);
  return twice === undefined ? undefined : `${twice} is given more than once: send one request for each`;
};

/** The purge of a request, or its problem. */
export const parsePurge = (parameters: URLSearchParams, atMs: number): Purge | string => {
  const wrong = wrongParameter(parameters, parameterNames);
  if (wrong !== undefined) return wrong;
  const [all, endpoint, tag, hardness] = parameterNames.map((name) => parameters.get(name));
  if (hardness !== null && hardness !== "true" && hardness !== "false") return "hard must be true or false";
  if (all !== null && all !== "true") return "all must be true";
  if (all !== null && (endpoint !== null || tag !== null)) return "all=true stands alone";
  const hard = hardness === "true";
  if (all !== null) return { atMs, hard };
  if (endpoint === null && tag === null) return "say what to purge: endpoint=..., tag=..., or all=true";
  const name = tag === null || tag === undefined ? undefined : parseTag(tag)?.name;
  if (tag !== null && name === undefined) return "tag must be a tag such as name, name@1 or name@1.2";
  const known = readNames.find((each) => each === endpoint);
  if (endpoint !== null && known === undefined) return `endpoint must be one of ${readNames.join(", ")}`;
  return {
    atMs,
    hard,
    ...(known === undefined ? {} : { endpoint: known }),
    ...(name === undefined ? {} : { name }),
  };
};
