// Keeps answers for the generic mount in memory: several for one URL, told apart by Vary and by the part they hold.
import { cacheGroups, isSelectedBy, type Freshness, type StoredPart } from "@bytenite-engines/http-cache";

/** A stored answer. */
export interface Stored {
  readonly url: string;
  readonly status: number;
  readonly statusText: string;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly freshness: Freshness;
  readonly selecting: ReadonlyMap<string, string | null>;
  /** Of a 206: which part the bytes are, and the Range that asked for it. */
  readonly part: (StoredPart & { readonly askedRange: string }) | undefined;
}

/** Number of URLs that are kept; the oldest one goes first. */
const maxUrls = 10_000;
/** Number of answers for one URL. */
const maxVariants = 64;

export class Store {
  readonly #byUrl = new Map<string, Array<Stored>>();

  /** The answers that a request selects, the newest first (RFC 9111, 4). */
  select(url: string, request: Headers): ReadonlyArray<Stored> {
    return (this.#byUrl.get(url) ?? [])
      .filter((stored) => isSelectedBy({ response: stored.headers, selecting: stored.selecting }, request))
      .toReversed();
  }

  has(url: string): boolean {
    return this.#byUrl.has(url);
  }

  /** Stores an answer in the place of those that the same request selects and that hold no other part. */
  put(stored: Stored, request: Headers): void {
    const others = (this.#byUrl.get(stored.url) ?? []).filter(
      (other) =>
        !isSelectedBy({ response: other.headers, selecting: other.selecting }, request) ||
        (stored.part !== undefined && other.part?.askedRange !== stored.part.askedRange),
    );
    this.#byUrl.delete(stored.url);
    this.#byUrl.set(stored.url, [...others.slice(-maxVariants + 1), stored]);
    for (const oldest of this.#byUrl.keys()) {
      if (this.#byUrl.size <= maxUrls) break;
      this.#byUrl.delete(oldest);
    }
  }

  delete(url: string): void {
    this.#byUrl.delete(url);
  }

  /** Drops all answers of these groups; groups are of one origin, which is all that this store holds. */
  deleteGroups(groups: ReadonlyArray<string>): void {
    if (groups.length === 0) return;
    for (const [url, variants] of this.#byUrl) {
      if (variants.some(({ headers }) => cacheGroups(headers).some((group) => groups.includes(group))))
        this.delete(url);
    }
  }
}
