import { expect, test } from "vitest";
import { cpu } from "./Bill.ts";
import { check } from "./Measured.ts";
import { isNear } from "./Report.ts";

// What a process holds and uses is read from /proc.
test.skipIf(process.platform !== "linux")(
  "the model answers from the caches what a real edge does, and asks the upstream as often",
  async () => {
    const checked = await check(1);
    // Fetched 2.5 times each: lives end in the run. A slow machine makes it more.
    expect(checked.upstream.measured).toBeGreaterThan(2.5 * checked.answers);
    expect([isNear(checked), checked]).toEqual([true, checked]);
    // Processor time grows when others use the same caches: nearer than this only a quiet machine is.
    expect(checked.exchangeCpuUs / cpu.exchange).toBeGreaterThan(1 / 3);
    expect(checked.exchangeCpuUs / cpu.exchange).toBeLessThan(3);
  },
);
