// Deduplication of identical concurrent calls.
//
// In Workers a request cannot use fibers, timers, signals or streams of another one. So calls share a native promise of plain data, and each
// waits with its own promise and timer: the request that does the work may be cancelled, and then its promise never settles.
import type * as Clock from "effect/Clock";
import { after, steadyMs } from "./Timer.ts";
import type { Cancellation } from "./Cancellation.ts";

/** Longest wait for work that another call does, from when that began, in milliseconds; then a call does it itself. */
export const maxSharedWaitMs = 3_000;

type Outcome<A> = { readonly value: A } | { readonly cause: unknown };

interface Slot<A> {
  readonly startMs: number;
  readonly running: Promise<A>;
  isJoined: boolean;
  /** Whether the caller that runs it ended it, and did not give up. */
  isEnded: boolean;
  readonly random: number;
}

/** How callers share an outcome. */
export interface Shared {
  /** Whether another caller did the work. */
  readonly followed: boolean;
  /** A random number from 0 to 1, the same for all callers of this outcome, so that they retry at the same time. */
  readonly random: number;
}

/** A caller of work that may be shared. */
interface Caller {
  readonly clock: Clock.Clock;
  readonly cancel: Cancellation;
  readonly state: { shared?: Shared | undefined };
}

/** Running work by key. The key must contain all that the outcome depends on, credentials included. */
export class InFlight<A> {
  /** Not a Map: V8 can keep what was deleted from one, and all that it refers to, until a full garbage collection. */
  readonly #slots: Record<string, Slot<A>> = Object.create(null) as Record<string, Slot<A>>;
  #sweptMs = -Infinity;
  readonly #copy: (value: A) => A;

  /** `copy`: makes what each of several callers gets. */
  constructor(copy: (value: A) => A) {
    this.#copy = copy;
  }

  /**
   * Does the work, or waits for the same work of another caller, at most `maxSharedWaitMs`; does it itself when that one gave
   * up. Rejects with the reason of `cancel`, which is this caller's own. Notes in `state` that several callers get the outcome.
   */
  dedupe(key: string, caller: Caller, work: () => Promise<A>): Promise<A> {
    return key in this.#slots ? this.#follow(key, caller, work) : this.#lead(key, caller, work);
  }

  async #follow(key: string, caller: Caller, work: () => Promise<A>): Promise<A> {
    const { clock, cancel, state } = caller;
    for (let slot = this.#slots[key]; slot !== undefined; slot = this.#slots[key]) {
      const leftMs = slot.startMs + maxSharedWaitMs - steadyMs(clock);
      if (leftMs <= 0) break;
      slot.isJoined = true;
      const outcome = await waitedFor(slot, clock, leftMs, cancel);
      if (outcome !== undefined) {
        state.shared = { followed: true, random: slot.random };
        if ("cause" in outcome) throw outcome.cause;
        return this.#copy(outcome.value);
      }
      this.#remove(key, slot);
    }
    return this.#lead(key, caller, work);
  }

  #lead(key: string, caller: Caller, work: () => Promise<A>): Promise<A> {
    const startMs = steadyMs(caller.clock);
    this.#removeOld(startMs);
    const slot = { startMs, running: work(), isJoined: false, isEnded: false, random: Math.random() };
    this.#slots[key] = slot;
    return slot.running.then(
      (value) => (this.#end(key, slot, caller) ? this.#copy(value) : value),
      (cause: unknown) => {
        this.#end(key, slot, caller);
        throw cause;
      },
    );
  }

  /** Whether the outcome is one of several callers. */
  #end(key: string, slot: Slot<A>, { cancel, state }: Caller): boolean {
    slot.isEnded = !cancel.aborted;
    this.#remove(key, slot);
    if (slot.isJoined) state.shared = { followed: false, random: slot.random };
    return slot.isJoined;
  }

  /** Removes an entry, unless another caller has replaced it. */
  #remove(key: string, slot: Slot<A>): void {
    if (this.#slots[key] === slot) delete this.#slots[key];
  }

  /** Removes abandoned entries, now and then. */
  #removeOld(nowMs: number): void {
    if (nowMs < this.#sweptMs + maxSharedWaitMs) return;
    this.#sweptMs = nowMs;
    for (const [key, slot] of Object.entries(this.#slots))
      if (slot.startMs <= nowMs - maxSharedWaitMs) this.#remove(key, slot);
  }
}

/** The outcome; undefined if there is none in time. Uses a promise of this caller, as Workers require. */
const waitedFor = async <A>(
  slot: Slot<A>,
  clock: Clock.Clock,
  ms: number,
  cancel: Cancellation,
): Promise<Outcome<A> | undefined> => {
  if (cancel.aborted) throw cancel.reason;
  let stop = nothing;
  let stopListening = nothing;
  try {
    return await new Promise<Outcome<A> | undefined>((resolve, reject) => {
      stop = after(clock, ms, () => resolve(undefined));
      stopListening = cancel.onAbort(() => reject(cancel.reason));
      slot.running.then(
        (value) => resolve({ value }),
        // The caller that runs it has noted it first. Workers reject a promise whose request has ended, which that caller never notes.
        (cause: unknown) => resolve(slot.isEnded ? { cause } : undefined),
      );
    });
  } finally {
    stop();
    stopListening();
  }
};

const nothing = (): void => {};
