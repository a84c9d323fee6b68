// Short forms of outage, stampede and large responses.
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { measureLargeBodies } from "./EdgeLargeBodies.ts";
import { measureOutage } from "./EdgeOutage.ts";
import { measureStampedes } from "./EdgeStampede.ts";
import { builtWorker } from "./EdgeStack.ts";

const outage = {
  users: 5,
  engines: 10,
  unknownEngines: 2,
  forMs: 4_000,
  // An upstream that does not answer is probed every 5 s; a resource that failed is tried again after 2 s, then 4 s.
  watchMs: 60_000,
  perSecond: 50,
  variables: {
    GET_FRESH_SECONDS: "1",
    GET_STALE_WHILE_REVALIDATE_SECONDS: "0",
    ATTEMPT_TIMEOUT_MS: "1500",
    DEADLINE_MS: "3000",
  },
};

test.concurrent.for(["cut", "hangs"] as const)(
  "while the upstream %s, what is stored is served; then all is fresh again",
  async (how, { expect }) => {
    const { during, attempts, recoveryMs } = await measureOutage({ ...outage, how });
    expect(during).toHaveLength(200);
    const failed = during.filter(({ kind }) => !kind.startsWith("200 "));
    expect(failed.filter(({ isStored }) => isStored)).toEqual([]);
    expect(failed.filter(({ kind }) => !/^50[234] [a-z_]+$/.test(kind))).toEqual([]);
    expect(during.some(({ kind }) => kind.startsWith("200 stale"))).toBe(true);
    expect(attempts).toBeLessThan(during.length);
    expect(recoveryMs).toBeDefined();
  },
);

test("a stampede costs one upstream request; of what must not be stored, all are asked for side by side", async () => {
  const requests = 100;
  const [cacheable, ...others] = await measureStampedes(requests, 33);
  expect(cacheable).toMatchObject({ good: requests, upstreamRequests: 1 });
  expect(others.map(({ good, upstreamRequests }) => [good, upstreamRequests])).toEqual(
    others.map(() => [requests, requests]),
  );
  for (const { mostAtOnce } of others) expect(mostAtOnce).toBeGreaterThanOrEqual(33);
  // From then on no request waits to learn that.
  expect(others.map(({ beforeAnswer }) => beforeAnswer > 1)).toEqual([false, true, true]);
});

test("eight answers of 15 MiB at once are complete, and not all in memory", async () => {
  const bytes = 15 * 2 ** 20;
  const { beforeMib, peakMib, whole } = await measureLargeBodies(await readFile(builtWorker, "utf8"), 8, bytes, 1);
  expect(whole).toBe(8);
  expect(peakMib - beforeMib).toBeLessThan(110);
});
