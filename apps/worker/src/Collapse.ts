// Shares one upstream exchange among requests that came while it was under way.

interface Slot<A> {
  readonly owner: string;
  readonly startedAtMs: number;
  readonly promise: Promise<A>;
}

/**
 * What is shared are native promises of plain data that never reject, in a map of the isolate: nothing that belongs to
 * one request is touched by another. Timers of finished requests never fire, so an old slot is told by its start.
 */
export class Collapse<A> {
  readonly #slots = new Map<string, Slot<A>>();
  readonly #maxAgeMs: number;
  readonly #maxWaitMs: number;

  /** Slots older than `maxAgeMs` are not joined; a follower waits at most `maxWaitMs`. */
  constructor(maxAgeMs: number, maxWaitMs: number) {
    this.#maxAgeMs = maxAgeMs;
    this.#maxWaitMs = maxWaitMs;
  }

  /** What another request of the same owner is fetching under this key; undefined: none is, or it took too long. */
  async follow(key: string, owner: string, nowMs: number): Promise<A | undefined> {
    const slot = this.#slots.get(key);
    if (slot === undefined || slot.owner !== owner || nowMs - slot.startedAtMs > this.#maxAgeMs) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), this.#maxWaitMs);
    });
    try {
      return await Promise.race([slot.promise, timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  /**
   * Lets nobody join what is under way (of one owner, or of all): what it brings may already be untrue. Who has joined
   * still gets it.
   */
  close(owner?: string): void {
    for (const [key, slot] of this.#slots) if (owner === undefined || slot.owner === owner) this.#slots.delete(key);
  }

  /** Whether `follow` would find something to wait for. */
  isLed(key: string, owner: string, nowMs: number): boolean {
    const slot = this.#slots.get(key);
    return slot !== undefined && slot.owner === owner && nowMs - slot.startedAtMs <= this.#maxAgeMs;
  }

  /** Does work that others may join. `work` must not reject; the caller hands the promise to waitUntil as well. */
  lead(key: string, owner: string, nowMs: number, work: () => Promise<A>): Promise<A> {
    const promise = work().finally(() => {
      // Only its owner removes a slot: a later leader may have taken the place.
      if (this.#slots.get(key) === slot) this.#slots.delete(key);
    });
    const slot: Slot<A> = { owner, startedAtMs: nowMs, promise };
    this.#slots.set(key, slot);
    return promise;
  }
}
