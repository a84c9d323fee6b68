import { Worker } from "node:worker_threads";
import { availableParallelism } from "node:os";
import { once } from "node:events";
import { expect, test } from "vitest";
import { busyShareNow, verdictOf } from "./Verdict.ts";

const verdicts = (effort: "full" | "quick") => [0.5, 1, 1.01, 1.3].map((excess) => verdictOf({ excess }, effort, 0));

test("a full run says whether a promise is kept; a quick one leaves open what it misses by little", () => {
  expect(verdicts("full")).toEqual(["holds", "holds", "fails", "fails"]);
  expect(verdicts("quick")).toEqual(["holds", "holds", "open", "fails"]);
});

test("where the middle half of its rounds keeps a promise in part, a quick run leaves it open", () => {
  expect(verdictOf({ excess: 1.3, least: 0.9 }, "quick", 0)).toBe("open");
  expect(verdictOf({ excess: 1.3, least: 1.1 }, "quick", 0)).toBe("fails");
  expect(verdictOf({ excess: 1.3, least: 0.9 }, "full", 0)).toBe("fails");
});

test("what could not be measured is not kept", () => {
  expect(verdictOf({ excess: Number.NaN }, "full", 0)).toBe("fails");
});

test("with a noisy reference or other work no time is judged", () => {
  const steady = [10, 11, 10, 11];
  const unsteady = [10, 30, 11, 45];
  for (const excess of [0.5, 5]) {
    expect(verdictOf({ excess, reference: unsteady }, "full", 0)).toBe("noisy");
    expect(verdictOf({ excess, reference: [] }, "full", 0)).toBe("noisy");
    expect(verdictOf({ excess, reference: steady }, "full", 0.6)).toBe("noisy");
    expect(verdictOf({ excess, reference: steady }, "full", 0.1)).toBe(excess > 1 ? "fails" : "holds");
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
