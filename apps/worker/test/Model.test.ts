import * as fc from "fast-check";
import { expect, test } from "vitest";
import { seeded } from "@bytenite-engines/test-kit/random";
import { runModel } from "./model.ts";

// `node scripts/model.ts` runs a million steps.
test.each([1, 2, 3])("in random steps no user sees what the model forbids (seed %i)", async (seed) => {
  const { problems, answers, hits } = await runModel(seeded(seed).next, 3_000);
  expect(problems).toEqual([]);
  expect(hits).toBeGreaterThan(answers / 20);
});

test("in a few hundred steps that fast-check chooses, and shortens, no user sees what the model forbids", async () => {
  // Without its bias to small numbers, which stand for few of the steps.
  const choices = fc.noBias(fc.array(fc.nat(9_999), { minLength: 1, maxLength: 4_000, size: "max" }));
  const holds = fc.asyncProperty(choices, async (values) => {
    let next = 0;
    const { problems } = await runModel(
      () => (values[next++ % values.length] ?? 0) / 10_000,
      Math.ceil(values.length / 5),
    );
    expect(problems).toEqual([]);
  });
  // The limit is for shortening.
  await fc.assert(holds, { numRuns: 15, seed: 20, interruptAfterTimeLimit: 30_000 });
});
