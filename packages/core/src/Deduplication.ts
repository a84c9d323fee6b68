// Deduplication of identical concurrent calls.
//
// In Workers a request cannot use fibers, timers, signals or streams of another one. So calls share a native promise of plain data, and each
// waits with its own promise and timer: the request that does the work may be cancelled, and then its promise never settles.
import type * as Clock from "effect/Clock";
import { after, steadyMs } from "./Timer.ts";
import type { Cancellation } from "./Cancellation.ts";

/** Longest wait for work that another call does, from when that began, in milliseconds; then a call does it itself. */
export const maxSharedWaitMs = 3_000;

/** Number of running entries after which abandoned ones are removed. */
const manyUnderWay = 256;

type Outcome<A> = { readonly value: A } | { readonly cause: unknown };

interface Slot<A> {
  readonly startMs: number;
  readonly running: Promise<A>;
  isJoined: boolean;
  /** Whether the caller that runs it ended it, and did not give up. */
  isEnded: boolean;
  readonly random: number;
}

/** Outcome of shared work for one caller. */
export interface Shared<A> {
  readonly outcome: Outcome<A>;
  /** Whether another caller did the work. */
  readonly followed: boolean;
  /** Whether other callers share the outcome. */
  readonly joined: boolean;
  /** A random number from 0 to 1, the same for all callers of this outcome, so that they retry at the same time. */
  readonly random: number;
}

/** Running work by key. The key must contain all that the outcome depends on, credentials included. */
export class InFlight<A> {
  readonly #slots = new Map<string, Slot<A>>();

  /**
   * Does the work, or waits for the same work of another caller, at most `maxSharedWaitMs`; does it itself when that one gave
   * up. Rejects with the reason of `cancel`, which is this caller's own. `use`: what the caller makes of the outcome.
   */
  dedupe<B>(
    key: string,
    clock: Clock.Clock,
    cancel: Cancellation,
    work: () => Promise<A>,
    use: (shared: Shared<A>) => B | Promise<B>,
  ): Promise<B> {
    const slot = this.#slots.get(key);
    const leftMs = slot === undefined ? 0 : slot.startMs + maxSharedWaitMs - steadyMs(clock);
    return slot === undefined || leftMs <= 0
      ? this.#lead(key, clock, cancel, work, use)
      : this.#follow(key, slot, leftMs, clock, cancel, work, use);
  }

  #lead<B>(
    key: string,
    clock: Clock.Clock,
    cancel: Cancellation,
    work: () => Promise<A>,
    use: (shared: Shared<A>) => B | Promise<B>,
  ): Promise<B> {
    if (this.#slots.size >= manyUnderWay) this.#removeOld(clock);
    const running = work();
    const slot = { startMs: steadyMs(clock), running, isJoined: false, isEnded: false, random: Math.random() };
    this.#slots.set(key, slot);
    const end = (outcome: Outcome<A>): B | Promise<B> => {
      slot.isEnded = !cancel.aborted;
      this.#remove(key, slot);
      return use({ outcome, followed: false, joined: slot.isJoined, random: slot.random });
    };
    return running.then(
      (value) => end({ value }),
      (cause: unknown) => end({ cause }),
    );
  }

  async #follow<B>(
    key: string,
    slot: Slot<A>,
    leftMs: number,
    clock: Clock.Clock,
    cancel: Cancellation,
    work: () => Promise<A>,
    use: (shared: Shared<A>) => B | Promise<B>,
  ): Promise<B> {
    slot.isJoined = true;
    const outcome = slot.running.then(
      (value) => ({ value }),
      // The caller that runs it has noted it first. Workers reject a promise whose request has ended, which that caller never notes.
      (cause: unknown) => (slot.isEnded ? { cause } : undefined),
    );
    const shared = await waitedFor<Outcome<A>>(outcome, clock, leftMs, cancel);
    if (shared !== undefined) return use({ outcome: shared, followed: true, joined: true, random: slot.random });
    this.#remove(key, slot);
    return this.dedupe(key, clock, cancel, work, use);
  }

  /** Removes an entry, unless another caller has replaced it. */
  #remove(key: string, slot: Slot<A>): void {
    if (this.#slots.get(key) === slot) this.#slots.delete(key);
  }

  #removeOld(clock: Clock.Clock): void {
    const oldestMs = steadyMs(clock) - maxSharedWaitMs;
    for (const [key, slot] of this.#slots) if (slot.startMs < oldestMs) this.#slots.delete(key);
  }
}

/** The outcome; undefined if there is none in time. Uses a promise of this caller, as Workers require. */
const waitedFor = async <A>(
  outcome: Promise<A | undefined>,
  clock: Clock.Clock,
  ms: number,
  cancel: Cancellation,
): Promise<A | undefined> => {
  if (cancel.aborted) throw cancel.reason;
  let stop = nothing;
  let stopListening = nothing;
  try {
    return await new Promise<A | undefined>((resolve, reject) => {
      stop = after(clock, ms, () => resolve(undefined));
      stopListening = cancel.onAbort(() => reject(cancel.reason));
      // The runtime rejects a promise that can never settle.
      outcome.then(resolve, () => resolve(undefined));
    });
  } finally {
    stop();
    stopListening();
  }
};

const nothing = (): void => {};
