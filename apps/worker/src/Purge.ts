// Decides: which stored answers a purge makes unusable.
import { parseTag, readNames, type ReadName } from "@bytenite-engines/core/wire";
import type { Entry } from "./Entry.ts";

/** One purge: everything that was asked for up to this moment and lies in its scope. An empty scope is everything. */
export interface Purge {
  readonly atMs: number;
  readonly endpoint?: ReadName;
  /**
   * Name of an engine: all its versions, because a tag without a version means another one after each release, and all lists, which
   * may hold it.
   */
  readonly name?: string;
}

/** Purges that are remembered, at most; the oldest ones become one purge of everything. */
export const maxPurges = 200;

/** Whether an entry is of no use any more. */
export const isPurged = (entry: Entry, purges: ReadonlyArray<Purge>): boolean =>
  purges.some(
    ({ atMs, endpoint, name }) =>
      entry.fetchedAtMs <= atMs &&
      (endpoint === undefined || endpoint === entry.endpoint) &&
      // A list has no tag, and may hold any engine.
      (name === undefined || entry.tag === undefined || nameOf(entry.tag) === name),
  );

/** Both lists as one, without repetition, bounded. */
export const mergedPurges = (a: ReadonlyArray<Purge>, b: ReadonlyArray<Purge>): ReadonlyArray<Purge> => {
  const byText = new Map(
    [...a, ...b].map((purge) => [JSON.stringify([purge.atMs, purge.endpoint, purge.name]), purge]),
  );
  const all = [...byText.values()].toSorted((x, y) => x.atMs - y.atMs);
  if (all.length <= maxPurges) return all;
  const rest = all.slice(-maxPurges + 1);
  const folded = all[all.length - maxPurges];
  return folded === undefined ? rest : [{ atMs: folded.atMs }, ...rest];
};

/** The purges in a note of another isolate. What cannot be read is as if it were not there: notes can be lost at any time. */
export const readPurges = (text: string): ReadonlyArray<Purge> => {
  try {
    const noted = JSON.parse(text) as unknown;
    return Array.isArray(noted) ? noted.filter(isPurge) : [];
  } catch {
    return [];
  }
};

const isPurge = (value: unknown): value is Purge =>
  typeof value === "object" && value !== null && "atMs" in value && typeof value.atMs === "number";

/** The purge that an operator asks for; a string says what is wrong with it. */
export const parsePurge = (parameters: URLSearchParams, nowMs: number): Purge | string => {
  const endpoint = parameters.get("endpoint");
  const tag = parameters.get("tag");
  const twice = ["all", "endpoint", "tag"].find((name) => parameters.getAll(name).length > 1);
  if (twice !== undefined) return `${twice} is given more than once: send one purge for each`;
  if (parameters.has("all") && (endpoint !== null || tag !== null)) return "all=true stands alone";
  if (endpoint === null && tag === null) {
    return parameters.get("all") === "true" ? { atMs: nowMs } : "say what to purge: endpoint=..., tag=..., or all=true";
  }
  if (endpoint !== null && !readNames.some((name) => name === endpoint)) {
    return `endpoint must be one of ${readNames.join(", ")}`;
  }
  if (tag !== null && parseTag(tag) === undefined) return "tag must be a tag such as name, name@1 or name@1.2";
  return {
    atMs: nowMs,
    ...(endpoint === null ? {} : { endpoint: endpoint as ReadName }),
    ...(tag === null ? {} : { name: nameOf(tag) }),
  };
};

const nameOf = (tag: string): string => tag.split("@", 1)[0] ?? tag;
