// A few rounds of kill -9 and a full disk during uploads.
import { expect, test } from "vitest";
import { crashRounds } from "./UploadCrash.ts";

test("after kill -9 during uploads, and on a full disk, what was acknowledged is there, and every archive is whole", async () => {
  const { rounds, acknowledged, problems } = await crashRounds(3);
  expect([rounds, problems]).toEqual([3, []]);
  expect(acknowledged).toBeGreaterThan(0);
});
