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
