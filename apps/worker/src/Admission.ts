// Admission of requests to the upstream: fair shares, back-off, connection state.

export interface Applicant {
  /** Digest of the token; undefined for a request without one. */
  readonly owner: string | undefined;
  /** Address of the client. Empty: unknown. */
  readonly client: string;
  readonly resource: string;
  /** Whether a stale entry may be served if the upstream fails. */
  readonly orStale: boolean;
}

/** Sequence number and time of a request to the upstream. Workers' clocks stand still between I/O, so time alone gives no order. */
export interface Asked {
  readonly sequence: number;
  readonly atMs: number;
}

export type Ending =
  /** With an answer that accepts the token: 2xx, 304. */
  | "accepted"
  /** With another answer of the origin. */
  | "answered"
  /** With 500, 502, 503 or 504, or in the middle of the answer. */
  | "failed"
  /** Without any answer: no connection, one that was closed, or none in time. */
  | "unanswered";

/** A slot. Call `leave` when the request has ended. */
export interface Pass {
  /** The resource failed and has not succeeded since: it is requested once, without retries. */
  readonly isFailing: boolean;
  readonly isKnown: boolean;
  /** `retryAfterMs`: the Retry-After of an error, in milliseconds. */
  readonly leave: (ending: Ending, retryAfterMs?: number) => void;
}

export interface Denied {
  /** `busy`: the user has reached its limit of concurrent requests. `crowded`: all unknown tokens together have reached theirs. */
  readonly because: "known-to-be-down" | "busy" | "crowded";
  /** How long asking again is pointless, in milliseconds, where that is known. */
  readonly retryAfterMs?: number;
}

/** Requests to the upstream at once for one token, and for one client without a token. */
export const maxPerIdentity = 64;
/** Requests at once with tokens that the upstream has not accepted lately, and without a token: of one client, and of all. */
const maxUnknownPerClient = 128;
const maxUnknown = 256;
/** Most waiting requests of an isolate: with accepted tokens, and all others; more are rejected at once. */
const maxKnownWaiting = 1_024;
const maxUnknownWaiting = 256;
/** Look-ups at once for tokens that the upstream has not accepted lately, and tokens that wait for one; more are refused at once. */
const maxUnknownLookUps = 16;
const maxUnknownLookUpsWaiting = 256;
/** Poll interval of a waiting request, in milliseconds. */
const lookUpAgainMs = 50;
/** Tokens that are remembered as accepted; resources that are remembered as failed. */
const maxRemembered = 4_000;
/** Back-off of a failed resource that has a stale entry, in milliseconds; doubled by each failure. */
const minBackOffMs = 2_000;
const maxBackOffMs = 60_000;
/** Longest Retry-After that is kept as a back-off, in milliseconds. */
const maxKeptRetryAfterMs = 3_600_000;
/** After a request without an answer the connection is probed, at most once in so many milliseconds. */
const probeEveryMs = 5_000;
/** The first pause between probes that fail; doubled by each, up to `probeEveryMs`. */
const minProbePauseMs = 500;

/** Slots of running requests. Only numbers and native promises, since all requests of an isolate share it. */
class Lane {
  readonly #most: number;
  readonly #heldForMs: number;
  readonly #since: Array<number> = [];
  readonly #waiting = new Set<() => void>();

  constructor(most: number, heldForMs: number) {
    this.#most = most;
    this.#heldForMs = heldForMs;
  }

  /** A request ended by the runtime never calls `leave`: its slot expires. */
  hasRoom(nowMs: number): boolean {
    while (this.#since.length >= this.#most && nowMs - (this.#since[0] ?? nowMs) > this.#heldForMs) this.#since.shift();
    return this.#since.length < this.#most;
  }

  get isUnused(): boolean {
    return this.#since.length === 0 && this.#waiting.size === 0;
  }

  enter(nowMs: number): void {
    this.#since.push(nowMs);
  }

  leave(enteredAtMs: number): void {
    const index = this.#since.indexOf(enteredAtMs);
    if (index >= 0) this.#since.splice(index, 1);
    // A woken request checks the capacity itself: the runtime may have ended it.
    let places = this.#most - this.#since.length;
    for (const wake of this.#waiting) {
      if (places-- <= 0) break;
      wake();
    }
  }

  /** Resolves when there may be capacity, or after a time. `ended` is called then too, also of a request that the runtime has ended. */
  wait(forMs: number, ended: () => void): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        if (!this.#waiting.delete(wake)) return;
        ended();
        resolve();
      };
      // It is not cleared by `wake`: a request without anything to wait for is ended as hung before its promise reaches it.
      setTimeout(wake, forMs);
      this.#waiting.add(wake);
    });
  }
}

interface BackOff {
  readonly untilMs: number;
  readonly backOffMs: number;
  /** Whether a request for the resource failed, and none has been answered since. */
  readonly isFailure: boolean;
}

/**
 * Limits requests to the upstream so that no client blocks others. Each accepted token has its own slots; all other requests share
 * some, at most half of them per client. Failures count per resource and token. Only a probe, whose URL no client chooses, marks the
 * upstream as down: when it fails, and no request has got a response since it was sent.
 */
export class Admission {
  readonly #maxWaitMs: number;
  readonly #isPublic: boolean;
  readonly #now: () => number;
  readonly #onChange: (state: "open" | "closed") => void;
  readonly #lanes = new Map<string, Lane>();
  readonly #known = new Map<string, true>();
  readonly #backOffs = new Map<string, BackOff>();
  readonly #waiting = { known: 0, unknown: 0 };
  /** Slots of all tokens not accepted lately and of requests without a token. */
  readonly #unknown: Lane;
  readonly #lookUps: Lane;
  /** Tokens that wait for a look-up, and until when, by performance.now(). */
  readonly #waitingToLookUp = new Map<string, number>();
  isDown = false;
  /** Whether the last failure is too old to say that the upstream is down; until the next probe has ended. */
  #isUnknown = false;
  #probedAtMs = Number.NEGATIVE_INFINITY;
  #failedAtMs = Number.NEGATIVE_INFINITY;
  #pauseMs = probeEveryMs;
  #answers = 0;

  /**
   * `maxWaitMs`: how long a request waits for a place, and how long it may take, in milliseconds. `isPublic`: requests without a token
   * need no place, since all users are anonymous.
   */
  constructor(
    maxWaitMs: number,
    now: () => number,
    onChange: (state: "open" | "closed") => void,
    isPublic: boolean = false,
  ) {
    this.#isPublic = isPublic;
    this.#maxWaitMs = maxWaitMs;
    this.#now = now;
    this.#onChange = onChange;
    this.#unknown = new Lane(maxUnknown, maxWaitMs * 2);
    this.#lookUps = new Lane(maxUnknownLookUps, maxWaitMs * 2);
  }

  /**
   * Looks up the entries of a token not accepted lately. Deriving its keys and reading the Cache API take milliseconds of CPU, also
   * for made-up tokens, so a queue of its own protects accepted tokens. Undefined if too many wait.
   */
  async lookUp<A>(token: string, isKnown: () => boolean, work: () => Promise<A>): Promise<A | undefined> {
    const untilMs = performance.now() + this.#maxWaitMs;
    while (!isKnown() && !this.#lookUps.hasRoom(this.#now())) {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || this.#isTooManyToLookUp(token)) return undefined;
      this.#waitingToLookUp.set(token, untilMs);
      // Polls by its own timer: in Workers a request cannot safely wake many others.
      await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, lookUpAgainMs)));
      this.#waitingToLookUp.delete(token);
    }
    const enteredAtMs = this.#now();
    this.#lookUps.enter(enteredAtMs);
    try {
      return await work();
    } finally {
      this.#lookUps.leave(enteredAtMs);
    }
  }

  knows(owner: string): boolean {
    return this.#known.has(owner);
  }

  isFailing(request: Applicant): boolean {
    return this.#backOffs.get(resourceKeyOf(request))?.isFailure === true;
  }

  /** Whether a stale entry of the resource must not be validated in the background yet. */
  isBackingOff(request: Applicant): boolean {
    const known = this.#backOffs.get(resourceKeyOf(request));
    return known !== undefined && known.untilMs > this.#now();
  }

  /** Delays the next validation of a resource in the background. */
  backOff(request: Applicant, isFailure = false, retryAfterMs = 0): void {
    const name = resourceKeyOf(request);
    const before = this.#backOffs.get(name)?.backOffMs;
    const backOffMs = before === undefined ? minBackOffMs : Math.min(maxBackOffMs, before * 2);
    const pauseMs = Math.max(backOffMs, Math.min(maxKeptRetryAfterMs, retryAfterMs));
    remember(this.#backOffs, name, { untilMs: this.#now() + pauseMs, backOffMs, isFailure });
  }

  /** Requests of one token count once: it may be a stampede for one answer. */
  #isTooManyToLookUp(token: string): boolean {
    const waiting = this.#waitingToLookUp;
    if (waiting.size < maxUnknownLookUpsWaiting || waiting.has(token)) return false;
    // Those that the runtime has ended do not leave by themselves.
    for (const [other, untilMs] of waiting) if (untilMs < performance.now()) waiting.delete(other);
    return waiting.size >= maxUnknownLookUpsWaiting;
  }

  async enter(request: Applicant): Promise<Pass | Denied> {
    const who = userOf(request);
    const isKnown = this.#known.has(who);
    const all = isKnown ? [who] : [who, `client/${request.client}`, "unknown"];
    const names = this.#isPublic && request.owner === undefined ? [] : all;
    const untilMs = performance.now() + this.#maxWaitMs;
    for (;;) {
      const nowMs = this.#now();
      if (this.isDown) {
        const untilProbeMs = this.#probedAtMs + this.#pauseMs - nowMs;
        // No probe is under way, and none was sent for longer than any pause.
        if (this.#failedAtMs >= this.#probedAtMs && nowMs - this.#failedAtMs > probeEveryMs) this.#isUnknown = true;
        // With each probe one request is sent: a probe may be answered otherwise than requests with a token.
        if (untilProbeMs > 0 && !this.#isUnknown) return { because: "known-to-be-down", retryAfterMs: untilProbeMs };
        if (request.orStale) return { because: "known-to-be-down", retryAfterMs: this.#pauseMs };
      }
      const full = names.find((name) => this.#laneOf(name)?.hasRoom(nowMs) === false);
      if (full === undefined) break;
      const leftMs = untilMs - performance.now();
      const kind = isKnown ? "known" : "unknown";
      const isTooMany = this.#waiting[kind] >= (isKnown ? maxKnownWaiting : maxUnknownWaiting);
      if (leftMs <= 0 || isTooMany) return { because: full === who ? "busy" : "crowded" };
      this.#waiting[kind] += 1;
      await this.#laneOf(full)?.wait(leftMs, () => {
        this.#waiting[kind] -= 1;
      });
    }
    const enteredAtMs = this.#now();
    const lanes = names.map((name) => [name, this.#laneOf(name) ?? this.#newLane(name)] as const);
    for (const [, lane] of lanes) lane.enter(enteredAtMs);
    return {
      isFailing: this.isFailing(request),
      isKnown,
      leave: (ending, retryAfterMs) => {
        for (const [name, lane] of lanes) {
          lane.leave(enteredAtMs);
          if (lane.isUnused && this.#lanes.get(name) === lane) this.#lanes.delete(name);
        }
        this.#learn(who, request, ending, retryAfterMs);
      },
    };
  }

  answered(): void {
    this.#answers += 1;
    if (!this.isDown) return;
    this.isDown = false;
    this.#isUnknown = false;
    this.#pauseMs = probeEveryMs;
    this.#onChange("closed");
  }

  /** Probes the connection after a request without a response, or before rejecting one; not more often than the limits allow. */
  async probe(send: () => Promise<unknown>): Promise<void> {
    if (this.#now() - this.#probedAtMs < this.#pauseMs) return;
    this.#probedAtMs = this.#now();
    const answersBefore = this.#answers;
    try {
      await send();
      this.answered();
    } catch {
      if (this.#answers > answersBefore) return;
      this.#failedAtMs = this.#now();
      this.#isUnknown = false;
      this.#pauseMs = this.isDown ? Math.min(probeEveryMs, this.#pauseMs * 2) : minProbePauseMs;
      if (this.isDown) return;
      this.isDown = true;
      this.#onChange("open");
    }
  }

  #laneOf(name: string): Lane | undefined {
    return name === "unknown" ? this.#unknown : this.#lanes.get(name);
  }

  #newLane(name: string): Lane {
    const most = name.startsWith("client/") ? maxUnknownPerClient : maxPerIdentity;
    const lane = new Lane(most, this.#maxWaitMs * 2);
    remember(this.#lanes, name, lane);
    return lane;
  }

  #learn(who: string, request: Applicant, ending: Ending, retryAfterMs?: number): void {
    const isFailure = ending === "failed" || ending === "unanswered";
    if (isFailure || retryAfterMs !== undefined) this.backOff(request, isFailure, retryAfterMs);
    else this.#backOffs.delete(resourceKeyOf(request));
    if (ending === "accepted" && request.owner !== undefined) remember(this.#known, who, true);
    if (ending !== "unanswered") this.answered();
  }
}

/** The user of a request: by its token, else by its address. */
export const userOf = ({ owner, client }: Pick<Applicant, "owner" | "client">): string => owner ?? `without/${client}`;

const resourceKeyOf = (request: Applicant): string => `${userOf(request)} ${request.resource}`;

/** Puts a value in as the latest one; the first ones are removed where there are too many. */
export const remember = <A>(map: Map<string, A>, key: string, value: A, most = maxRemembered): void => {
  map.delete(key);
  map.set(key, value);
  for (const oldest of map.keys()) {
    if (map.size <= most) break;
    map.delete(oldest);
  }
};
