// Lifetimes stated by the upstream.
import { expect, test } from "vitest";
import { answering, startOrigin, startProxy } from "./origin.ts";
import { cacheResult } from "./served.ts";

/** Cache-Status of the second and the third request for the same resource. */
const laterResults = async (headers: Readonly<Record<string, string>>): Promise<ReadonlyArray<string>> => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  const results = [];
  for (let count = 0; count < 3; count++) {
    const response = await proxy.get("alice", answering({ headers }));
    await response.arrayBuffer();
    results.push(cacheResult(response));
  }
  return results.slice(1);
};

const asked = ["fwd=stale", "fwd=stale"];

// `Age` makes an answer old without waiting for it.
test.each<[string, Record<string, string>]>([
  ["max-age=0", { "cache-control": "max-age=0" }],
  ["max-age=5, twenty seconds old", { "cache-control": "max-age=5", age: "20" }],
  ["Expires: 0", { expires: "0" }],
  ["Expires in the past", { expires: "Tue, 15 Nov 1994 12:45:26 GMT" }],
  ["CDN-Cache-Control: max-age=0", { "cdn-cache-control": "max-age=0", "cache-control": "max-age=600" }],
  ["CDN-Cache-Control: max-age=5, old", { "cdn-cache-control": "max-age=5", age: "20" }],
  ["Cloudflare-CDN-Cache-Control: max-age=0", { "cloudflare-cdn-cache-control": "max-age=0" }],
  ["s-maxage=0", { "cache-control": "s-maxage=0" }],
  ["s-maxage=5, old", { "cache-control": "s-maxage=5", age: "20" }],
  ["s-maxage=5 with a greater max-age, old", { "cache-control": "max-age=600, s-maxage=5", age: "20" }],
  ["must-revalidate, old", { "cache-control": "must-revalidate", age: "100" }],
  ["proxy-revalidate, old", { "cache-control": "proxy-revalidate", age: "100" }],
  [
    "must-revalidate with stale-while-revalidate",
    { "cache-control": "max-age=5, must-revalidate, stale-while-revalidate=600", age: "20" },
  ],
  [
    "proxy-revalidate with stale-while-revalidate",
    { "cache-control": "max-age=5, proxy-revalidate, stale-while-revalidate=600", age: "20" },
  ],
  ["s-maxage with stale-while-revalidate", { "cache-control": "s-maxage=5, stale-while-revalidate=600", age: "20" }],
  ["no-cache with stale-while-revalidate", { "cache-control": "no-cache, max-age=600, stale-while-revalidate=600" }],
  ["an invalid lifetime", { "cache-control": "max-age=soon" }],
])("%s: what the upstream states is not extended", async (_what, headers) => {
  expect(await laterResults(headers)).toEqual(asked);
});

test.each<[string, Record<string, string>]>([
  ["no lifetime", { age: "70" }],
  ["stale-while-revalidate of its own", { "cache-control": "max-age=5, stale-while-revalidate=60", age: "20" }],
  ["the same for this cache", { "cdn-cache-control": "max-age=5, stale-while-revalidate=60", age: "20" }],
])("%s: stale while it is validated, and the answer says how stale", async (_what, headers) => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  await (await proxy.get("alice", answering({ headers }))).arrayBuffer();
  const stale = await proxy.get("alice", answering({ headers }));
  expect(stale.headers.get("cache-status")).toMatch(/^bytenite-edge; hit; ttl=-1\d$/);
});

test.each<[string, number]>([
  ["max-age=0", 200],
  ["max-age=0, must-revalidate", 502],
  ["max-age=0, proxy-revalidate", 502],
  ["s-maxage=0", 502],
  ["no-cache", 502],
])("an upstream that is gone leaves the stale answer with %s: %i", async (cacheControl, status) => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  const path = answering({ headers: { "cache-control": cacheControl } });
  await (await proxy.get("alice", path)).arrayBuffer();
  await origin.kill();
  const response = await proxy.get("alice", path);
  expect([response.status, response.headers.get("cache-status")]).toEqual([
    status,
    expect.stringMatching(status === 200 ? /fwd=stale; ttl=-?\d+; detail=stale-if-error$/ : /fwd=stale$/),
  ]);
});
