import * as Deferred from "effect/Deferred";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Fiber from "effect/Fiber";
import { expect, test } from "vitest";
import { shared, type InFlight } from "./Sharing.ts";

interface Value {
  readonly number: number;
  readonly copied: boolean;
}

/** An exchange that ends when it is told to, and counts how often it is begun and cut off. */
const exchange = () => {
  const inFlight: InFlight<Value, string> = new Map();
  const counts = { begun: 0, cut: 0 };
  const end = Deferred.makeUnsafe<Value, string>();
  const run = Effect.suspend(() => {
    counts.begun += 1;
    return Effect.onInterrupt(Deferred.await(end), () => Effect.sync(() => (counts.cut += 1)));
  });
  const call = (key = "a") => shared(inFlight, key, run, (value) => ({ ...value, copied: true }));
  return { inFlight, counts, end, call };
};

const fork = <A, E>(effect: Effect.Effect<A, E>): Fiber.Fiber<A, E> => Effect.runFork(effect);
const results = (fibers: ReadonlyArray<Fiber.Fiber<Value, string>>) =>
  Promise.all(fibers.map((fiber) => Effect.runPromiseExit(Fiber.join(fiber))));

test("identical calls share one exchange; each follower has a copy of its own", async () => {
  const { inFlight, counts, end, call } = exchange();
  const fibers = [1, 2, 3].map(() => fork(call()));
  expect(counts.begun).toBe(1);
  Deferred.doneUnsafe(end, Exit.succeed({ number: 7, copied: false }));
  const values = (await results(fibers)).map((exit) => (Exit.isSuccess(exit) ? exit.value : undefined));
  expect(values).toEqual([
    { number: 7, copied: false },
    { number: 7, copied: true },
    { number: 7, copied: true },
  ]);
  expect(values[1]).not.toBe(values[2]);
  expect(inFlight.size).toBe(0);
});

test("different keys share nothing", () => {
  const { counts, call } = exchange();
  const fibers = [fork(call("a")), fork(call("b"))];
  expect(counts.begun).toBe(2);
  for (const fiber of fibers) fiber.interruptUnsafe();
});

test("a failure is everybody's failure", async () => {
  const { inFlight, end, call } = exchange();
  const fibers = [1, 2].map(() => fork(call()));
  Deferred.doneUnsafe(end, Exit.fail("down"));
  expect(await results(fibers)).toEqual([Exit.fail("down"), Exit.fail("down")]);
  expect(inFlight.size).toBe(0);
});

test("a call after the end begins anew", async () => {
  const { counts, end, call } = exchange();
  Deferred.doneUnsafe(end, Exit.succeed({ number: 1, copied: false }));
  await Effect.runPromise(call());
  await Effect.runPromise(call());
  expect(counts.begun).toBe(2);
});

test("when the leader is interrupted, one follower begins anew and the others follow it", async () => {
  const { inFlight, counts, end, call } = exchange();
  const [leader, ...followers] = [1, 2, 3, 4].map(() => fork(call()));
  await Effect.runPromise(Fiber.interrupt(leader as Fiber.Fiber<Value, string>));
  await expect.poll(() => counts.begun).toBe(2);
  Deferred.doneUnsafe(end, Exit.succeed({ number: 9, copied: false }));
  const values = (await results(followers)).map((exit) => (Exit.isSuccess(exit) ? exit.value.number : undefined));
  expect(values).toEqual([9, 9, 9]);
  expect(counts).toEqual({ begun: 2, cut: 1 });
  expect(inFlight.size).toBe(0);
});

test("a follower that is interrupted leaves the exchange to the others", async () => {
  const { inFlight, counts, end, call } = exchange();
  const [leader, follower] = [1, 2].map(() => fork(call())) as [Fiber.Fiber<Value, string>, Fiber.Fiber<Value, string>];
  await Effect.runPromise(Fiber.interrupt(follower));
  expect([...inFlight.values()].map((followers) => followers.length)).toEqual([0]);
  Deferred.doneUnsafe(end, Exit.succeed({ number: 1, copied: false }));
  expect(Exit.isSuccess((await results([leader]))[0] as Exit.Exit<Value, string>)).toBe(true);
  expect(counts).toEqual({ begun: 1, cut: 0 });
});

test("a follower that gives up another one as soon as it goes on leaves nobody waiting", async () => {
  const { end, call } = exchange();
  const leader = fork(call());
  const others: Array<Fiber.Fiber<Value, string>> = [];
  const first = fork(Effect.tap(call(), () => Effect.sync(() => others[0]?.interruptUnsafe())));
  others.push(fork(call()), fork(call()), fork(call()));
  Deferred.doneUnsafe(end, Exit.succeed({ number: 3, copied: false }));
  const exits = await results([leader, first, ...others]);
  expect(exits.map((exit) => (Exit.isSuccess(exit) ? exit.value.number : "interrupted")).toSpliced(2, 1)).toEqual([
    3, 3, 3, 3,
  ]);
});

test("when all are interrupted the exchange is cut off and nothing is left", async () => {
  const { inFlight, counts, call } = exchange();
  const fibers = [1, 2, 3].map(() => fork(call()));
  await Effect.runPromise(Fiber.interruptAll(fibers));
  expect(counts.begun).toBe(counts.cut);
  expect(inFlight.size).toBe(0);
});
