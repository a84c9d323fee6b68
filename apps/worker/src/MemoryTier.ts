// Keeps answers in the memory of this isolate, bounded in bytes and in number; the least recently used one goes first.
import { sizeOf, type Entry } from "./Entry.ts";

interface Slot {
  readonly entry: Entry;
  readonly size: number;
}

export class MemoryTier {
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #slots = new Map<string, Slot>();
  readonly #keysOf = new Map<string, Set<string>>();
  #bytes = 0;

  constructor(maxBytes: number, maxEntries: number) {
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
  }

  get entries(): number {
    return this.#slots.size;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The entry under a key. One that another owner stored is not there, whatever the key says. */
  get(key: string, owner: string): Entry | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined || slot.entry.owner !== owner) return undefined;
    // Moving every hit to the end costs more than a fair order is worth while there is room.
    if (this.#bytes * 2 > this.#maxBytes || this.#slots.size * 2 > this.#maxEntries) {
      this.#slots.delete(key);
      this.#slots.set(key, slot);
    }
    return slot.entry;
  }

  /** Keeps an entry. One that is larger than a quarter of all is not kept. */
  set(key: string, entry: Entry): void {
    this.delete(key);
    const size = sizeOf(entry) + key.length * 2;
    if (size * 4 > this.#maxBytes || this.#maxEntries === 0) return;
    this.#slots.set(key, { entry, size });
    this.#bytes += size;
    const keys = this.#keysOf.get(entry.owner);
    if (keys === undefined) this.#keysOf.set(entry.owner, new Set([key]));
    else keys.add(key);
    for (const oldest of this.#slots.keys()) {
      if (this.#bytes <= this.#maxBytes && this.#slots.size <= this.#maxEntries) break;
      this.delete(oldest);
    }
  }

  /** Counts an entry again that has grown, if it is still here. */
  recount(key: string, entry: Entry): void {
    if (this.#slots.get(key)?.entry === entry) this.set(key, entry);
  }

  delete(key: string): void {
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#slots.delete(key);
    this.#bytes -= slot.size;
    const keys = this.#keysOf.get(slot.entry.owner);
    keys?.delete(key);
    if (keys?.size === 0) this.#keysOf.delete(slot.entry.owner);
  }

  /** Drops all entries of an owner. */
  forget(owner: string): void {
    for (const key of this.#keysOf.get(owner) ?? []) this.delete(key);
  }

  /** Drops the entries for which the test holds; looks at every one. */
  drop(test: (entry: Entry) => boolean): void {
    for (const [key, slot] of this.#slots) if (test(slot.entry)) this.delete(key);
  }
}
