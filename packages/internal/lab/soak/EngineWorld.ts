// History of all engines, as known from outside.
import type { Engine } from "@bytenite-engines/proto";

/** One version of an engine, as its owner sees it. */
export interface Held {
  readonly engine: Engine;
  /** The name of its owner. */
  readonly user: string;
  /** Its place in the order in which versions came into the database. */
  readonly number: number;
}

/** All engines between two changes. */
export interface State {
  /** Before the change to it began. It was not in force earlier. In milliseconds since the epoch. */
  readonly fromMs: number;
  /** When the change to the next one was on disk. It was not in force later. */
  untilMs: number;
  /** By owner, name and version. */
  readonly engines: ReadonlyMap<string, Held>;
}

export const keyOf = (user: string, { name, version }: Pick<Engine, "name" | "version">): string =>
  `${user}/${name}@${version}`;

/** Keeps the states that an answer may still be about. */
export class EngineWorld {
  readonly #keptMs: number;
  readonly #states: Array<State> = [{ fromMs: 0, untilMs: Number.POSITIVE_INFINITY, engines: new Map() }];
  #numbers = 0;
  #changing: Promise<unknown> = Promise.resolve();

  /** States that ended longer ago than `keptMs` are forgotten. */
  constructor(keptMs: number) {
    this.#keptMs = keptMs;
  }

  get current(): State {
    return this.#states.at(-1) as State;
  }

  /** The number of the next version that comes in. */
  nextNumber(): number {
    this.#numbers += 1;
    return this.#numbers;
  }

  /** Resolves when every change that may be on disk already is noted here, too. */
  settled(): Promise<unknown> {
    return this.#changing;
  }

  /** A change that will be noted before it resolves. One at a time. */
  async during(change: () => Promise<void>): Promise<void> {
    const changing = change();
    // Who waits wants to know that it is over, not how it went.
    this.#changing = changing.catch(() => {});
    await changing;
  }

  /** Notes a change that was made between two moments. */
  change(beganMs: number, endedMs: number, engines: ReadonlyMap<string, Held>): void {
    this.current.untilMs = endedMs;
    this.#states.push({ fromMs: beganMs, untilMs: Number.POSITIVE_INFINITY, engines });
    const forgotten = this.#states.findIndex((state) => state.untilMs >= endedMs - this.#keptMs);
    if (forgotten > 0) this.#states.splice(0, forgotten);
  }

  /** The states that may have been in force at some moment of a stretch of time, the latest first. */
  between(fromMs: number, toMs: number): ReadonlyArray<State> {
    return this.#states.filter((state) => state.fromMs <= toMs && state.untilMs >= fromMs).toReversed();
  }
}
