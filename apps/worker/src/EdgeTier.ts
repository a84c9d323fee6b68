// Keeps sealed answers in the Cache API of the data centre, and notes for the other isolates there.
import { usableUntil } from "@bytenite-engines/http-cache";
import { isValidatable, type Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import { readPurges, type Purge } from "./Purge.ts";
import { open, seal } from "./Seal.ts";

/** What a tier needs of the Cache API. It may be absent, or fail: then there is one tier less. */
export type EdgeStore = Pick<Cache, "match" | "put" | "delete">;

/** Names the entries of this code. Another number makes all older ones unknown. */
const generation = 4;
/** Never resolved: the Cache API wants a URL. Short, because it is handed on, parsed and compared with every look. */
const keyOrigin = `https://e.invalid/${generation}/`;
/** An answer that can be validated is kept this much longer than it may be served, in milliseconds. */
const keptForValidationMs = 600_000;
/** How long notes are kept, in seconds: longer than any answer that they are about is likely to be. */
const notesKeptSeconds = 604_800;

/** What reading gave: an entry, nothing, or something that this identity cannot open. */
export type EdgeFound = Entry | "sealed" | undefined;

export class EdgeTier {
  readonly #store: EdgeStore;

  constructor(store: EdgeStore) {
    this.#store = store;
  }

  async get(key: string, identity: Identity): Promise<EdgeFound> {
    try {
      const response = await this.#store.match(keyOrigin + key);
      if (response === undefined) return undefined;
      return (await open(key, await response.arrayBuffer(), identity)) ?? "sealed";
    } catch {
      return undefined;
    }
  }

  /** Stores an entry for as long as it can be of use. */
  async set(key: string, entry: Entry, identity: Identity, nowMs: number): Promise<void> {
    const until = usableUntil(entry.freshness) + (isValidatable(entry) ? keptForValidationMs : 0);
    const keepSeconds = Math.ceil((Math.min(until, identity.expiresAtMs) - nowMs) / 1000);
    if (keepSeconds > 0) await this.#write(key, await seal(key, entry, identity), keepSeconds);
  }

  async delete(key: string): Promise<void> {
    try {
      await this.#store.delete(keyOrigin + key);
    } catch {
      // One tier less.
    }
  }

  /** When an identity was last turned away in this data centre, in milliseconds since the epoch. */
  async turnedAway(identity: Identity): Promise<number> {
    const atMs = Number(await this.#read(`turned-away/${identity.digest}`));
    return Number.isFinite(atMs) ? atMs : 0;
  }

  async noteTurnedAway(identity: Identity, atMs: number): Promise<void> {
    await this.#write(`turned-away/${identity.digest}`, `${atMs}`, notesKeptSeconds);
  }

  /** The purges that any isolate of this data centre was told. */
  async purges(): Promise<ReadonlyArray<Purge>> {
    return readPurges((await this.#read("purges")) ?? "");
  }

  async notePurges(purges: ReadonlyArray<Purge>): Promise<void> {
    await this.#write("purges", JSON.stringify(purges), notesKeptSeconds);
  }

  async #read(key: string): Promise<string | undefined> {
    try {
      return await (await this.#store.match(keyOrigin + key))?.text();
    } catch {
      return undefined;
    }
  }

  /** Failing is no fault: the next request asks the upstream. */
  async #write(key: string, body: string | Uint8Array<ArrayBuffer>, keepSeconds: number): Promise<void> {
    // No Content-Type: nobody asks for it, and with every look it costs a twentieth of one.
    const headers = { "cache-control": `max-age=${keepSeconds}` };
    try {
      await this.#store.put(keyOrigin + key, new Response(body, { headers }));
    } catch {
      // One tier less.
    }
  }
}
