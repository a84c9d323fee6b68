import { Worker } from "node:worker_threads";
import { availableParallelism } from "node:os";
import { once } from "node:events";
import { expect, test } from "vitest";
import { busyShareNow, verdictOf } from "./Verdict.ts";

const rounds = (...shares: ReadonlyArray<number>) => ({ rounds: shares });

/** Rounds that say the same. */
const steadily = (share: number) => rounds(share, share, share);

const verdicts = (effort: "full" | "quick") =>
  [0.5, 1, 1.01, 1.3].map((share) => verdictOf(steadily(share), effort, 0));

test("a full run says whether a promise is kept; a quick one leaves open what it misses by little", () => {
  expect(verdicts("full")).toEqual(["holds", "holds", "fails", "fails"]);
  expect(verdicts("quick")).toEqual(["holds", "holds", "open", "fails"]);
});

test("where the median of more rounds could be on the other side of the limit, nothing is claimed", () => {
  const spread = rounds(0.6, 0.7, 0.9, 1.2, 1.3);
  expect([verdictOf(spread, "full", 0), verdictOf(spread, "quick", 0)]).toEqual(["unclear", "open"]);
  const beyond = rounds(0.9, 1.3, 1.4, 1.5, 1.6);
  expect([verdictOf(beyond, "full", 0), verdictOf(beyond, "quick", 0)]).toEqual(["unclear", "open"]);
  // One round says nothing; of a hundred a few on the other side change nothing.
  expect([verdictOf(rounds(0.5), "full", 0), verdictOf(rounds(1.5), "full", 0)]).toEqual(["unclear", "unclear"]);
  const hundred = Array.from({ length: 100 }, (_, index) => (index < 30 ? 1.2 : 0.8));
  expect([verdictOf(rounds(...hundred), "full", 0), verdictOf(rounds(...hundred.slice(0, 60)), "full", 0)]).toEqual([
    "holds",
    "unclear",
  ]);
});

test("what could not be measured is not kept", () => {
  expect(verdictOf(steadily(Number.NaN), "full", 0)).toBe("fails");
});

test("with a noisy reference or other work no time is judged", () => {
  const steady = [10, 11, 10, 11];
  const unsteady = [10, 30, 11, 45];
  for (const share of [0.5, 5]) {
    const timed = steadily(share);
    expect(verdictOf({ ...timed, reference: unsteady }, "full", 0)).toBe("noisy");
    expect(verdictOf({ ...timed, reference: [] }, "full", 0)).toBe("noisy");
    expect(verdictOf({ ...timed, reference: steady }, "full", 0.6)).toBe("noisy");
    expect(verdictOf({ ...timed, reference: steady }, "full", 0.1)).toBe(share > 1 ? "fails" : "holds");
  }
});

test("what does not depend on time is judged on any machine", () => {
  expect([verdictOf(true, "quick", 1), verdictOf(false, "full", 1)]).toEqual(["holds", "fails"]);
});

test("work on all processors is seen", async () => {
  const busy = Array.from(
    { length: availableParallelism() },
    () => new Worker("require('node:worker_threads').parentPort.postMessage(0); for (;;);", { eval: true }),
  );
  await Promise.all(busy.map((worker) => once(worker, "message")));
  const share = await busyShareNow();
  await Promise.all(busy.map((worker) => worker.terminate()));
  expect(share).toBeGreaterThan(0.5);
});
