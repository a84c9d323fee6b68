// Coalescing of concurrent requests into one upstream exchange.

interface Flight<A> {
  readonly owner: string;
  readonly startedAtMs: number;
  readonly promise: Promise<A>;
}

/**
 * Native promises of plain data that never reject, in a map of the isolate: nothing that belongs to one request is touched by
 * another. Timers of finished requests never fire, so an old flight is recognized by its start.
 */
export class SingleFlight<A> {
  readonly #flights = new Map<string, Flight<A>>();
  readonly #maxAgeMs: number;

  /** Flights older than `maxAgeMs` are not joined; a follower waits at most as long. */
  constructor(maxAgeMs: number) {
    this.#maxAgeMs = maxAgeMs;
  }

  /** Whether there is a flight of this owner under the key. */
  has(key: string, owner: string, nowMs: number): boolean {
    const flight = this.#flights.get(key);
    return flight !== undefined && flight.owner === owner && nowMs - flight.startedAtMs <= this.#maxAgeMs;
  }

  /** The result of the flight of the key; undefined if there is none or it took too long. */
  async follow(key: string, owner: string, nowMs: number): Promise<A | undefined> {
    if (!this.has(key, owner, nowMs)) return undefined;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), this.#maxAgeMs);
    });
    return Promise.race([this.#flights.get(key)?.promise, timeout]).finally(() => clearTimeout(timer));
  }

  /** Starts work that others may join. `work` must not reject; the caller also passes the promise to waitUntil. */
  lead(key: string, owner: string, nowMs: number, work: () => Promise<A>): Promise<A> {
    const promise = work().finally(() => {
      // Only its owner removes a flight: a later leader may have taken the place.
      if (this.#flights.get(key) === flight) this.#flights.delete(key);
    });
    const flight: Flight<A> = { owner, startedAtMs: nowMs, promise };
    this.#flights.set(key, flight);
    return promise;
  }

  /** Prevents joining the running flights of an owner, or all: their results may be outdated. Those already joined get them. */
  close(owner?: string): void {
    for (const [key, flight] of this.#flights)
      if (owner === undefined || flight.owner === owner) this.#flights.delete(key);
  }
}
