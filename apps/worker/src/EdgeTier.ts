// Keeps sealed answers in the Cache API of the data centre.
import { uselessAfterMs } from "@bytenite-engines/http-cache";
import type { Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import { open, seal } from "./Seal.ts";

/** What a tier needs of the Cache API. It may be absent, or fail: then there is one tier less. */
export type EdgeStore = Pick<Cache, "match" | "put" | "delete">;

/** Names the entries of this code. Another number makes all older ones unknown. */
const generation = 1;
/** Never resolved: the Cache API wants a URL. */
const keyOrigin = `https://edge.bytenite-engines.invalid/${generation}/`;
/** An answer that can be validated is kept this much longer than it may be served, in milliseconds. */
const keptForValidationMs = 600_000;

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

  /** Stores an entry for as long as it can be of use. Failing to is no fault: the next request asks the upstream. */
  async set(key: string, entry: Entry, identity: Identity, nowMs: number): Promise<void> {
    const validatable = entry.headers.has("etag") || entry.headers.has("last-modified");
    const until = uselessAfterMs(entry.freshness) + (validatable ? keptForValidationMs : 0);
    const keepSeconds = Math.ceil((Math.min(until, identity.expiresAtMs) - nowMs) / 1000);
    if (keepSeconds <= 0) return;
    try {
      const body = await seal(key, entry, identity);
      const headers = { "cache-control": `max-age=${keepSeconds}`, "content-type": "application/octet-stream" };
      await this.#store.put(keyOrigin + key, new Response(body, { headers }));
    } catch {
      // One tier less.
    }
  }

  async delete(key: string): Promise<void> {
    try {
      await this.#store.delete(keyOrigin + key);
    } catch {
      // One tier less.
    }
  }
}
