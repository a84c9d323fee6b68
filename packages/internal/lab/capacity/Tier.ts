// LRU model of one cache: times and sizes.
import { usableUntil, type Freshness } from "@bytenite-engines/http-cache";

interface Slot {
  /** Usable entries. */
  freshness: Freshness | undefined;
  /** Pending entries: usable from their `responseTimeMs` on. */
  coming: Freshness | undefined;
  readonly bytes: number;
}

/** The memory of an isolate, or the Cache API of a data centre (without bounds). */
export class Tier {
  readonly #maxBytes: number;
  readonly #maxEntries: number;
  readonly #slots = new Map<number, Slot>();
  bytes = 0;

  constructor(maxBytes = Number.POSITIVE_INFINITY, maxEntries = Number.POSITIVE_INFINITY) {
    this.#maxBytes = maxBytes;
    this.#maxEntries = maxEntries;
  }

  get entries(): number {
    return this.#slots.size;
  }

  /** The entry of a key that has arrived. */
  get(key: number, nowMs: number): Freshness | undefined {
    const slot = this.#slots.get(key);
    if (slot === undefined) return undefined;
    if (slot.coming !== undefined && slot.coming.responseTimeMs <= nowMs) {
      slot.freshness = slot.coming;
      slot.coming = undefined;
    }
    // As in the proxy: moving every hit to the end costs more than exact order is worth while there is space.
    if (this.bytes * 2 > this.#maxBytes || this.#slots.size * 2 > this.#maxEntries) {
      this.#slots.delete(key);
      this.#slots.set(key, slot);
    }
    return slot.freshness;
  }

  /** The pending entry of a key; call it after `get`. */
  coming(key: number): Freshness | undefined {
    return this.#slots.get(key)?.coming;
  }

  /** Stores an answer, which may be pending. */
  set(key: number, freshness: Freshness, bytes: number, nowMs: number): void {
    const before = this.#slots.get(key);
    if (before !== undefined) this.#drop(key, before);
    const isComing = freshness.responseTimeMs > nowMs;
    const slot: Slot = isComing
      ? { freshness: before?.freshness, coming: freshness, bytes }
      : { freshness, coming: before?.coming, bytes };
    this.#slots.set(key, slot);
    this.bytes += bytes;
    for (const [oldest, dropped] of this.#slots) {
      if (this.bytes <= this.#maxBytes && this.#slots.size <= this.#maxEntries) break;
      this.#drop(oldest, dropped);
    }
  }

  /** Removes expired entries. */
  sweep(nowMs: number): void {
    for (const [key, slot] of this.#slots) {
      const last = slot.coming ?? slot.freshness;
      if (last === undefined || usableUntil(last) <= nowMs) this.#drop(key, slot);
    }
  }

  #drop(key: number, slot: Slot): void {
    this.#slots.delete(key);
    this.bytes -= slot.bytes;
  }
}
