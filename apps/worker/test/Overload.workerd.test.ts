// Slow, hanging and failing upstreams, and clients that do not read.
import { expect, test } from "vitest";
import { maxBodyBytesPerUser, maxBodyBytesUnderWay } from "../src/Body.ts";
import { cacheResult, startEdge } from "./edge.ts";
import { failing, json, stageProxy } from "./stage.ts";

const stage = stageProxy();

const engineOfSize = (bytes: number, fields: Record<string, string> = {}) =>
  new Response(`{"name":"a","id":"${"x".repeat(bytes)}"}`, {
    headers: { "content-type": "application/json", ...fields },
  });
const large = 2 * 1024 * 1024;

test("bodies that a client does not read are bounded by its share, and do not cut others off", async () => {
  stage.answer = (headers) => (headers.get("authorization") === "bob" ? stage.engineFor(headers) : engineOfSize(large));
  const unread = [];
  for (let index = 0; index < 20; index++) unread.push(await stage.edge.get("mallory", `/engines/e${index}`, json));
  const { budget } = stage.edge.isolate;
  expect(budget.bytes()).toBeGreaterThan(large);
  expect(budget.bytes()).toBeLessThanOrEqual(maxBodyBytesPerUser);
  expect((await stage.edge.get("bob", "/engines/a", json)).status).toBe(200);
  for (const response of unread) expect((await response.text()).length).toBeGreaterThan(large);
  await stage.edge.settle();
  expect(budget.bytes()).toBe(0);
});

test.each([
  ["192.0.2.1", "192.0.2.2"],
  ["2001:db8:0:1::1", "2001:db8:0:2::1"],
])("without a token the share of bodies is that of the address: %s cuts %s not off", async (address, other) => {
  stage.answer = () => engineOfSize(large);
  const get = (client: string, path: string): Promise<Response> =>
    stage.edge.get(undefined, path, { ...json, "cf-connecting-ip": client });
  const { budget } = stage.edge.isolate;
  const unread = [];
  for (const part of ["engines", "projects"]) {
    for (let index = 0; index < 10; index++) unread.push(await get(address, `/${part}/e${index}`));
    expect(budget.bytes()).toBeGreaterThan(large);
    expect(budget.bytes()).toBeLessThanOrEqual(maxBodyBytesPerUser);
  }
  const before = budget.bytes();
  unread.push(await get(other, "/engines/a"));
  expect(budget.bytes()).toBeGreaterThan(before + large);
  for (const response of unread) await response.body?.cancel();
  await stage.edge.settle();
  expect(budget.bytes()).toBe(0);
});

test("many users together stay below the bound of the isolate", async () => {
  stage.answer = () => engineOfSize(large);
  const unread = await Promise.all(
    Array.from({ length: 30 }, (_, index) => stage.edge.get(`user-${index}`, "/engines/a", json)),
  );
  const { budget } = stage.edge.isolate;
  expect(budget.bytes()).toBeLessThanOrEqual(maxBodyBytesUnderWay);
  for (const response of unread) await response.body?.cancel();
  await stage.edge.settle();
  expect(budget.bytes()).toBe(0);
});

test("stored bodies count for whoever does not read them, once for all who read the same", async () => {
  stage.answer = () => engineOfSize(large);
  const paths = Array.from({ length: 6 }, (_, index) => `/engines/e${index}`);
  for (const path of paths) await (await stage.edge.get("alice", path, json)).text();
  await stage.edge.settle();
  const statuses = [];
  for (const path of [...paths, ...paths]) statuses.push((await stage.edge.get("alice", path, json)).status);
  expect(new Set(statuses.slice(0, 2))).toEqual(new Set([200]));
  expect(statuses).toContain(503);
  expect(stage.edge.isolate.budget.bytes()).toBeLessThanOrEqual(maxBodyBytesPerUser);
});

test("parts of stored bodies count like the whole, and end with its bytes", async () => {
  const text = "0123456789abcdef".repeat(large / 16);
  stage.answer = () => new Response(text, { headers: { "cache-control": "max-age=60" } });
  const paths = Array.from({ length: 4 }, (_, index) => `/projects/p${index}`);
  for (const path of paths) await (await stage.edge.get("alice", path)).text();
  await stage.edge.settle();
  const unread = [];
  for (const path of [...paths, ...paths]) unread.push(await stage.edge.get("alice", path, { range: "bytes=1-" }));
  expect(unread.map(({ status }) => status)).toEqual([206, 206, 206, 503, 206, 206, 206, 503]);
  const { budget } = stage.edge.isolate;
  expect(budget.bytes()).toBe(maxBodyBytesPerUser);
  expect(unread[0]?.headers.get("content-range")).toBe(`bytes 1-${large - 1}/${large}`);
  expect(unread[0]?.statusText).toBe("Partial Content");
  expect(await unread[0]?.text()).toBe(text.slice(1));
  for (const response of unread.slice(1)) await response.body?.cancel();
  await stage.edge.settle();
  expect(budget.bytes()).toBe(0);
});

test("a body that is too long to be read as a whole is streamed, as it came, and stored nowhere", async () => {
  const size = 4 * 1024 * 1024;
  stage.answer = () => engineOfSize(size);
  for (let count = 0; count < 2; count++) {
    const response = await stage.edge.get("alice", "/engines/a", json);
    expect([response.status, cacheResult(response)]).toEqual([200, "fwd=uri-miss"]);
    expect((await response.text()).length).toBe(size + '{"name":"a","id":""}'.length);
  }
});

test("long bodies that nobody gets are counted no more", async () => {
  const tooLong = 5 * 1024 * 1024;
  stage.answer = () => new Response("x".repeat(tooLong), { status: 503, headers: { "retry-after": "0" } });
  const failed = await stage.edge.get("alice", "/engines/a", json);
  expect([failed.status, (await failed.text()).length]).toEqual([503, tooLong]);
  stage.answer = () => new Response("x".repeat(tooLong), { status: 206 });
  expect((await stage.edge.get("alice", "/engines/b", json)).status).toBe(502);
  // Validated in the background.
  let asked = 0;
  stage.answer = () =>
    engineOfSize(asked++ === 0 ? 1 : tooLong, { "cache-control": "max-age=0, stale-while-revalidate=60" });
  await stage.edge.get("alice", "/engines/c", json);
  expect((await (await stage.edge.get("alice", "/engines/c", json)).text()).length).toBeLessThan(100);
  await expect.poll(() => asked).toBe(2);
  // At once, not after the time in which a client may take a piece.
  await expect.poll(() => stage.edge.isolate.budget.bytes()).toBe(0);
  await stage.edge.settle();
});

test("a hanging upstream costs one timeout for each object, not one for each request", async () => {
  // A probe has no token.
  const sent = () => stage.asked.filter(({ headers }) => headers.has("authorization"));
  stage.edge = await stage.newEdge({ ATTEMPT_TIMEOUT_MS: "50" });
  for (const name of ["a", "b"]) await stage.edge.get("alice", `/engines/${name}`, json);
  stage.clock.ms += 300_000;
  stage.answer = (headers) => (headers.has("authorization") ? new Promise(() => {}) : failing(401)());
  for (const name of ["a", "b"]) {
    for (let count = 0; count < 10; count++) {
      const response = await stage.edge.get("alice", `/engines/${name}`, json);
      expect(response.headers.get("cache-status")).toContain("stale-if-error");
    }
  }
  expect(sent()).toHaveLength(4);
  // Then it is validated in the background, less and less often: no request waits.
  stage.clock.ms += 2_001;
  for (let count = 0; count < 3; count++) await stage.edge.get("alice", "/engines/a", json);
  expect(sent()).toHaveLength(5);
  await stage.edge.settle();
  stage.clock.ms += 2_001;
  await stage.edge.get("alice", "/engines/a", json);
  expect(sent()).toHaveLength(5);
});

test("no answer in time is 504, and Proxy-Status says what happened", async () => {
  stage.edge = await stage.newEdge({ ATTEMPT_TIMEOUT_MS: "20", DEADLINE_MS: "50" });
  stage.answer = () => new Promise(() => {});
  const response = await stage.edge.get("alice", "/engines/a", json);
  expect([response.status, response.headers.get("proxy-status")]).toEqual([
    504,
    "bytenite-edge; error=http_response_timeout",
  ]);
});

test("429 is passed on with its hint, and asked for once", async () => {
  stage.answer = () => Response.json({ code: 8 }, { status: 429, headers: { "retry-after": "7" } });
  const response = await stage.edge.get("alice", "/engines/a", json);
  expect([response.status, response.headers.get("retry-after"), stage.asked.length]).toEqual([429, "7", 1]);
});

test("answers that cannot be shared are asked for side by side, until one can be", async () => {
  stage.answer = (headers) => stage.engineFor(headers, { "cache-control": "no-store" });
  const ask = (): Promise<ReadonlyArray<Response>> =>
    Promise.all(Array.from({ length: 20 }, () => stage.edge.get("alice", "/engines/a", json)));
  await ask();
  // No answer comes before the upstream has all requests: one that waited for another would wait for ever.
  let underWay = 0;
  const all = Promise.withResolvers<void>();
  stage.answer = async (headers) => {
    underWay += 1;
    if (underWay === 20) all.resolve();
    await all.promise;
    return stage.engineFor(headers, { "cache-control": "no-store" });
  };
  await ask();
  expect(underWay).toBe(20);
  stage.answer = (headers) => stage.engineFor(headers);
  await stage.edge.get("alice", "/engines/a", json);
  const before = stage.asked.length;
  await ask();
  expect(stage.asked).toHaveLength(before);
});

test("a redirect is followed below the base URL of the upstream alone", async () => {
  const to = (location: string) => (headers: Headers, url: string) =>
    url.endsWith("/a") ? new Response(null, { status: 307, headers: { location } }) : stage.engineFor(headers);
  stage.answer = to("/v1/dev/engines/b");
  expect((await stage.edge.get("alice", "/engines/a", json)).status).toBe(200);
  for (const location of [
    "/v1/other",
    "/v1/dev/..%2fauth/b",
    "/v1/dev/engines/..%5Cb",
    "/v1/dev/engines/b%00",
    "//evil.example/v1/dev/engines/b",
    "https://upstream.example/v1/dev/engines/b",
  ]) {
    const before = stage.asked.length;
    stage.answer = to(location);
    const response = await stage.edge.get("bob", "/engines/a", json);
    expect([response.status, stage.asked.length - before]).toEqual([502, 1]);
  }
});

test("an upstream whose clock is minutes off is cached all the same", async () => {
  for (const minutes of [-10, 10]) {
    const date = new Date(stage.clock.ms + minutes * 60_000).toUTCString();
    stage.answer = (headers) => stage.engineFor(headers, { date, "cache-control": "max-age=30" });
    await stage.edge.get("alice", `/engines/e${minutes + 10}`, json);
    expect(cacheResult(await stage.edge.get("alice", `/engines/e${minutes + 10}`, json))).toBe("hit");
  }
});

test("a 404 is stored where the deployment says so, and until something else is there", async () => {
  stage.edge = await stage.newEdge({ NEGATIVE_SECONDS: "5" });
  stage.answer = failing(404);
  for (const expected of ["fwd=uri-miss", "hit"]) {
    const response = await stage.edge.get("alice", "/engines/a", json);
    expect([response.status, cacheResult(response)]).toEqual([404, expected]);
  }
  stage.clock.ms += 5_000;
  stage.answer = (headers) => stage.engineFor(headers);
  expect((await stage.edge.get("alice", "/engines/a", json)).status).toBe(200);
});

test("rate limits are for what reaches the upstream: hits are free", async () => {
  const keys: Array<string> = [];
  const limiter = { limit: async ({ key }: { readonly key: string }) => ({ success: keys.push(key) <= 1 }) };
  const edge = startEdge(stage.upstream, stage.clock, undefined, {}, { limits: { token: limiter } });
  expect((await edge.get("alice", "/engines/a", json)).status).toBe(200);
  expect(cacheResult(await edge.get("alice", "/engines/a", json))).toBe("hit");
  const response = await edge.get("alice", "/engines/b", json);
  expect([response.status, response.headers.get("proxy-status")]).toEqual([
    429,
    "bytenite-edge; error=http_request_denied",
  ]);
  expect(keys).toHaveLength(2);
  expect(keys[0]).not.toContain("alice");
  expect((await edge.get(undefined, "/engines/b", json)).status).toBe(200);
});

test("clients get the lifetime for browsers where the upstream states none", async () => {
  stage.edge = await stage.newEdge({ GET_BROWSER_SECONDS: "5" });
  expect((await stage.edge.get("alice", "/engines/a", json)).headers.get("cache-control")).toBe("private, max-age=5");
  stage.clock.ms += 30_000;
  expect(cacheResult(await stage.edge.get("alice", "/engines/a", json))).toBe("hit");
});

test("made-up tokens are looked up a few at a time, refused beyond a number, and keep no accepted token waiting", async () => {
  let underWay = 0;
  let most = 0;
  const held = Promise.withResolvers<void>();
  let isHeld = false;
  const store = {
    match: async () => {
      most = Math.max(most, ++underWay);
      if (isHeld) await held.promise;
      underWay -= 1;
      return undefined;
    },
    put: async () => {},
    delete: async () => false,
  };
  const edge = startEdge(stage.upstream, stage.clock, store);
  await edge.get("bob", "/engines/a", json);
  isHeld = true;
  most = 0;
  const statuses: Array<number> = [];
  const crowd = Array.from({ length: 600 }, async (_, index) => {
    const { status } = await edge.get(`made-up-${index}`, "/engines/a", json);
    statuses.push(status);
  });
  await expect.poll(() => statuses.length).toBeGreaterThan(300);
  expect(new Set(statuses)).toEqual(new Set([503]));
  const before = underWay;
  // Two forms and the notes of purges are looked up for each.
  expect(before).toBeLessThanOrEqual(3 * 16);
  const known = edge.get("bob", "/engines/b", json);
  await expect.poll(() => underWay).toBeGreaterThan(before);
  held.resolve();
  expect((await known).status).toBe(200);
  await Promise.all(crowd);
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThan(250);
});

test("refused made-up tokens do not free upstream places", async () => {
  const { admission } = stage.edge.isolate;
  let admitted = 0;
  // More than the admission remembers.
  for (let index = 0; index < 9_000; index++) {
    const applicant = { owner: `made-up-${index}`, client: `client-${index >> 6}`, resource: "a", orStale: false };
    void admission.enter(applicant).then((pass) => (admitted += "leave" in pass ? 1 : 0));
  }
  await new Promise((resolve) => setTimeout(resolve, 0));
  expect(admitted).toBe(256);
});
