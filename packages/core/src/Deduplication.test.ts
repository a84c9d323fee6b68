import { getEventListeners } from "node:events";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import { expect, test, vi } from "vitest";
import { Cancellation } from "./Cancellation.ts";
import { InFlight, type Shared } from "./Deduplication.ts";
import { liveClock } from "./Timer.ts";

/** A clock that stands still, and the waits on it by their milliseconds. */
const stopped = () => {
  const time = { nowMs: 0, waits: new Map<number, () => void>() };
  const clock = Object.assign(Object.create(liveClock) as typeof liveClock, {
    monotonicTimeNanosUnsafe: () => BigInt(time.nowMs) * 1_000_000n,
    sleep: (duration: Duration.Duration) =>
      Effect.promise(() => new Promise<void>((end) => time.waits.set(Duration.toMillis(duration), end))),
  });
  return { time, clock };
};

/** Calls of one key, and what they heard. */
const calls = () => {
  const { time, clock } = stopped();
  const inFlight = new InFlight<{ n: number }>((value) => ({ ...value }));
  const works: Array<PromiseWithResolvers<{ n: number }>> = [];
  const shared: Array<Shared> = [];
  const call = (cancel = new Cancellation(), key = "k"): Promise<{ n: number }> => {
    const state: { shared?: Shared } = {};
    const answer = inFlight.dedupe(key, { clock, cancel, state }, () => {
      const work = Promise.withResolvers<{ n: number }>();
      works.push(work);
      return work.promise;
    });
    const note = (): void => {
      if (state.shared !== undefined) shared.push(state.shared);
    };
    answer.then(note, note);
    return answer;
  };
  return { time, works, shared, call };
};

const value = { n: 1 };

test("calls at once are one piece of work, each with a copy and the same random number", async () => {
  const { works, shared, call } = calls();
  const answers = [call(), call(), call()];
  expect(works).toHaveLength(1);
  works[0]?.resolve(value);
  const got = await Promise.all(answers);
  expect(got).toEqual([value, value, value]);
  expect(new Set([...got, value]).size).toBe(4);
  expect(shared.map(({ followed }) => Number(followed)).toSorted((a, b) => a - b)).toEqual([0, 1, 1]);
  expect(new Set(shared.map(({ random }) => random)).size).toBe(1);
});

test("a call alone gets the value itself, and one after it works anew", async () => {
  const { works, shared, call } = calls();
  for (const round of [0, 1]) {
    const answer = call();
    works[round]?.resolve(value);
    expect(await answer).toBe(value);
  }
  expect([works.length, shared]).toEqual([2, []]);
});

test("other keys are other work", () => {
  const { works, call } = calls();
  void call();
  void call(undefined, "other");
  expect(works).toHaveLength(2);
});

test("a failure is that of all who waited", async () => {
  const { works, shared, call } = calls();
  const answers = Promise.allSettled([call(), call()]);
  const failure = new Error("down");
  works[0]?.reject(failure);
  expect(await answers).toEqual(Array.from({ length: 2 }, () => ({ status: "rejected", reason: failure })));
  expect(shared.map(({ followed }) => Number(followed)).toSorted((a, b) => a - b)).toEqual([0, 1]);
});

test("who waits for a call that gives up does the work, and the next one waits for that", async () => {
  const { works, call } = calls();
  const cancel = new Cancellation();
  const leader = call(cancel).catch(() => "given up");
  const followers = [call(), call()];
  cancel.abort();
  works[0]?.reject(new Error("given up"));
  expect(await leader).toBe("given up");
  await expect.poll(() => works.length).toBe(2);
  works[1]?.resolve(value);
  expect(await Promise.all(followers)).toEqual([value, value]);
  expect(works).toHaveLength(2);
});

test("who waits for a call that ended without a word, as in Workers, does the work", async () => {
  const { clock } = stopped();
  const inFlight = new InFlight<string>((value) => value);
  const ended = new Promise<string>(() => {});
  // Who runs it hears nothing any more, and the others that it failed.
  vi.spyOn(ended, "then")
    .mockReturnValueOnce(new Promise(() => {}))
    .mockImplementation((_, fail) => Promise.reject(new Error("ended")).catch(fail));
  const call = (work: () => Promise<string>) =>
    inFlight.dedupe("k", { clock, cancel: new Cancellation(), state: {} }, work);
  void call(() => ended);
  expect(await call(() => Promise.resolve("done"))).toBe("done");
});

test("a call waits three seconds at most, from when the work began", async () => {
  const { time, works, call } = calls();
  void call();
  time.nowMs = 2_999;
  const late = call();
  expect([works.length, [...time.waits.keys()]]).toEqual([1, [1]]);
  time.waits.get(1)?.();
  await expect.poll(() => works.length).toBe(2);
  // It is the newer work that is waited for now.
  const later = call();
  expect([...time.waits.keys()]).toEqual([1, 3_000]);
  works[1]?.resolve(value);
  expect(await Promise.all([late, later])).toEqual([value, value]);
  expect(works).toHaveLength(2);
});

test("work of three seconds is not waited for", () => {
  const { time, works, call } = calls();
  void call();
  time.nowMs = 3_000;
  void call();
  expect(works).toHaveLength(2);
});

test("who gives up waiting does so with its own reason, and the others go on", async () => {
  const { works, call } = calls();
  const [early, late] = [new Cancellation(), new Cancellation()];
  early.abort("before");
  const leader = call();
  const waits = Promise.allSettled([call(early), call(late)]);
  late.abort("while");
  expect(await waits).toEqual(["before", "while"].map((reason) => ({ status: "rejected", reason })));
  const { signal } = new AbortController();
  const patient = call(new Cancellation(signal));
  works[0]?.resolve(value);
  expect([await leader, await patient, works.length]).toEqual([value, value, 1]);
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

test("work that never ends is forgotten after three seconds, once other work begins", async () => {
  setFlagsFromString("--expose-gc");
  const collectGarbage = runInNewContext("gc") as () => void;
  const { time, clock } = stopped();
  const inFlight = new InFlight<{ n: number }>((value) => value);
  const caller = { clock, cancel: new Cancellation(), state: {} };
  const begin = (key: string): WeakRef<Promise<unknown>> => {
    const never = new Promise<{ n: number }>(() => {});
    void inFlight.dedupe(key, caller, () => never);
    return new WeakRef(never);
  };
  const kept = async (works: ReadonlyArray<WeakRef<Promise<unknown>>>): Promise<ReadonlyArray<boolean>> => {
    // A WeakRef holds its target until the end of the turn.
    await new Promise((resolve) => void setImmediate(resolve));
    collectGarbage();
    return works.map((work) => work.deref() !== undefined);
  };
  const works = [begin("a")];
  time.nowMs = 1;
  works.push(begin("b"));
  time.nowMs = 2_999;
  works.push(begin("c"));
  expect(await kept(works)).toEqual([true, true, true]);
  time.nowMs = 3_000;
  works.push(begin("d"));
  expect(await kept(works)).toEqual([false, true, true, true]);
  time.nowMs = 5_999;
  works.push(begin("e"));
  expect(await kept(works)).toEqual([false, true, true, true, true]);
  time.nowMs = 6_000;
  works.push(begin("f"));
  expect(await kept(works)).toEqual([false, false, false, false, true, true]);
});
