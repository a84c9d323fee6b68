// Cache-Control for clients and for this cache (RFC 9213).
import { expect, test } from "vitest";
import { answering, startOrigin, startProxy } from "./origin.ts";
import { cacheResult } from "./served.ts";

type Fields = Readonly<Record<string, string>>;

const cases: ReadonlyArray<[Fields, string, "hit" | "miss"]> = [
  // A targeted field is for this cache, and ends here.
  [{ "cache-control": "no-store", "cdn-cache-control": "max-age=600" }, "private, no-store", "hit"],
  [{ "cache-control": "max-age=600", "cdn-cache-control": "no-store" }, "private, max-age=600", "miss"],
  [{ "cache-control": "max-age=600", "cdn-cache-control": "max-age=5" }, "private, max-age=600", "hit"],
  [{ "cache-control": "no-cache", "cloudflare-cdn-cache-control": "max-age=600" }, "private, no-cache", "hit"],
  [{ "cache-control": "private", "cdn-cache-control": "max-age=600" }, "private", "hit"],
  // As the upstream sent it, for one client.
  [{ "cache-control": "public, max-age=30, immutable" }, "private, max-age=30, immutable", "hit"],
  [{ "cache-control": "max-age=30, s-maxage=60" }, "private, max-age=30", "hit"],
  [{ "cache-control": "max-age=30, must-revalidate" }, "private, max-age=30, must-revalidate", "hit"],
  [{ "cache-control": "max-age=30, no-transform" }, "private, max-age=30, no-transform", "hit"],
  [{ "cache-control": "PUBLIC, Max-Age=30, S-MaxAge=60" }, "private, Max-Age=30", "hit"],
  [
    { "cache-control": "max-age=30, stale-while-revalidate=5, stale-if-error=6" },
    "private, max-age=30, stale-while-revalidate=5, stale-if-error=6",
    "hit",
  ],
  [{ "cache-control": 'max-age=30, private="x-a, x-b"' }, "private, max-age=30", "hit"],
  [
    { "cache-control": 'max-age=30, no-cache="set-cookie, public"' },
    'private, max-age=30, no-cache="set-cookie, public"',
    "hit",
  ],
  [{ "cache-control": 'max-age=30, extension="a, public"' }, 'private, max-age=30, extension="a, public"', "hit"],
  [{ "cache-control": "max-age=30, public=1, s-maxage=" }, "private, max-age=30", "miss"],
  [{ "cache-control": "public" }, "private", "hit"],
  // Where it said nothing to clients: ours, and no longer than this cache itself may use it.
  [{}, "private, max-age=60", "hit"],
  [{ "cache-control": "" }, "private, max-age=60", "hit"],
  [{ "cdn-cache-control": "max-age=600" }, "private, max-age=60", "hit"],
  [{ "cdn-cache-control": "max-age=5" }, "private, max-age=5", "hit"],
  [{ "cdn-cache-control": "no-store" }, "private, no-store", "miss"],
  [{ expires: "0" }, "private, max-age=0", "miss"],
  [{ expires: "0", "cdn-cache-control": "max-age=600" }, "private, max-age=0", "hit"],
];

test.each(cases)("%j reaches the client as %s", async (headers, cacheControl, second) => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  for (const expected of ["miss", second]) {
    const response = await proxy.get("alice", answering({ headers }));
    await response.arrayBuffer();
    expect([cacheResult(response) === "hit" ? "hit" : "miss", response.headers.get("cache-control")]).toEqual([
      expected,
      cacheControl,
    ]);
    const targeted = [...response.headers.keys()].filter((name) => /.-cache-control$|^surrogate-control$/.test(name));
    expect(targeted).toEqual([]);
  }
});

test("Expires goes with the Cache-Control that it came with", async () => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  const expires = "Tue, 15 Nov 2044 12:45:26 GMT";
  const headersOf = async (fields: Fields) =>
    (await proxy.get("alice", answering({ headers: { expires, ...fields } }))).headers;
  expect((await headersOf({ "cache-control": "must-revalidate" })).get("expires")).toBe(expires);
  expect((await headersOf({})).get("expires")).toBeNull();
});

test("fields that name other caches go no further, since none may share an answer", async () => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  const headers = { "example-cache-control": "max-age=600", "surrogate-control": "max-age=600", "x-kept": "1" };
  const response = await proxy.get("alice", answering({ headers }));
  expect(["example-cache-control", "surrogate-control", "x-kept"].map((name) => response.headers.get(name))).toEqual([
    null,
    null,
    "1",
  ]);
});

test.each<[number, Fields, string]>([
  [404, {}, "private, no-store"],
  [404, { "cache-control": "max-age=30, must-revalidate" }, "private, max-age=30, must-revalidate"],
  [404, { "cache-control": "no-store", "cdn-cache-control": "max-age=600" }, "private, no-store"],
  [500, { "cdn-cache-control": "max-age=600" }, "private, no-store"],
  [410, { expires: "0" }, "private, max-age=0"],
])("of an answer %i with %j too", async (status, headers, cacheControl) => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  const response = await proxy.get("alice", answering({ status, headers }));
  expect([response.status, response.headers.get("cache-control")]).toEqual([status, cacheControl]);
});

test("a 304 of the upstream gives the client its new Cache-Control", async () => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  const headers = { etag: '"1"', "cache-control": "no-cache, no-transform", "cdn-cache-control": "max-age=0" };
  for (const result of ["fwd=uri-miss", "fwd=stale"]) {
    const response = await proxy.get("alice", answering({ headers, confirms: true }));
    expect([cacheResult(response), response.headers.get("cache-control")]).toEqual([
      result,
      "private, no-cache, no-transform",
    ]);
  }
});
