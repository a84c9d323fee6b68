// Coalescing of concurrent requests into one upstream exchange.

// Native promises of plain data that never reject, in a map of the isolate: nothing that belongs to one request is touched by
// another. Timers of finished requests never fire, so an old flight is recognized by its start: those older than `maxAgeMs` are not
// joined, and a follower waits at most as long.
export const createFlights = <A>(maxAgeMs: number, now: () => number) => {
  const flights = new Map<string, { owner: string; startedAtMs: number; promise: Promise<A> }>();
  const flightOf = (key: string, owner: string) => {
    const flight = flights.get(key);
    return flight?.owner === owner && now() - flight.startedAtMs <= maxAgeMs ? flight : undefined;
  };
  return {
    has: (key: string, owner: string): boolean => flightOf(key, owner) !== undefined,
    /** Undefined: there is none. The result is undefined where it took too long. */
    follow: (key: string, owner: string): Promise<A | undefined> | undefined => {
      const flight = flightOf(key, owner);
      if (flight === undefined) return undefined;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const timeout = new Promise<undefined>((resolve) => {
        timer = setTimeout(() => resolve(undefined), maxAgeMs);
      });
      return Promise.race([flight.promise, timeout]).finally(() => clearTimeout(timer));
    },
    /** Starts work that others may join. It must not reject; the caller also passes the promise to waitUntil. */
    lead: (key: string, owner: string, work: () => Promise<A>): Promise<A> => {
      const promise = work().finally(() => {
        // Only its owner removes a flight: a later leader may have taken the place.
        if (flights.get(key)?.promise === promise) flights.delete(key);
      });
      flights.set(key, { owner, startedAtMs: now(), promise });
      return promise;
    },
    /** Prevents joining the running flights of an owner, or all: their results may be outdated. Those already joined get them. */
    close: (owner?: string): void => {
      for (const [key, flight] of flights) if (owner === undefined || flight.owner === owner) flights.delete(key);
    },
  };
};
