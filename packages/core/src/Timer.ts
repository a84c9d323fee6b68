// Timers and cancellation of calls.
import * as Clock from "effect/Clock";
import * as Context from "effect/Context";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";

/** The clock of the runtime. */
export const liveClock = /* @__PURE__ */ Context.get(Context.empty(), Clock.Clock);

/** The monotonic time in milliseconds: not the time of day, which can be set back. */
export const steadyMs = (clock: Clock.Clock): number => Number(clock.monotonicTimeNanosUnsafe()) / 1e6;

/** Longest delay of `setTimeout`, in milliseconds. */
const maxTimerMs = 2_147_483_647;

/**
 * Runs `then` after so many milliseconds on the clock, unless stopped. On the runtime's own clock that is one timer, where a
 * sleeping fiber would cost a tenth of the call; on any other clock (TestClock) a fiber sleeps.
 */
export const after = (clock: Clock.Clock, ms: number, then: () => void): (() => void) => {
  if (clock === liveClock && ms <= maxTimerMs) {
    // Node warns of negative delays on stderr.
    const timer = setTimeout(then, Math.max(0, ms));
    return () => clearTimeout(timer);
  }
  const sleeper = Effect.runFork(clock.sleep(Duration.millis(ms)));
  sleeper.addObserver((exit) => {
    if (Exit.isSuccess(exit)) then();
  });
  return () => sleeper.interruptUnsafe();
};

/** What ends a request. Its AbortSignal is made when somebody reads it: that and a listener take a fifth of the time of a call. */
export class Cancellation {
  readonly #given: AbortSignal | undefined;
  #controller: AbortController | undefined;
  #listeners: Set<() => void> | undefined;
  #ended: { readonly reason: unknown } | undefined;

  /** `signal`: what ends it instead of `abort`. */
  constructor(signal?: AbortSignal) {
    this.#given = signal;
  }

  get aborted(): boolean {
    return this.#given?.aborted ?? this.#ended !== undefined;
  }

  get reason(): unknown {
    return (this.#given ?? this.#ended)?.reason;
  }

  get signal(): AbortSignal {
    if (this.#given !== undefined) return this.#given;
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#ended !== undefined) this.#controller.abort(this.#ended.reason);
    }
    return this.#controller.signal;
  }

  /** Calls back once it ends. Returns what takes the listener away. */
  onAbort(listener: () => void): () => void {
    const signal = this.#given;
    if (signal !== undefined) {
      signal.addEventListener("abort", listener, { once: true });
      return () => signal.removeEventListener("abort", listener);
    }
    const listeners = (this.#listeners ??= new Set());
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  abort(reason: unknown = new DOMException("This operation was aborted", "AbortError")): void {
    if (this.#ended !== undefined) return;
    this.#ended = { reason };
    this.#controller?.abort(reason);
    for (const listener of this.#listeners ?? []) listener();
  }
}
