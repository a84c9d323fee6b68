// Admission of requests to the upstream: fair shares, back-off, connection state.
import { RetryBudget } from "@bytenite-engines/core/wire";
import { recentOf } from "./Recent.ts";

export interface Applicant {
  readonly owner: string | undefined; // digest of the token; undefined for a request without one
  readonly client: string; // address of the client. Empty: unknown
  readonly resource: string;
  readonly orStale: boolean;
  readonly isWrite?: boolean; // its failure says nothing about reading the resource
}

/** The end of a request: with 2xx or 304, another answer, a 5xx or half an answer, or without any; or unsent by its client. */
export type Ending = "accepted" | "answered" | "failed" | "unanswered" | "unsent";

export const maxPerIdentity = 64; // requests to the upstream at once for one token, and for one client without a token
/** Requests at once with tokens that the upstream has not accepted lately, and without a token: of one client, and of all. */
const maxUnknownPerClient = 128;
const maxUnknown = 256;
/** Most waiting requests of an isolate: with accepted tokens, and all others; more are rejected at once. */
const maxKnownWaiting = 1_024;
const maxUnknownWaiting = 256;
/** Look-ups at once for tokens that the upstream has not accepted lately, and tokens that wait for one; more are refused at once. */
const maxUnknownLookUps = 16;
const maxUnknownLookUpsWaiting = 256;
const lookUpAgainMs = 50; // how often a waiting one asks again, in milliseconds
const maxRemembered = 4_000; // tokens that are remembered as accepted; resources that are remembered as failed
/** Back-off of a failed resource that has a stale entry, in milliseconds; doubled by each failure. */
const minBackOffMs = 2_000;
const maxBackOffMs = 60_000;
const maxKeptRetryAfterMs = 3_600_000; // longest Retry-After that is kept as a back-off, in milliseconds
/** After a request without an answer the connection is probed, at most once in so many milliseconds. */
const probeEveryMs = 5_000;
const minProbePauseMs = 500; // the first pause between probes that fail; doubled by each, up to `probeEveryMs`

/** Places of running requests. Only numbers and native promises, since all requests of an isolate share it. */
const createLane = (most: number, heldForMs: number) => {
  const since: Array<number> = [];
  const waiting = new Set<() => void>();
  return {
    /** A request ended by the runtime never leaves: its place expires. */
    hasRoom: (nowMs: number): boolean => {
      while (since.length >= most && nowMs - (since[0] ?? nowMs) > heldForMs) since.shift();
      return since.length < most;
    },
    isUnused: (): boolean => since.length === 0 && waiting.size === 0,
    /** Takes a place, until the result is called. */
    enter: (nowMs: number) => {
      since.push(nowMs);
      return (): void => {
        const index = since.indexOf(nowMs);
        if (index >= 0) since.splice(index, 1);
        // A woken request looks for room itself: the runtime may have ended it.
        for (const wake of [...waiting].slice(0, most - since.length)) wake();
      };
    },
    /** Waits until there may be room, as one of those that a queue has places for. False: the time is over, or too many wait. */
    wait: async (queue: { places: number }, untilMs: number): Promise<boolean> => {
      const leftMs = untilMs - performance.now();
      if (leftMs <= 0 || queue.places === 0) return false;
      queue.places -= 1;
      await new Promise<void>((resolve) => {
        const wake = (): void => {
          if (waiting.delete(wake)) queue.places += 1;
          resolve();
        };
        // It is not cleared by `wake`: a request without anything to wait for is ended as hung before its promise reaches it.
        setTimeout(wake, leftMs);
        waiting.add(wake);
      });
      return true;
    },
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
  const newLane = (most: number) => createLane(most, maxWaitMs * 2);
  const lookUps = newLane(maxUnknownLookUps);
  const unknown = newLane(maxUnknown);
  const lanes = recentOf<ReturnType<typeof createLane>>(maxRemembered);
  const laneOf = (name: string) => (name === "unknown" ? unknown : lanes.get(name));
  const addLane = (name: string) => {
    const lane = newLane(name.startsWith("client/") ? maxUnknownPerClient : maxPerIdentity);
    lanes.set(name, lane);
    return lane;
  };
  const knownQueue = { places: maxKnownWaiting };
  const unknownQueue = { places: maxUnknownWaiting };
  /** Tokens that wait for a look-up, and until when, by performance.now(). */
  const tokens = new Map<string, number>();
  const isTooManyTokens = (token: string): boolean => {
    if (tokens.size < maxUnknownLookUpsWaiting || tokens.has(token)) return false;
    // Those that the runtime has ended do not leave by themselves.
    for (const [other, untilMs] of tokens) if (untilMs < performance.now()) tokens.delete(other);
    return tokens.size >= maxUnknownLookUpsWaiting;
  };
  /** Retry budgets of accepted tokens, and the one of all others. */
  const known = recentOf<RetryBudget>(maxRemembered);
  const sharedBudget = new RetryBudget();
  /** `isFailure`: a request for the resource failed, and none has been answered since. */
  const backOffs = recentOf<{ untilMs: number; backOffMs: number; isFailure: boolean }>(maxRemembered);
  let probedAtMs = Number.NEGATIVE_INFINITY;
  /** When a probe last failed, where the upstream is down; infinitely long ago if that no longer says so, until the next has ended. */
  let failedAtMs: number | undefined;
  let pauseMs = probeEveryMs;
  /** Another one for each answer. */
  let lastAnswer = {};
  const answered = (): void => {
    lastAnswer = {};
    if (failedAtMs === undefined) return;
    failedAtMs = undefined;
    pauseMs = probeEveryMs;
    onChange("closed");
  };
  const denied = (nowMs: number, { orStale }: Applicant) => {
    if (failedAtMs === undefined) return undefined;
    // No probe is under way, and none was sent for longer than any pause.
    if (failedAtMs >= probedAtMs && nowMs - failedAtMs > probeEveryMs) failedAtMs = Number.NEGATIVE_INFINITY;
    const untilProbeMs = probedAtMs + pauseMs - nowMs;
    // With each probe one request is sent: a probe may be answered otherwise than requests with a token.
    const retryAfterMs = untilProbeMs > 0 && Number.isFinite(failedAtMs) ? untilProbeMs : orStale ? pauseMs : undefined;
    return retryAfterMs === undefined ? undefined : ({ problem: "known-to-be-down", retryAfterMs } as const);
  };
  const backOff = (request: Applicant, isFailure = false, retryAfterMs = minBackOffMs): void => {
    const name = resourceKeyOf(request);
    const before = backOffs.get(name)?.backOffMs;
    const backOffMs = before === undefined ? minBackOffMs : Math.min(maxBackOffMs, before * 2);
    const untilMs = now() + Math.max(backOffMs, Math.min(maxKeptRetryAfterMs, retryAfterMs));
    backOffs.set(name, { untilMs, backOffMs, isFailure });
  };
  const isFailing = (request: Applicant): boolean => backOffs.get(resourceKeyOf(request))?.isFailure === true;
  return {
    isDown: () => failedAtMs !== undefined,
    isFailing,
    backOff,
    /** Whether a stale entry of the resource must not be validated in the background yet. */
    isBackingOff: (request: Applicant): boolean =>
      (backOffs.get(resourceKeyOf(request))?.untilMs ?? Number.NEGATIVE_INFINITY) > now(),
    knows: (owner: string | undefined): boolean => owner !== undefined && known.get(owner) !== undefined,
    /** Looks up the entries of a token not accepted lately: made-up ones have a queue of their own. Undefined if too many wait. */
    lookUp: async <A>(token: string, isKnown: (token: string) => boolean, work: () => Promise<A>) => {
      const untilMs = performance.now() + maxWaitMs;
      while (!isKnown(token)) {
        if (lookUps.hasRoom(now())) return work().finally(lookUps.enter(now()));
        const leftMs = untilMs - performance.now();
        if (leftMs <= 0 || isTooManyTokens(token)) return undefined;
        tokens.set(token, untilMs);
        // By its own timer: a thousand requests for one answer that wake each other take twice as long in workerd.
        await new Promise((resolve) => setTimeout(resolve, Math.min(leftMs, lookUpAgainMs)));
        tokens.delete(token);
      }
      return work();
    },
    /** Waits for a place: call `leave` when the request has ended, with the Retry-After of an error in milliseconds. */
    enter: async (request: Applicant) => {
      const who = userOf(request);
      const isKnown = known.get(who) !== undefined;
      const all = isKnown ? [who] : [who, `client/${request.client}`, "unknown"];
      const names = isPublic && request.owner === undefined ? [] : all;
      const untilMs = performance.now() + maxWaitMs;
      for (;;) {
        const refusal = denied(now(), request);
        if (refusal !== undefined) return refusal;
        const lane = names.map(laneOf).find((each) => each?.hasRoom(now()) === false);
        if (lane === undefined) break;
        const problem = lane === laneOf(who) ? "busy" : "crowded";
        if (!(await lane.wait(isKnown ? knownQueue : unknownQueue, untilMs))) return { problem } as const;
      }
      const entered = names.map((name) => {
        const lane = laneOf(name) ?? addLane(name);
        return { name, lane, leaveLane: lane.enter(now()) };
      });
      return {
        /** The resource failed and has not succeeded since: it is requested once, without retries. */
        isFailing: isFailing(request),
        budget: known.get(who) ?? sharedBudget,
        leave: (ending: Ending, retryAfterMs?: number): void => {
          for (const { name, lane, leaveLane } of entered) {
            leaveLane();
            if (lane.isUnused() && lanes.get(name) === lane) lanes.delete(name);
          }
          const isFailure = ending === "failed" || ending === "unanswered";
          const isRead = request.isWrite !== true;
          if (isRead && (isFailure || retryAfterMs !== undefined)) backOff(request, isFailure, retryAfterMs);
          else if (isRead) backOffs.delete(resourceKeyOf(request));
          if (ending === "accepted" && request.owner !== undefined) known.set(who, known.get(who) ?? new RetryBudget());
          if (ending !== "unanswered" && ending !== "unsent") answered();
        },
      };
    },
    /** Probes the connection after a request without a response, or before rejecting one; not more often than the limits allow. */
    probe: async (send: () => Promise<unknown>): Promise<void> => {
      if (now() - probedAtMs < pauseMs) return;
      probedAtMs = now();
      const answerBefore = lastAnswer;
      try {
        await send();
        answered();
      } catch {
        if (lastAnswer !== answerBefore) return;
        pauseMs = failedAtMs === undefined ? minProbePauseMs : Math.min(probeEveryMs, pauseMs * 2);
        if (failedAtMs === undefined) onChange("open");
        failedAtMs = now();
      }
    },
  };
};

/** The user of a request: by its token, else by its address. */
export const userOf = ({ owner, client }: Pick<Applicant, "owner" | "client">): string => owner ?? `without/${client}`;
const resourceKeyOf = (request: Applicant): string => `${userOf(request)} ${request.resource}`;
