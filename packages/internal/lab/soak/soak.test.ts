import { expect, test } from "vitest";
import { linesOf } from "./Report.ts";
import { soak } from "./Soak.ts";

/** Each round begins with an import in a process of its own: it may take longer than it is meant to. */
const short = { ms: 10_000, rounds: 4, seed: 1, minRights: 100, onProgress: () => {} };

// What a process holds and uses is read from /proc.
test.skipIf(process.platform !== "linux")(
  "through faults, restarts and kills no answer is wrong, and all counts add up",
  async () => {
    const run = await soak(short);
    expect([run.imbalances, run.findings.texts]).toEqual([[], []]);
    expect(linesOf(run).filter(({ holds }) => holds === false)).toEqual([]);
    expect(run.findings.rights).toBeGreaterThanOrEqual(short.minRights);
    expect(run.did).toMatchObject({ "registry-kill": 1, "edge-kill": 1 });
  },
);
