import { expect, test } from "vitest";
import { runModel } from "./model.ts";

// `node scripts/model.ts` runs a million steps.
test.each([1, 2, 3])("in random steps no user sees what the model forbids (seed %i)", async (seed) => {
  const { problems, answers, hits } = await runModel(seed, 3_000);
  expect(problems).toEqual([]);
  expect(hits).toBeGreaterThan(answers / 20);
});
