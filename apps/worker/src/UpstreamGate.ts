// Admission of requests to the upstream: fair shares of it, and what is known of its failures.

/** A request that wants to go to the upstream. */
export interface Applicant {
  /** Digest of the token; undefined for a request without one. */
  readonly owner: string | undefined;
  /** Address of the client, as far as the platform tells it. Empty: unknown. */
  readonly client: string;
  /** Path and query of what is asked for. */
  readonly resource: string;
  /** Whether something stale can be served instead. */
  readonly orStale: boolean;
}

/** How a request to the upstream ended. */
export type Ending =
  /** With an answer that says the token is good: 2xx, 304. */
  | "accepted"
  /** With another answer of the origin. */
  | "answered"
  /** With 500, 502, 503 or 504, or in the middle of the answer. */
  | "failed"
  | "timed-out"
  /** Without any answer: no connection, or one that was closed. */
  | "unconnected";

/** Admission. `leave` has to be called when the request has ended. */
export interface Pass {
  /** The upstream has just failed with this resource: it is asked once, not again and again. */
  readonly hasJustFailed: boolean;
  /** Whether the upstream has accepted this token lately. */
  readonly isKnown: boolean;
  readonly leave: (ending: Ending) => void;
}

/** Why a request does not go to the upstream. */
export interface Turned {
  /** `busy`: the client's own requests take all of its places. `crowded`: those of unknown tokens take all of theirs. */
  readonly because: "known-to-be-down" | "busy" | "crowded";
  /** How long asking again is pointless, in milliseconds, where that is known. */
  readonly retryAfterMs?: number;
}

/** Requests to the upstream at once for one token, and for one client without a token. */
export const maxPerIdentity = 64;
/** Requests at once with tokens that the upstream has not accepted lately, and without a token: of one client, and of all. */
export const maxUnknownPerClient = 128;
export const maxUnknown = 256;
/** Requests that wait for one of these bounds, at most; more are turned away at once. */
const maxWaiting = 2_000;
/** Tokens that are remembered as accepted, and as not connected during an outage; resources that are remembered as failed. */
const maxRemembered = 4_000;
/** How long a resource that failed is asked for only where nothing stale is there, and then once, in milliseconds. */
const resourceBackOffMs = 2_000;
/** The upstream is taken to be gone when so many accepted tokens get no connection, and nobody gets an answer in between. */
const identitiesOfAnOutage = 3;
/** While it is gone, one request in so many milliseconds tries again on behalf of all. */
export const outageProbeMs = 10_000;

/** Places for requests that are under way. Numbers, timestamps and native promises: requests of an isolate share it. */
class Lane {
  readonly #most: number;
  readonly #heldForMs: number;
  readonly #since: Array<number> = [];
  readonly #waiting: Array<() => void> = [];

  constructor(most: number, heldForMs: number) {
    this.#most = most;
    this.#heldForMs = heldForMs;
  }

  /** A request that the runtime has ended never gives its place back: a place is free again after a time. */
  hasRoom(nowMs: number): boolean {
    while (this.#since.length >= this.#most && nowMs - (this.#since[0] ?? nowMs) > this.#heldForMs) this.#since.shift();
    return this.#since.length < this.#most;
  }

  get isUnused(): boolean {
    return this.#since.length === 0 && this.#waiting.length === 0;
  }

  get isFull(): boolean {
    return this.#waiting.length >= maxWaiting;
  }

  enter(nowMs: number): void {
    this.#since.push(nowMs);
  }

  leave(enteredAtMs: number): void {
    const index = this.#since.indexOf(enteredAtMs);
    if (index >= 0) this.#since.splice(index, 1);
    // Whoever is woken looks for room itself: it may be a request that the runtime has ended.
    for (const wake of this.#waiting.splice(0, this.#most - this.#since.length)) wake();
  }

  /** Resolves when there may be room, or after a time. */
  async wait(forMs: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wake: (() => void) | undefined;
    const woken = new Promise<void>((resolve) => {
      wake = resolve;
      this.#waiting.push(resolve);
    });
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, forMs);
    });
    await Promise.race([woken, late]);
    clearTimeout(timer);
    const index = wake === undefined ? -1 : this.#waiting.indexOf(wake);
    if (index >= 0) this.#waiting.splice(index, 1);
  }
}

/**
 * Nothing that one client asks for denies the upstream to others. Tokens that the upstream has accepted have places of their own;
 * all others share some, of which no client gets more than half. What a resource fails with is remembered of that resource, for that token. Only
 * several accepted tokens without a connection, and no answer to anybody, speak of the origin; and even then a request that has
 * not failed itself and has nothing stale is let through.
 */
export class UpstreamGate {
  readonly #maxWaitMs: number;
  readonly #now: () => number;
  readonly #onOutage: (state: "open" | "closed") => void;
  readonly #lanes = new Map<string, Lane>();
  readonly #known = new Map<string, true>();
  readonly #failedUntilMs = new Map<string, number>();
  /** Who got no connection since the last answer to anybody, and whether it was known. */
  readonly #unconnected = new Map<string, boolean>();
  #probedAtMs: number | undefined;

  /** `maxWaitMs`: how long a request waits for a place, and how long it may take, in milliseconds. */
  constructor(maxWaitMs: number, now: () => number, onOutage: (state: "open" | "closed") => void) {
    this.#maxWaitMs = maxWaitMs;
    this.#now = now;
    this.#onOutage = onOutage;
  }

  async enter(applicant: Applicant): Promise<Pass | Turned> {
    const who = applicant.owner ?? `without/${applicant.client}`;
    const turned = this.#turned(applicant, who);
    if (turned !== undefined) return turned;
    const isKnown = this.#known.has(who);
    const names = isKnown ? [who] : [who, `client/${applicant.client}`, "unknown"];
    const untilMs = performance.now() + this.#maxWaitMs;
    for (;;) {
      const nowMs = this.#now();
      const full = names.find((name) => !this.#lane(name).hasRoom(nowMs));
      if (full === undefined) break;
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || this.#lane(full).isFull) return { because: full === who ? "busy" : "crowded" };
      await this.#lane(full).wait(leftMs);
    }
    const enteredAtMs = this.#now();
    const lanes = names.map((name) => [name, this.#lane(name)] as const);
    for (const [, lane] of lanes) lane.enter(enteredAtMs);
    return {
      hasJustFailed: this.#hasJustFailed(who, applicant.resource),
      isKnown,
      leave: (ending) => {
        for (const [name, lane] of lanes) {
          lane.leave(enteredAtMs);
          if (lane.isUnused && this.#lanes.get(name) === lane) this.#lanes.delete(name);
        }
        this.#learn(who, applicant, ending);
      },
    };
  }

  #lane(name: string): Lane {
    const known = this.#lanes.get(name);
    if (known !== undefined) return known;
    const most = name === "unknown" ? maxUnknown : name.startsWith("client/") ? maxUnknownPerClient : maxPerIdentity;
    const lane = new Lane(most, this.#maxWaitMs * 2);
    remember(this.#lanes, name, lane);
    return lane;
  }

  #turned({ orStale, resource }: Applicant, who: string): Turned | undefined {
    if (orStale && this.#hasJustFailed(who, resource)) return { because: "known-to-be-down" };
    if (this.#probedAtMs === undefined || (!orStale && !this.#unconnected.has(who))) return undefined;
    const nowMs = this.#now();
    const retryAfterMs = this.#probedAtMs + outageProbeMs - nowMs;
    if (retryAfterMs > 0) return { because: "known-to-be-down", retryAfterMs };
    this.#probedAtMs = nowMs;
    return undefined;
  }

  #hasJustFailed(who: string, resource: string): boolean {
    return (this.#failedUntilMs.get(`${who} ${resource}`) ?? 0) > this.#now();
  }

  #learn(who: string, { owner, resource }: Applicant, ending: Ending): void {
    const name = `${who} ${resource}`;
    if (ending === "accepted" || ending === "answered") this.#failedUntilMs.delete(name);
    else remember(this.#failedUntilMs, name, this.#now() + resourceBackOffMs);
    if (ending === "accepted" && owner !== undefined) remember(this.#known, who, true);
    // A timeout says nothing of the origin.
    if (ending === "timed-out") return;
    if (ending !== "unconnected") {
      this.#isThere();
      return;
    }
    remember(this.#unconnected, who, this.#known.has(who));
    if (this.#probedAtMs !== undefined || !this.#known.has(who)) return;
    let known = 0;
    for (const isKnown of this.#unconnected.values()) if (isKnown) known += 1;
    if (known < identitiesOfAnOutage) return;
    this.#probedAtMs = this.#now();
    this.#onOutage("open");
  }

  #isThere(): void {
    this.#unconnected.clear();
    if (this.#probedAtMs === undefined) return;
    this.#probedAtMs = undefined;
    this.#onOutage("closed");
  }
}

/** Puts a value in as the latest one; what was put in first goes where there are too many. */
export const remember = <A>(map: Map<string, A>, key: string, value: A, most = maxRemembered): void => {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) break;
    map.delete(oldest);
  }
};
