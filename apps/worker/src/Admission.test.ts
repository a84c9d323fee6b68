import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createAdmission, type Applicant, type Ending } from "./Admission.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.advanceTimersByTime(1_000);
});

afterEach(() => void vi.useRealTimers());

const maxWaitMs = 8_000;

const start = (isPublic = false) => {
  const clock = { ms: 1_000 };
  const changes: Array<string> = [];
  const admission = createAdmission(
    maxWaitMs,
    () => clock.ms,
    (state) => changes.push(state),
    isPublic,
  );
  /** What came of an application so far. */
  const apply = (by: Partial<Applicant> = {}) => {
    const pass = admission.enter({ owner: "alice", client: "c", resource: "r", orStale: false, ...by });
    const application = { pass, isOpen: true, result: "waiting" as string };
    void pass.then((outcome) => (application.result = "leave" in outcome ? "admitted" : outcome.problem));
    return application;
  };
  const leave = async (pass: ReturnType<typeof apply>["pass"], ending: Ending = "answered", retryAfterMs?: number) => {
    const outcome = await pass;
    if ("leave" in outcome) outcome.leave(ending, retryAfterMs);
    await passed(0);
  };
  /** Applies, and leaves with this ending. */
  const end = (ending: Ending, by: Partial<Applicant> = {}, retryAfterMs?: number) =>
    leave(apply(by).pass, ending, retryAfterMs);
  return { admission, clock, changes, apply, leave, end };
};

const passed = (ms: number) => vi.advanceTimersByTimeAsync(ms);

const many = <A>(count: number, make: (index: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, index) => make(index));

const results = async (applications: ReadonlyArray<{ readonly result: string }>) => {
  await passed(0);
  return applications.map(({ result }) => result);
};

test.each([
  ["an accepted token", 64, "busy", () => ({ owner: "known" })],
  ["another token", 64, "busy", () => ({ owner: "alice" })],
  ["no token, of one client,", 64, "busy", () => ({ owner: undefined })],
  ["other tokens of one client", 128, "crowded", (index: number) => ({ owner: `o${index}` })],
  ["other tokens", 256, "crowded", (index: number) => ({ owner: `o${index}`, client: `c${index}` })],
] as const)(
  "of %s %i requests run at once; one more waits until one of them ends, or is %s",
  async (_, most, problem, by) => {
    const { apply, leave, end } = start();
    await end("accepted", { owner: "known" });
    const first = many(most, (index) => apply(by(index)));
    expect(new Set(await results(first))).toEqual(new Set(["admitted"]));
    const [next, late] = [apply(by(most)), apply(by(most + 1))] as const;
    expect(await results([next, late])).toEqual(["waiting", "waiting"]);
    await leave((first[0] ?? next).pass);
    expect(await results([next, late])).toEqual(["admitted", "waiting"]);
    await passed(maxWaitMs - 1);
    expect(late.result).toBe("waiting");
    await passed(1);
    expect(late.result).toBe(problem);
  },
);

test.each([
  ["an accepted token", 1_024, "known"],
  ["another token", 256, "alice"],
] as const)(
  "with %s %i requests wait; one more is refused at once, until others have waited enough or have a place",
  async (_, most, owner) => {
    const { apply, leave, end } = start();
    await end("accepted", { owner: "known" });
    const first = many(64, () => apply({ owner }));
    for (let round = 0; round < 2; round++) {
      const waiting = many(most, () => apply({ owner }));
      expect(new Set(await results(waiting))).toEqual(new Set(["waiting"]));
      expect(await results([apply({ owner })])).toEqual(["busy"]);
      await passed(maxWaitMs);
      expect(new Set(await results(waiting))).toEqual(new Set(["busy"]));
    }
    const waiting = many(most, () => apply({ owner }));
    await leave((first[0] as (typeof first)[0]).pass);
    expect(await results([waiting[0] as (typeof first)[0], apply({ owner }), apply({ owner })])).toEqual([
      "admitted",
      "waiting",
      "busy",
    ]);
  },
);

test("the place of a request that never ends is free after twice the wait, and its late end frees no other", async () => {
  const { clock, apply, leave } = start();
  const lost = many(64, () => apply());
  clock.ms += maxWaitMs * 2;
  const early = apply();
  expect(await results([early])).toEqual(["waiting"]);
  clock.ms += 1;
  expect(new Set(await results(many(64, () => apply())))).toEqual(new Set(["admitted"]));
  await leave((lost[0] as (typeof lost)[0]).pass);
  expect(await results([apply()])).toEqual(["waiting"]);
});

test("users that come and go do not take the places of one that stays", async () => {
  const { apply, leave, end } = start();
  const [first] = many(64, () => apply()) as [ReturnType<typeof apply>];
  for (let index = 0; index < 4_001; index++) await end("answered", { owner: `o${index}`, client: `c${index}` });
  await leave(first.pass);
  expect(await results([apply(), apply()])).toEqual(["admitted", "waiting"]);
});

test("an accepted token waits for no others", async () => {
  const { apply, end } = start();
  await end("accepted", { owner: "known" });
  many(257, (index) => apply({ owner: `o${index}`, client: `c${index}` }));
  expect(await results([apply({ owner: "known", client: "c0" })])).toEqual(["admitted"]);
});

test("where all users are anonymous they need no places; one with a token does", async () => {
  const { apply } = start(true);
  expect(new Set(await results(many(300, () => apply({ owner: undefined }))))).toEqual(new Set(["admitted"]));
  expect((await results(many(65, () => apply()))).filter((result) => result === "admitted")).toHaveLength(64);
});

test("4,000 accepted tokens are remembered, each with a retry budget; all others share one", async () => {
  const { admission, apply, end } = start();
  const budgetOf = async (owner: string | undefined) => {
    const outcome = await apply({ owner, client: String(owner) }).pass;
    return "leave" in outcome ? outcome.budget : undefined;
  };
  await end("accepted", { owner: undefined, client: "u" });
  await end("answered", { owner: "refused" });
  expect(["refused", undefined, "without/u"].map(admission.knows)).toEqual([false, false, false]);
  await end("accepted", { owner: "o0" });
  const budget = await budgetOf("o0");
  await end("accepted", { owner: "o0" });
  expect(await budgetOf("o0")).toBe(budget);
  await end("accepted", { owner: "o1" });
  const shared = await budgetOf("refused");
  expect(
    new Set([budget, await budgetOf("o1"), shared, await budgetOf("another"), await budgetOf(undefined)]).size,
  ).toBe(3);
  for (let index = 2; index < 4_000; index++) await end("accepted", { owner: `o${index}`, client: `c${index}` });
  // Each was looked up as the first one was; the order is of the last use.
  expect(admission.knows("o2")).toBe(true);
  await end("accepted", { owner: "o4000" });
  await end("accepted", { owner: "o4001" });
  await end("accepted", { owner: "o4002" });
  expect(["o2", "o3999", "o4002"].map(admission.knows)).toEqual([true, true, true]);
  expect(many(4_000, (index) => admission.knows(`o${index}`)).filter((isKnown) => isKnown)).toHaveLength(3_997);
});

test("16 look-ups of other tokens run at once, 256 tokens wait for one, and ask again each 50 ms", async () => {
  const { admission, clock } = start();
  let underWay = 0;
  const ends: Array<() => void> = [];
  const work = async (): Promise<string> => {
    underWay += 1;
    await new Promise<void>((resolve) => ends.push(resolve));
    return "found";
  };
  const lookUp = (token: string, isKnown = false) => {
    const state = { result: "waiting" };
    void admission.lookUp(token, () => isKnown, work).then((found) => (state.result = found ?? "refused"));
    return state;
  };
  many(16, (index) => lookUp(`t${index}`));
  await passed(0);
  expect(underWay).toBe(16);
  const waiting = many(256, (index) => lookUp(`w${index}`));
  const again = lookUp("w0");
  expect(await results([...waiting.slice(0, 2), again, lookUp("one more")])).toEqual([
    "waiting",
    "waiting",
    "waiting",
    "refused",
  ]);
  lookUp("known", true);
  await passed(0);
  expect(underWay).toBe(17);
  for (const end of ends.splice(0, 2)) end();
  await passed(49);
  expect(underWay).toBe(17);
  await passed(1);
  // Known ones are not counted: of 16 two have ended.
  expect(underWay).toBe(19);
  await passed(maxWaitMs - 51);
  expect((await results(waiting)).filter((result) => result === "refused")).toEqual([]);
  await passed(1);
  expect((await results(waiting)).filter((result) => result === "refused")).toHaveLength(254);
  expect(await results([lookUp("one more")])).toEqual(["waiting"]);
  // A place that is never left is free after twice the wait.
  clock.ms += maxWaitMs * 2 + 1;
  await passed(50);
  expect(underWay).toBe(20);
});

test("waiting tokens that the runtime has ended are forgotten when their time is over", async () => {
  const { admission } = start();
  const lookUp = (token: string) =>
    admission.lookUp(
      token,
      () => false,
      () => new Promise<void>(() => {}),
    );
  // No timer of theirs fires any more.
  vi.stubGlobal("setTimeout", () => 0);
  for (const token of many(16 + 256, String)) void lookUp(token);
  vi.unstubAllGlobals();
  await passed(maxWaitMs);
  expect(await lookUp("early")).toBeUndefined();
  await passed(1);
  let isRefused = false;
  void lookUp("late").then(() => (isRefused = true));
  await passed(0);
  expect(isRefused).toBe(false);
});

test("a resource that fails is left alone for two seconds, twice as long each time up to a minute, and for its Retry-After up to an hour", async () => {
  const { admission, clock, end } = start();
  const request = { owner: "alice", client: "c", resource: "r", orStale: false };
  const leftAlone = (): number => {
    let ms = 0;
    for (const step of [1_000_000, 100_000, 10_000, 1_000, 100, 10, 1]) {
      for (; admission.isBackingOff(request); ms += step) clock.ms += step;
      clock.ms -= step;
      ms -= step;
    }
    clock.ms += 1;
    return ms + 1;
  };
  expect(admission.isBackingOff(request)).toBe(false);
  const pauses = [];
  for (let failure = 0; failure < 7; failure++) {
    await end(failure % 2 === 0 ? "failed" : "unanswered");
    expect([admission.isFailing(request), admission.isFailing({ ...request, owner: "bob" })]).toEqual([true, false]);
    pauses.push(leftAlone());
  }
  expect(pauses).toEqual([2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  await end("answered");
  expect([admission.isFailing(request), admission.isBackingOff(request)]).toEqual([false, false]);
  for (const [retryAfterMs, expected] of [
    [1, 2_000],
    [7_000, 7_000],
    [3_600_001, 3_600_000],
  ] as const) {
    await end("answered");
    await end("answered", {}, retryAfterMs);
    expect([admission.isFailing(request), leftAlone()]).toEqual([false, expected]);
  }
  await end("answered");
  await end("failed", { isWrite: true });
  await end("answered", { isWrite: true }, 5_000);
  expect([admission.isFailing(request), admission.isBackingOff(request)]).toEqual([false, false]);
  admission.backOff(request);
  expect([admission.isFailing(request), leftAlone()]).toEqual([false, 2_000]);
});

test("probes that fail are sent after half a second, twice as long each time up to five, and any answer ends that", async () => {
  const { admission, clock, changes, apply, end } = start();
  let sent = 0;
  const probe = async (send: () => Promise<unknown> = () => Promise.reject(new Error("refused"))) => {
    await admission.probe(() => {
      sent += 1;
      return send();
    });
    return sent;
  };
  const denied = async (by: Partial<Applicant> = {}) => {
    const outcome = await apply(by).pass;
    if ("leave" in outcome) outcome.leave("unsent");
    return "leave" in outcome ? undefined : outcome;
  };
  expect(await denied()).toBeUndefined();
  for (const [index, pauseMs] of [500, 1_000, 2_000, 4_000, 5_000, 5_000].entries()) {
    expect(await probe()).toBe(index + 1);
    expect(admission.isDown()).toBe(true);
    expect(await denied()).toEqual({ problem: "known-to-be-down", retryAfterMs: pauseMs });
    clock.ms += pauseMs - 1;
    expect([await probe(), await denied()]).toEqual([index + 1, { problem: "known-to-be-down", retryAfterMs: 1 }]);
    clock.ms += 1;
    expect([await denied(), await denied({ orStale: true })]).toEqual([
      undefined,
      { problem: "known-to-be-down", retryAfterMs: pauseMs },
    ]);
  }
  expect(changes).toEqual(["open"]);
  await end("unanswered");
  expect(admission.isDown()).toBe(true);
  await end("failed");
  expect([admission.isDown(), changes]).toEqual([false, ["open", "closed"]]);
  // A probe that is answered, too.
  await probe();
  clock.ms += 500;
  await probe(async () => "answer");
  expect([admission.isDown(), changes]).toEqual([false, ["open", "closed", "open", "closed"]]);
  // And a request that is answered while a probe fails.
  clock.ms += 4_999;
  const before = sent;
  expect(await probe()).toBe(before);
  clock.ms += 1;
  await probe(async () => {
    await end("answered");
    throw new Error("refused");
  });
  expect([sent, admission.isDown()]).toEqual([before + 1, false]);
});

test.each([
  [5_000, { problem: "known-to-be-down", retryAfterMs: 500 }],
  [5_001, undefined],
] as const)("a failure of %i ms ago says, while it is probed again, %j", async (ms, expected) => {
  const { admission, clock, apply } = start();
  await admission.probe(() => Promise.reject(new Error("refused")));
  clock.ms += ms;
  await apply().pass;
  void admission.probe(() => new Promise(() => {}));
  const outcome = await apply().pass;
  expect("leave" in outcome ? undefined : outcome).toEqual(expected);
});
