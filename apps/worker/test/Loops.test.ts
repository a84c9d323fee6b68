// Request loops, chained proxies, fields sent to the upstream.
import { freePort } from "@bytenite-engines/test-kit/ports";
import { expect, test } from "vitest";
import { startOrigin, startProxy, type OriginState } from "./origin.ts";
import { cacheResult } from "./served.ts";

/** Values of a field of the first request that arrived. */
const sent = ({ asked }: OriginState, name: string): ReadonlyArray<string> =>
  (asked[0]?.fields ?? []).filter((_, index, fields) => index % 2 === 1 && fields[index - 1]?.toLowerCase() === name);

test.each([undefined, "alice"])("a proxy that reaches itself answers 508 (token: %s)", async (token) => {
  const port = await freePort();
  const proxy = await startProxy(`http://127.0.0.1:${port}/v1/dev`, {}, port);
  const response = await proxy.get(token, "/engines/sound");
  expect(response.status).toBe(508);
  expect(await response.json()).toMatchObject({ message: expect.stringContaining("UPSTREAM_URL") as string });
  expect((await fetch(`${proxy.url}/-/health`)).status).toBe(200);
});

test("two proxies that reach each other answer 508", async () => {
  const ports = [await freePort(), await freePort()] as const;
  const first = await startProxy(`http://127.0.0.1:${ports[1]}/v1/dev`, {}, ports[0]);
  await startProxy(`http://127.0.0.1:${ports[0]}/v1/dev`, {}, ports[1]);
  expect((await first.get("alice", "/engines/sound")).status).toBe(508);
});

test("two proxies in a row work, and the upstream gets the Via of both", async () => {
  const origin = await startOrigin();
  const inner = await startProxy(origin.url);
  const outer = await startProxy(`${inner.url}/v1/dev`);
  const response = await outer.get("alice", "/engines/sound", { via: "1.0 before", "cdn-loop": "other; loops=1" });
  expect([response.status, cacheResult(response)]).toEqual([200, "fwd=uri-miss"]);
  const state = await origin.state();
  expect(sent(state, "via").join(", ")).toMatch(/^1.0 before, 1.1 bytenite-edge-[\w.-]+, 1.1 bytenite-edge-[\w.-]+$/);
  expect(sent(state, "cdn-loop").join(", ")).toMatch(/^other; loops=1, bytenite-edge-[\w.-]+, bytenite-edge-[\w.-]+$/);
  expect(new Set(sent(state, "cdn-loop").join(", ").split(", ")).size).toBe(3);
});

test("of two deployments with the same settings, each is itself where it has a name", async () => {
  const origin = await startOrigin();
  const url = origin.url;
  const ids = [];
  for (const DEPLOYMENT_ID of ["one", "two"]) {
    const proxy = await startProxy(url, { DEPLOYMENT_ID });
    await (await proxy.get("alice", `/engines/sound-${DEPLOYMENT_ID}`)).text();
    for (const [name, value] of [
      ["via", `1.1 bytenite-edge-${DEPLOYMENT_ID}`],
      ["cdn-loop", `bytenite-edge-${DEPLOYMENT_ID}`],
      ["cdn-loop", `other, BYTENITE-EDGE-${DEPLOYMENT_ID.toUpperCase()}; a="b"`],
    ] as const) {
      const looped = await proxy.get("alice", `/engines/sound-${DEPLOYMENT_ID}`, { [name]: value, connection: name });
      ids.push(looped.status);
      const passed = await proxy.get("alice", "/engines/sound", { [name]: value.replace(/(one|two)/i, "elsewhere") });
      ids.push(passed.status);
    }
    // A quote that one field leaves open does not hide the other.
    const open = { via: '1.1 "a', "cdn-loop": `bytenite-edge-${DEPLOYMENT_ID}` };
    ids.push((await proxy.get("alice", `/engines/sound-${DEPLOYMENT_ID}`, open)).status);
  }
  expect(ids).toEqual(Array.from({ length: 2 }, () => [508, 200, 508, 200, 508, 200, 508]).flat());
});

test.each([
  ["a first fetch", {}, "max-stale=0"],
  ["no-cache", { "cache-control": "no-cache" }, "no-cache"],
  ["no-store", { "cache-control": "no-store, max-age=0" }, "no-store"],
  ["Pragma", { pragma: "no-cache" }, "max-stale=0"],
])(
  "%s is sent with a Cache-Control of ours alone, and nothing else that was not meant",
  async (_what, headers, value) => {
    const origin = await startOrigin();
    const proxy = await startProxy(origin.url);
    await (
      await proxy.get("alice", "/engines/sound", { ...headers, cookie: "a=b", "x-other": "1", "user-agent": "" })
    ).text();
    const state = await origin.state();
    expect([sent(state, "cache-control"), sent(state, "pragma")]).toEqual([[value], ["0"]]);
    const names = (state.asked[0]?.fields ?? [])
      .filter((_, index) => index % 2 === 0)
      .map((name) => name.toLowerCase());
    const ours = ["accept", "authorization", "cache-control", "cdn-loop", "pragma", "via", "x-request-id"];
    // The runtime's own.
    const theirs = new Set(["accept-encoding", "cf-worker", "connection", "host"]);
    expect(names.filter((name) => !theirs.has(name)).toSorted()).toEqual(ours);
  },
);
