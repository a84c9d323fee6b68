import { getEventListeners } from "node:events";
import * as Effect from "effect/Effect";
import { expect, test, vi } from "vitest";
import { after, liveClock } from "./Timer.ts";
import { Cancellation } from "./Cancellation.ts";

test("a time that is over already is waited for without a warning of the runtime", async () => {
  const warnings: Array<Error> = [];
  const onWarning = (warning: Error): void => void warnings.push(warning);
  process.on("warning", onWarning);
  await new Promise<void>((resolve) => after(liveClock, -14.5, resolve));
  process.off("warning", onWarning);
  expect(warnings).toEqual([]);
});

test("what ends a request has the same end as its signal, whenever that is read", () => {
  const early = new Cancellation();
  const { signal } = early;
  early.abort("enough");
  const late = new Cancellation();
  late.abort("enough");
  const given = new AbortController();
  const outer = new Cancellation(given.signal);
  const heard: Array<unknown> = [];
  const stop = outer.onAbort(() => heard.push("stopped"));
  stop();
  expect(getEventListeners(given.signal, "abort")).toEqual([]);
  outer.onAbort(() => heard.push(outer.reason));
  given.abort("enough");
  expect(heard).toEqual(["enough"]);
  expect(outer.signal).toBe(given.signal);
  for (const cancel of [early, late, outer])
    expect([cancel.aborted, cancel.reason, cancel.signal.aborted, cancel.signal.reason]).toEqual([
      true,
      "enough",
      true,
      "enough",
    ]);
  expect(signal).toBe(early.signal);
});

test("a listener that was taken away does not hear the end", () => {
  const given = new AbortController();
  const own = new Cancellation();
  for (const [cancel, by] of [
    [own, own],
    [new Cancellation(given.signal), given],
  ] as const) {
    const heard: Array<string> = [];
    const stop = cancel.onAbort(() => heard.push("stopped"));
    cancel.onAbort(() => heard.push("left"));
    stop();
    by.abort();
    expect(heard).toEqual(["left"]);
  }
});

/** A clock on which each wait ends at once, or never. */
const clockOf = (sleep: Effect.Effect<void>) =>
  Object.assign(Object.create(liveClock) as typeof liveClock, { sleep: () => sleep });

test("on another clock a timer ends with its sleep, and not once it is stopped", async () => {
  await new Promise<void>((resolve) => after(clockOf(Effect.void), 5, resolve));
  const ended: Array<string> = [];
  const sleep = Promise.withResolvers<void>();
  const stop = after(clockOf(Effect.promise(() => sleep.promise)), 5, () => ended.push("stopped"));
  after(clockOf(Effect.promise(() => sleep.promise)), 5, () => ended.push("other"));
  stop();
  sleep.resolve();
  await expect.poll(() => ended).toEqual(["other"]);
});

test("a wait that is longer than a timer of the runtime can be is not cut short", () => {
  const delays: Array<unknown> = [];
  const spy = vi.spyOn(globalThis, "setTimeout").mockImplementation(((_then: () => void, ms: number) => {
    delays.push(ms);
    return 0;
  }) as never);
  try {
    for (const ms of [0, 7, 2_147_483_647, 2_147_483_648]) after(liveClock, ms, () => {})();
  } finally {
    spy.mockRestore();
  }
  expect(delays.slice(0, 3)).toEqual([0, 7, 2_147_483_647]);
  expect(delays.slice(3).every((ms) => Number(ms) <= 2_147_483_647)).toBe(true);
});
