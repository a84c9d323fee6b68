// Purge log shared by two deployments of the built Worker.
import { compatibilityDate, directSocket, emulate, moduleOf, originOf } from "@bytenite-engines/test-kit";
import { expect, onTestFinished, test } from "vitest";
import { builtWorker } from "../scripts/built.ts";
import { startOrigin } from "./origin.ts";
import { adminSecret, cacheResult } from "./served.ts";

const isolates = 2;

const start = async () => {
  const origin = await startOrigin();
  const code = await builtWorker();
  const env = {
    UPSTREAM_URL: { type: "text" as const, value: origin.url },
    ADMIN_SECRET: { type: "text" as const, value: adminSecret },
    EDGE_TIER: { type: "text" as const, value: "off" },
    PURGE_LOG: { type: "durable-object" as const, worker: "edge0", exportName: "PurgeLog" },
  };
  const miniflare = await emulate(
    Array.from({ length: isolates }, (_, index) => ({
      config: {
        name: `edge${index}`,
        compatibilityDate,
        manifest: moduleOf(code),
        env,
        exports: { PurgeLog: { type: "durable-object" as const, storage: "sqlite" as const } },
      },
      dev: directSocket,
    })),
  );
  onTestFinished(() => miniflare.dispose());
  const urls = await Promise.all(Array.from({ length: isolates }, (_, index) => originOf(miniflare, `edge${index}`)));
  return {
    get: (index: number, path: string) =>
      fetch(`${urls[index]}/v1/dev${path}`, { headers: { authorization: "alice", accept: "application/json" } }),
    purge: (index: number, query: string) =>
      fetch(`${urls[index]}/-/purge?${query}`, { method: "POST", headers: { authorization: adminSecret } }),
  };
};

test("of a log that is too long the oldest purges become one of everything", async () => {
  const { get, purge } = await start();
  const find = async () => {
    const response = await get(1, "/engines/zipper");
    await response.arrayBuffer();
    return cacheResult(response);
  };
  for (const expected of ["fwd=uri-miss", "hit"]) expect(await find()).toBe(expected);
  for (let sent = 0; sent < 5_120; sent += 64) {
    await Promise.all(Array.from({ length: 64 }, async () => (await purge(0, "tag=other")).arrayBuffer()));
  }
  await expect.poll(find, { timeout: 15_000, interval: 500 }).toBe("fwd=uri-miss");
});

test("purges that arrive at two isolates at the same time all hold in both, within seconds", async () => {
  const { get, purge } = await start();
  const names = Array.from({ length: 20 }, (_, index) => `sound-${index}`);
  for (const index of [0, 1]) {
    for (const name of names) await (await get(index, `/engines/${name}`)).arrayBuffer();
  }
  const answers = await Promise.all(names.map((name, index) => purge(index % 2, `tag=${name}&hard=true`)));
  expect(await answers[0]?.text()).toContain("everywhere");
  for (const index of [0, 1]) {
    // What is not purged stays a hit; each name that was purged elsewhere is asked for again.
    await expect
      .poll(
        async () => {
          const response = await get(index, `/engines/sound-${index === 0 ? 19 : 18}`);
          await response.arrayBuffer();
          return cacheResult(response);
        },
        { timeout: 15_000, interval: 500 },
      )
      .toBe("fwd=uri-miss");
    const others = names.slice(0, 18);
    const results = await Promise.all(others.map(async (name) => cacheResult(await get(index, `/engines/${name}`))));
    expect(new Set(results)).toEqual(new Set(["fwd=uri-miss"]));
  }
});
