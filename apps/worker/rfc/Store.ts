// Responses of the plain cache, in memory: several for one URL, which differ by Vary or by the part that they hold.
import { cacheGroups, matchesVary, type CacheEntry, type StoredPart } from "@bytenite-engines/http-cache";

/** A stored response. */
export interface Stored extends CacheEntry {
  readonly statusText: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** Of a 206: the part that the bytes are, and the Range of its request. */
  readonly part: (StoredPart & { readonly askedRange: string }) | undefined;
}

/** Number of URLs; the oldest one is removed first. */
const maxUrls = 10_000;
/** Number of responses for one URL. */
const maxVariants = 64;

export class Store {
  readonly #byUrl = new Map<string, ReadonlyArray<Stored>>();

  get(url: string): ReadonlyArray<Stored> {
    return this.#byUrl.get(url) ?? [];
  }

  /** Stores a response in place of those that the same request selects and that hold the same part. */
  put(stored: Stored, request: Headers): void {
    const others = this.get(stored.url).filter(
      (other) =>
        !matchesVary(other.vary, request, null) ||
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

  remove(stored: Stored): void {
    this.#byUrl.set(
      stored.url,
      this.get(stored.url).filter((other) => other !== stored),
    );
  }

  /** Removes the responses of these groups; all are of one origin (RFC 9875). */
  deleteGroups(groups: ReadonlyArray<string>): void {
    if (groups.length === 0) return;
    for (const [url, variants] of this.#byUrl) {
      const isInGroup = variants.some(({ headers }) =>
        cacheGroups(new Headers(headers as Array<[string, string]>)).some((group) => groups.includes(group)),
      );
      if (isInGroup) this.delete(url);
    }
  }
}
