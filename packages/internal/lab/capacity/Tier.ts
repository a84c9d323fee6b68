// LRU model of one cache: times and sizes.
import { usableUntil, type Freshness } from "@bytenite-engines/http-cache";

interface Slot {
  /** What can be used now. */
  freshness: Freshness | undefined;
  /** What is under way: usable from its `responseTimeMs` on. */
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

  /** The answer under a key that has come by now. */
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

  /** The answer under a key that is under way; to be asked after `get`. */
  coming(key: number): Freshness | undefined {
    return this.#slots.get(key)?.coming;
  }

  /** Keeps an answer, which may be one that is still under way. */
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

  /** Drops what can be of no use any more. */
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
