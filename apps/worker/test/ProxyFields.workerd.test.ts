// Header fields: cache directives, forwarded and removed fields.
import { expect, test } from "vitest";
import { cacheResult, startEdge } from "./edge.ts";
import { json, stageProxy } from "./stage.ts";

const stage = stageProxy();

test.each<[string, Record<string, string>, string, string]>([
  ["max-age", { "cache-control": "max-age=5" }, "private, max-age=5", "hit"],
  ["public and s-maxage", { "cache-control": "public, s-maxage=500, max-age=5" }, "private, max-age=5", "hit"],
  ["Expires", { expires: new Date(1_700_000_030_000).toUTCString() }, "private, max-age=30", "hit"],
  ["no-store", { "cache-control": "no-store" }, "private, no-store", "fwd=uri-miss"],
  ["no-cache", { "cache-control": "no-cache" }, "private, no-cache", "fwd=stale"],
  ["must-revalidate", { "cache-control": "must-revalidate" }, "private, must-revalidate", "hit"],
  ["Vary: *", { vary: "*" }, "private, max-age=60", "fwd=uri-miss"],
  ["CDN-Cache-Control", { "cdn-cache-control": "max-age=5", "cache-control": "no-store" }, "private, no-store", "hit"],
  [
    "Cloudflare-CDN-Cache-Control",
    { "cloudflare-cdn-cache-control": "no-store", "cdn-cache-control": "max-age=5" },
    "private, no-store",
    "fwd=uri-miss",
  ],
])("the upstream's own %s rules", async (_what, fields, toClient, second) => {
  stage.answer = (headers) => stage.engineFor(headers, fields);
  const first = await stage.edge.get("alice", "/engines/zipper");
  expect(first.headers.get("cache-control")).toBe(toClient);
  for (const name of ["expires", "cdn-cache-control", "cloudflare-cdn-cache-control"])
    expect(first.headers.has(name)).toBe(false);
  expect(cacheResult(await stage.edge.get("alice", "/engines/zipper"))).toBe(second);
});

test("request directives are obeyed", async () => {
  expect((await stage.edge.get("alice", "/engines/zipper", { "cache-control": "only-if-cached" })).status).toBe(504);
  expect(stage.asked).toHaveLength(0);
  await stage.edge.get("alice", "/engines/zipper", { "cache-control": "no-store" });
  expect(cacheResult(await stage.edge.get("alice", "/engines/zipper"))).toBe("fwd=uri-miss");
  stage.clock.ms += 10_000;
  expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", { "cache-control": "max-age=5" }))).toBe(
    "fwd=request",
  );
  expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", { "cache-control": "min-fresh=100" }))).toBe(
    "fwd=request",
  );
  // Deprecated (RFC 9111, 5.4).
  expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", { pragma: "no-cache" }))).toBe("hit");
  expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", { "cache-control": "only-if-cached" }))).toBe(
    "hit",
  );
});

test("only what the upstream needs goes there, and nothing that Connection keeps here", async () => {
  await stage.edge.get("alice", "/engines/zipper", {
    ...json,
    cookie: "a=b",
    forwarded: "for=x",
    host: "evil.example",
    "x-forwarded-host": "evil.example",
    "proxy-authorization": "p",
    connection: "traceparent",
    traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    tracestate: "a=b",
    "x-request-id": "r-1",
  });
  expect(stage.asked[0]?.url).toBe("http://upstream.example/v1/dev/engines/zipper");
  expect(Object.fromEntries(stage.asked[0]?.headers ?? [])).toEqual({
    accept: "application/json",
    authorization: "alice",
    "cache-control": "max-stale=0",
    "cdn-loop": expect.stringMatching(/^bytenite-edge-http-upstream\.example-v1-dev$/),
    pragma: "0",
    tracestate: "a=b",
    via: expect.stringMatching(/^1\.1 bytenite-edge-http-upstream\.example-v1-dev$/),
    "x-request-id": "r-1",
  });
  // Such a token opens what its bearer has here, and goes no further.
  // The first hit reads the purges of others, which those from memory do not.
  await stage.edge.get("alice", "/engines/zipper", json);
  const known = await stage.edge.get("alice", "/engines/zipper", { ...json, connection: "authorization" });
  expect(cacheResult(known)).toBe("hit");
  await stage.edge.get("alice", "/engines/other", { connection: "authorization" });
  expect(stage.asked[1]?.headers.has("authorization")).toBe(false);
});

test("the cache of the zone is not asked", async () => {
  const caches: Array<unknown> = [];
  const upstream = (url: string, init: RequestInit): Promise<Response> => {
    caches.push(init.cache);
    return stage.upstream(url, init);
  };
  const edge = startEdge(upstream, stage.clock, undefined);
  for (const token of ["alice", undefined]) await edge.get(token, "/engines/zipper", { "cache-control": "no-cache" });
  expect(caches).toEqual(["no-store", "no-store"]);
});

test("fields of the upstream's connection, its cookies and its CORS stay behind; the rest is handed on", async () => {
  stage.answer = (headers) =>
    stage.engineFor(headers, {
      connection: "x-hop",
      "x-hop": "1",
      "keep-alive": "timeout=5",
      "set-cookie": "a=b",
      "access-control-allow-origin": "*",
      "x-kept": "2",
      vary: "Accept, Origin",
      "cache-status": "registry; fwd=miss",
    });
  const response = await stage.edge.get("alice", "/engines/zipper");
  for (const name of ["connection", "x-hop", "keep-alive", "set-cookie", "access-control-allow-origin"]) {
    expect([name, response.headers.has(name)]).toEqual([name, false]);
  }
  expect(response.headers.get("x-kept")).toBe("2");
  expect(response.headers.get("vary")).toBe("Accept, Origin, Authorization");
  expect(response.headers.get("cache-status")).toMatch(/^registry; fwd=miss, bytenite-edge; fwd=uri-miss/);
});

test.each<[string, RequestInit & { readonly path?: string }, number]>([
  ["another method by override", { headers: { "x-http-method-override": "DELETE" } }, 400],
  ["a form that is not offered", { headers: { accept: "text/html" } }, 406],
  ["a token that is too long", { headers: { authorization: "x".repeat(8_193) } }, 431],
  ["an encoded slash", { path: "/engines/a%2Fb" }, 400],
  ["an unknown path", { path: "elop/nothing" }, 404],
  ["an encoded slash in another path", { path: "/a%2Fb" }, 404],
])("%s is refused with a Status, and reaches nobody", async (_what, { path, ...init }, status) => {
  const response = await stage.edge.send(new Request(`https://edge.example/v1/dev${path ?? "/engines"}`, init));
  expect(response.status).toBe(status);
  expect(Object.keys((await response.json()) as object)).toEqual(["code", "message", "details"]);
  expect(response.headers.get("allow")).toBe(status === 405 ? "GET, HEAD, OPTIONS" : null);
  expect(stage.asked).toHaveLength(0);
});

test.each(["authorization", "accept", "if-none-match", "if-modified-since", "cache-control"])(
  "a %s that is too long is refused, whatever is stored",
  async (name) => {
    await stage.edge.get("alice", "/engines/zipper");
    const response = await stage.edge.get("alice", "/engines/zipper", { [name]: "x".repeat(8_193) });
    expect([response.status, stage.asked.length]).toEqual([431, 1]);
  },
);

test.each(["user-agent", "baggage", "traceparent", "tracestate"])(
  "a %s that is too long never goes upstream: where an answer is here, nobody needs it",
  async (name) => {
    const long = { ...json, [name]: "x".repeat(8_193) };
    for (const token of ["alice", undefined]) {
      expect((await stage.edge.get(token, "/engines/zipper", long)).status).toBe(431);
    }
    expect(stage.asked).toHaveLength(0);
    await stage.edge.get("alice", "/engines/zipper", json);
    expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", long))).toBe("hit");
    stage.clock.ms += 61_000;
    expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", long))).toBe("hit");
    await stage.edge.settle();
    expect(stage.asked.map(({ headers }) => headers.has(name) && headers.get(name) !== "")).toEqual([false, false]);
  },
);

test("each request is a data point where a dataset is bound, without anything of the token", async () => {
  const points: Array<unknown> = [];
  const counted = startEdge(
    stage.upstream,
    stage.clock,
    undefined,
    {},
    { analytics: { writeDataPoint: (point) => void points.push(point) } },
  );
  for (const path of ["/engines/zipper", "/engines/zipper", "/engines/a%2Fb"]) await counted.get("alice", path, json);
  expect(points).toEqual([
    { indexes: ["get"], blobs: ["miss", "200", "application/json", ""], doubles: [0, expect.any(Number), 0] },
    { indexes: ["get"], blobs: ["hit", "200", "application/json", ""], doubles: [0, expect.any(Number), 0] },
    { indexes: ["none"], blobs: ["refused", "400", "application/json", ""], doubles: [0, 0, 0] },
  ]);
  expect(JSON.stringify(points)).not.toContain("alice");
});

test("browsers of listed origins, and of no others, may read answers", async () => {
  const open = await stage.newEdge({
    ALLOWED_ORIGINS: "https://a.example, https://b.example",
    FORWARDED_PATHS: "none",
  });
  const preflight = (origin: string): Promise<Response> =>
    open.send(
      new Request("https://edge.example/v1/dev/engines", {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "GET", "access-control-request-headers": "authorization" },
      }),
    );
  const allowed = await preflight("https://b.example");
  expect(allowed.status).toBe(204);
  expect(allowed.headers.get("access-control-allow-origin")).toBe("https://b.example");
  expect(allowed.headers.get("access-control-allow-headers")).toContain("Authorization");
  // Without other paths nothing is written.
  expect(allowed.headers.get("access-control-allow-methods")).toBe("GET, HEAD, OPTIONS");
  expect((await preflight("https://c.example")).headers.has("access-control-allow-origin")).toBe(false);
  for (const origin of ["https://a.example", "https://c.example"]) {
    const response = await open.get("alice", "/engines/zipper", { origin });
    expect(response.headers.get("vary")).toBe("Accept, Authorization, Origin");
    expect(response.headers.get("access-control-allow-origin")).toBe(origin === "https://a.example" ? origin : null);
  }
  const refusal = await open.get("alice", "/engines/a%2Fb", { origin: "https://a.example" });
  expect(refusal.headers.get("access-control-allow-origin")).toBe("https://a.example");
  const closed = await stage.edge.get("alice", "/engines/zipper", { origin: "https://a.example" });
  expect(closed.headers.has("access-control-allow-origin")).toBe(false);
});
