import { expect, test } from "vitest";
import { bne, startBne } from "./Bne.ts";
import { onTerminal } from "./Pty.ts";
import { claimedAge, startStaleCache } from "./StaleCache.ts";
import { trial } from "./Trial.ts";

const { registry, home } = await trial();
const env = (url: string): Record<string, string> => ({
  BYTENITE_BASE_URL: url,
  BYTENITE_TOKEN: registry.tokens["alice"] ?? "",
});

test("--fresh asks past caches, for every read", async () => {
  await using cache = await startStaleCache(registry.url);
  for (const args of [
    ["list", "--all"],
    ["get", "zipper"],
    ["status", "zipper"],
    ["versions", "zipper"],
    ["diff", "zipper", "zipper@0.1"],
    ["export", "--all"],
    ["raw", "GET", "/engines"],
  ]) {
    cache.asked.length = 0;
    expect({ args, code: (await bne(home, args, { env: env(cache.url) })).code }).toEqual({ args, code: 0 });
    expect(cache.asked.filter((asked) => asked?.includes("no-cache"))).toEqual([]);
    cache.asked.length = 0;
    expect((await bne(home, [...args, "--fresh"], { env: env(cache.url) })).code).toBe(0);
    expect(cache.asked.length).toBeGreaterThan(0);
    expect(cache.asked.filter((asked) => asked?.includes("no-cache") !== true)).toEqual([]);
  }
});

test("watch, wait, doctor and auth status ask past caches by themselves", async () => {
  await using cache = await startStaleCache(registry.url);
  for (const args of [["watch", "zipper", "--timeout", "100ms"], ["wait", "zipper"], ["doctor"], ["auth", "status"]]) {
    cache.asked.length = 0;
    expect({ args, code: (await bne(home, args, { env: env(cache.url) })).code }).toEqual({ args, code: 0 });
    expect(cache.asked.length).toBeGreaterThan(0);
    const others = cache.asked.filter((asked) => asked?.includes("no-cache") !== true);
    expect({ args, others }).toEqual({ args, others: [] });
  }
});

test("watch and wait see a change behind a cache that keeps everything", async () => {
  await using cache = await startStaleCache(registry.url);
  await registry.publish("alice", { name: "behind", version: "1.0", status: "inactive" });
  await bne(home, ["status", "behind"], { env: env(cache.url) });
  const child = startBne(home, ["wait", "behind", "--interval", "20ms", "--trace"], { env: env(cache.url) });
  const ended = new Promise((resolve) => child.on("close", resolve));
  await new Promise((resolve) => child.stderr.once("data", resolve));
  registry.change("alice", "behind", "activate");
  expect(await ended).toBe(0);
});

test("an answer from a cache shows its age on a terminal and with --verbose", async () => {
  await using cache = await startStaleCache(registry.url);
  await bne(home, ["list"], { env: env(cache.url) });
  const run = onTerminal(home, ["list", "--no-pager"], { env: env(cache.url) });
  expect(await run.ended).toBe(0);
  expect(run.raw()).toContain(`As it was ${claimedAge} s ago, from a cache; --fresh asks past it.`);
  expect((await bne(home, ["list"], { env: env(cache.url) })).stderr).toBe("");
  expect((await bne(home, ["list", "--verbose"], { env: env(cache.url) })).stderr).toContain(`${claimedAge} s ago`);
  const fresh = onTerminal(home, ["list", "--no-pager", "--fresh"], { env: env(cache.url) });
  await fresh.ended;
  expect(fresh.raw()).not.toContain("s ago, from a cache");
});

test("the clock check of doctor is not fooled by the age of an answer", async () => {
  await using cache = await startStaleCache(registry.url);
  const { stdout } = await bne(home, ["doctor", "--output", "json"], { env: env(cache.url) });
  const { checks } = JSON.parse(stdout) as { checks: Array<{ check: string; state: string; detail: string }> };
  expect(checks.filter(({ check }) => check === "clock")).toEqual([
    expect.objectContaining({ state: "ok", detail: "agrees with ours" }),
  ]);
});
