// Admission of requests to the upstream: fair shares, back-off, connection state.
import { RetryBudget } from "@bytenite-engines/core/wire";

export interface Applicant {
  /** Digest of the token; undefined for a request without one. */
  readonly owner: string | undefined;
  /** Address of the client. Empty: unknown. */
  readonly client: string;
  readonly resource: string;
  readonly orStale: boolean;
  /** Its failure says nothing about reading the resource. */
  readonly isWrite?: boolean;
}

/** The end of a request: with 2xx or 304, another answer, a 5xx or half an answer, or without any. */
export type Ending = "accepted" | "answered" | "failed" | "unanswered";

/** Why a request is not sent: `busy`: the user has as many as it may, `crowded`: all unknown tokens together have. */
export interface Denied {
  readonly problem: "known-to-be-down" | "busy" | "crowded";
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
/** How often a waiting one asks again, in milliseconds. */
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

/** Places of running requests. Only numbers and native promises, since all requests of an isolate share it. */
class Lane {
  readonly #most: number;
  readonly #heldForMs: number;
  readonly #since: Array<number> = [];
  readonly #waiting = new Set<() => void>();

  constructor(most: number, heldForMs: number) {
    this.#most = most;
    this.#heldForMs = heldForMs;
  }

  /** A request ended by the runtime never calls `leave`: its place expires. */
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
    // A woken request looks for room itself: the runtime may have ended it.
    for (const wake of [...this.#waiting].slice(0, this.#most - this.#since.length)) wake();
  }

  /** Resolves when there may be room, or after a time. `ended` is called then too, also of a request that the runtime has ended. */
  wait(forMs: number, ended: () => void): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        if (this.#waiting.delete(wake)) ended();
        resolve();
      };
      // It is not cleared by `wake`: a request without anything to wait for is ended as hung before its promise reaches it.
      setTimeout(wake, forMs);
      this.#waiting.add(wake);
    });
  }
}

/** Waits for room in a lane as one of a bounded number. False: the time is over, or too many wait. */
const queueOf = (most: number) => {
  let waiting = 0;
  return async (lane: Lane, untilMs: number): Promise<boolean> => {
    const leftMs = untilMs - performance.now();
    if (leftMs <= 0 || waiting >= most) return false;
    waiting += 1;
    await lane.wait(leftMs, () => void (waiting -= 1));
    return true;
  };
};

export type Admission = ReturnType<typeof createAdmission>;

// Limits requests to the upstream so that no client blocks others. Each accepted token has its own places; all other requests share
// some, at most half of them per client. Failures count per resource and token. Only a probe, whose URL no client chooses, marks the
// upstream as down: when it fails, and no request has got a response since it was sent. `maxWaitMs`: how long a request waits for a
// place, and how long it may take, in milliseconds. `isPublic`: all users are anonymous, so they need no places.
export const createAdmission = (
  maxWaitMs: number,
  now: () => number,
  onChange: (state: "open" | "closed") => void,
  isPublic: boolean,
) => {
  const newLane = (most: number): Lane => new Lane(most, maxWaitMs * 2);
  const lookUps = newLane(maxUnknownLookUps);
  const unknown = newLane(maxUnknown);
  const lanes = new Map<string, Lane>();
  const laneOf = (name: string): Lane | undefined => (name === "unknown" ? unknown : lanes.get(name));
  const addLane = (name: string): Lane => {
    const lane = newLane(name.startsWith("client/") ? maxUnknownPerClient : maxPerIdentity);
    remember(lanes, name, lane);
    return lane;
  };
  const knownQueue = queueOf(maxKnownWaiting);
  const unknownQueue = queueOf(maxUnknownWaiting);
  /** Tokens that wait for a look-up, and until when, by performance.now(). */
  const tokens = new Map<string, number>();
  const isTooManyTokens = (token: string): boolean => {
    if (tokens.size < maxUnknownLookUpsWaiting || tokens.has(token)) return false;
    // Those that the runtime has ended do not leave by themselves.
    for (const [other, untilMs] of tokens) if (untilMs < performance.now()) tokens.delete(other);
    return tokens.size >= maxUnknownLookUpsWaiting;
  };
  /** Retry budgets of accepted tokens, and the one of all others. */
  const known = new Map<string, RetryBudget>();
  const sharedBudget = new RetryBudget();
  /** `isFailure`: a request for the resource failed, and none has been answered since. */
  const backOffs = new Map<string, { untilMs: number; backOffMs: number; isFailure: boolean }>();
  let isDown = false;
  /** Whether the last failure is too old to say that the upstream is down; until the next probe has ended. */
  let isUnknown = false;
  let probedAtMs = Number.NEGATIVE_INFINITY;
  let failedAtMs = Number.NEGATIVE_INFINITY;
  let pauseMs = probeEveryMs;
  let answers = 0;

  const answered = (): void => {
    answers += 1;
    if (!isDown) return;
    isDown = false;
    isUnknown = false;
    pauseMs = probeEveryMs;
    onChange("closed");
  };

  const denied = (nowMs: number, { orStale }: Applicant): Denied | undefined => {
    if (!isDown) return undefined;
    // No probe is under way, and none was sent for longer than any pause.
    if (failedAtMs >= probedAtMs && nowMs - failedAtMs > probeEveryMs) isUnknown = true;
    const untilProbeMs = probedAtMs + pauseMs - nowMs;
    // With each probe one request is sent: a probe may be answered otherwise than requests with a token.
    if (untilProbeMs > 0 && !isUnknown) return { problem: "known-to-be-down", retryAfterMs: untilProbeMs };
    return orStale ? { problem: "known-to-be-down", retryAfterMs: pauseMs } : undefined;
  };

  const backOff = (request: Applicant, isFailure = false, retryAfterMs = 0): void => {
    const name = resourceKeyOf(request);
    const before = backOffs.get(name)?.backOffMs;
    const backOffMs = before === undefined ? minBackOffMs : Math.min(maxBackOffMs, before * 2);
    const untilMs = now() + Math.max(backOffMs, Math.min(maxKeptRetryAfterMs, retryAfterMs));
    remember(backOffs, name, { untilMs, backOffMs, isFailure });
  };

  const isFailing = (request: Applicant): boolean => backOffs.get(resourceKeyOf(request))?.isFailure === true;

  return {
    isDown: () => isDown,
    isFailing,
    backOff,
    /** Whether a stale entry of the resource must not be validated in the background yet. */
    isBackingOff: (request: Applicant): boolean => (backOffs.get(resourceKeyOf(request))?.untilMs ?? 0) > now(),
    knows: (owner: string | undefined): boolean => owner !== undefined && known.has(owner),

    /** Looks up the entries of a token not accepted lately: made-up ones have a queue of their own. Undefined if too many wait. */
    lookUp: async <A>(token: string, isKnown: () => boolean, work: () => Promise<A>): Promise<A | undefined> => {
      const untilMs = performance.now() + maxWaitMs;
      while (!isKnown() && !lookUps.hasRoom(now())) {
        const leftMs = untilMs - performance.now();
        if (leftMs <= 0 || isTooManyTokens(token)) return undefined;
        tokens.set(token, untilMs);
        // By its own timer: a thousand requests for one answer that wake each other take twice as long in workerd.
        await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, lookUpAgainMs)));
        tokens.delete(token);
      }
      const enteredAtMs = now();
      lookUps.enter(enteredAtMs);
      return work().finally(() => lookUps.leave(enteredAtMs));
    },

    /** Waits for a place: call `leave` when the request has ended, with the Retry-After of an error in milliseconds. */
    enter: async (request: Applicant) => {
      const who = userOf(request);
      const isKnown = known.has(who);
      const all = isKnown ? [who] : [who, `client/${request.client}`, "unknown"];
      const names = isPublic && request.owner === undefined ? [] : all;
      const wait = isKnown ? knownQueue : unknownQueue;
      const untilMs = performance.now() + maxWaitMs;
      for (;;) {
        const refusal = denied(now(), request);
        if (refusal !== undefined) return refusal;
        const full = names.find((name) => laneOf(name)?.hasRoom(now()) === false);
        const lane = full === undefined ? undefined : laneOf(full);
        if (lane === undefined) break;
        const problem = full === who ? "busy" : "crowded";
        if (!(await wait(lane, untilMs))) return { problem } satisfies Denied;
      }
      const enteredAtMs = now();
      const entered = names.map((name) => [name, laneOf(name) ?? addLane(name)] as const);
      for (const [, lane] of entered) lane.enter(enteredAtMs);
      return {
        /** The resource failed and has not succeeded since: it is requested once, without retries. */
        isFailing: isFailing(request),
        budget: known.get(who) ?? sharedBudget,
        leave: (ending: Ending, retryAfterMs?: number): void => {
          for (const [name, lane] of entered) {
            lane.leave(enteredAtMs);
            if (lane.isUnused && lanes.get(name) === lane) lanes.delete(name);
          }
          const isFailure = ending === "failed" || ending === "unanswered";
          const isRead = request.isWrite !== true;
          if (isRead && (isFailure || retryAfterMs !== undefined)) backOff(request, isFailure, retryAfterMs);
          else if (isRead) backOffs.delete(resourceKeyOf(request));
          if (ending === "accepted" && request.owner !== undefined) {
            remember(known, who, known.get(who) ?? new RetryBudget());
          }
          if (ending !== "unanswered") answered();
        },
      };
    },

    /** Probes the connection after a request without a response, or before rejecting one; not more often than the limits allow. */
    probe: async (send: () => Promise<unknown>): Promise<void> => {
      if (now() - probedAtMs < pauseMs) return;
      probedAtMs = now();
      const answersBefore = answers;
      try {
        await send();
        answered();
      } catch {
        if (answers > answersBefore) return;
        failedAtMs = now();
        isUnknown = false;
        pauseMs = isDown ? Math.min(probeEveryMs, pauseMs * 2) : minProbePauseMs;
        if (!isDown) onChange("open");
        isDown = true;
      }
    },
  };
};

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
