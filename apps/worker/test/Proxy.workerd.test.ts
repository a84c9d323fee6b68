// The flow, one promise after the other, with an upstream that does what a test tells it to.
import { create } from "@bufbuild/protobuf";
import {
  decode,
  encode,
  rpcCodeOfHttp,
  rpcCodes,
  schemaDigestHeader,
  schemaDigests,
} from "@bytenite-engines/core/wire";
import { EngineSchema, StatusSchema } from "@bytenite-engines/proto";
import { beforeEach, expect, test } from "vitest";
import { cacheResult, startEdge, type Clock, type Edge, type Upstream } from "./edge.ts";

const engineDigest = schemaDigests["bytenite.engine.Engine"] ?? "";
const protobuf = { accept: "application/x-protobuf" };
const json = { accept: "application/json" };

/** What the upstream was asked, and what it answers next. */
const asked: Array<{ readonly url: string; readonly headers: Headers }> = [];
let answer: (headers: Headers, url: string) => Response | Promise<Response>;
let clock: Clock;
let edge: Edge;
let version: number;
let storeName = 0;

const upstream: Upstream = async (url, init) => {
  const headers = new Headers(init.headers);
  asked.push({ url, headers });
  return answer(headers, url);
};

/** An engine that says who asked for it and which answer it is, as our registry would send it. */
const engineFor = (headers: Headers, fields: Record<string, string> = {}): Response => {
  version += 1;
  const format = headers.get("accept") === "application/json" ? "json" : "protobuf";
  const message = create(EngineSchema, {
    name: "zipper",
    owner: headers.get("authorization") ?? "",
    revision: version,
  });
  return new Response(encode(EngineSchema, message, format), {
    headers: {
      "content-type": format === "json" ? "application/json" : "application/x-protobuf",
      [schemaDigestHeader]: engineDigest,
      ...fields,
    },
  });
};

const engineOf = async (response: Response) => {
  const format = response.headers.get("content-type") === "application/json" ? "json" : "protobuf";
  return decode(EngineSchema, new Uint8Array(await response.arrayBuffer()), format);
};
const revisionOf = async (response: Response): Promise<number> => (await engineOf(response)).revision;
const failing = (status: number) => (): Response =>
  Response.json({ code: rpcCodes[rpcCodeOfHttp(status)], message: "down" }, { status });
const refused = (): never => {
  throw new TypeError("refused");
};

const newEdge = async (variables: Record<string, string> = {}): Promise<Edge> =>
  startEdge(upstream, clock, await caches.open(`proxy-${storeName}`), variables);

beforeEach(async () => {
  asked.length = 0;
  version = 0;
  storeName += 1;
  answer = (headers) => engineFor(headers);
  clock = { ms: 1_700_000_000_000 };
  edge = await newEdge();
});

test("a second request is a hit, with its age, and byte for byte the same", async () => {
  const first = await edge.get("alice", "/engines/zipper", json);
  clock.ms += 7_000;
  const second = await edge.get("alice", "/engines/zipper", json);
  expect([cacheResult(first), cacheResult(second)]).toEqual(["fwd=uri-miss", "hit"]);
  expect(second.headers.get("cache-status")).toBe("bytenite-edge; hit; ttl=53");
  expect([first.headers.get("age"), second.headers.get("age")]).toEqual([null, "7"]);
  expect(second.headers.get("cache-control")).toBe("private, max-age=60");
  expect(second.headers.get("vary")).toBe("Accept, Authorization");
  expect(await second.text()).toBe(await first.text());
  expect(asked).toHaveLength(1);
});

test("another token asks for itself, and the token goes upstream as it came", async () => {
  await edge.get("alice", "/engines/zipper");
  const bob = await edge.get("Bearer bob", "/engines/zipper");
  expect((await engineOf(bob)).owner).toBe("Bearer bob");
  expect(cacheResult(bob)).toBe("fwd=uri-miss");
});

test("one object answers both forms, each with its own strong tag", async () => {
  const asJson = await edge.get("alice", "/engines/zipper", json);
  const asProtobuf = await edge.get("alice", "/engines/zipper", protobuf);
  const again = await edge.get("alice", "/engines/zipper", { accept: "application/protobuf" });
  expect(asked).toHaveLength(1);
  expect([cacheResult(asProtobuf), cacheResult(again)]).toEqual(["hit", "hit"]);
  expect(asProtobuf.headers.get("content-type")).toBe("application/x-protobuf");
  expect(again.headers.get("content-type")).toBe("application/protobuf");
  expect(asProtobuf.headers.get("etag")).toMatch(/^"p[\w-]{22}"$/);
  expect(asJson.headers.get("etag")).toMatch(/^"j[\w-]{22}"$/);
  expect(asProtobuf.headers.get(schemaDigestHeader)).toBe(engineDigest);
  expect(await engineOf(asProtobuf)).toEqual(await engineOf(asJson));
});

test("both forms grow old together and are fetched together", async () => {
  await edge.get("alice", "/engines/zipper", json);
  await edge.get("alice", "/engines/zipper", protobuf);
  clock.ms += 200_000;
  const asProtobuf = await edge.get("alice", "/engines/zipper", protobuf);
  expect(await revisionOf(asProtobuf)).toBe(2);
  expect(await revisionOf(await edge.get("alice", "/engines/zipper", json))).toBe(2);
  expect(asked).toHaveLength(2);
});

test("a field that the upstream adds tomorrow reaches clients today, in both forms", async () => {
  answer = (headers) =>
    headers.get("accept") === "application/json"
      ? Response.json({ name: "zipper", tomorrow: "new" }, { headers: { [schemaDigestHeader]: engineDigest } })
      : new Response(new Uint8Array([0x12, 1, 0x7a, 0xfa, 0x7f, 1, 0x78]), {
          headers: { "content-type": "application/x-protobuf", [schemaDigestHeader]: engineDigest },
        });
  for (let round = 0; round < 2; round++) {
    expect(await (await edge.get("alice", "/engines/zipper", json)).text()).toContain('"tomorrow":"new"');
    const bytes = new Uint8Array(await (await edge.get("alice", "/engines/zipper", protobuf)).arrayBuffer());
    expect(bytes.slice(-4)).toEqual(new Uint8Array([0xfa, 0x7f, 1, 0x78]));
  }
  expect(asked.map(({ headers }) => headers.get("accept"))).toEqual(["application/json", "application/x-protobuf"]);
});

test("without our schema's digest each form is fetched by itself, as it came", async () => {
  answer = (headers) => engineFor(headers, { [schemaDigestHeader]: "sha-256=:AAAA:" });
  await edge.get("alice", "/engines/zipper", json);
  await edge.get("alice", "/engines/zipper", protobuf);
  const hits = [await edge.get("alice", "/engines/zipper", json), await edge.get("alice", "/engines/zipper", protobuf)];
  expect(hits.map(cacheResult)).toEqual(["hit", "hit"]);
  expect(await Promise.all(hits.map(revisionOf))).toEqual([1, 2]);
  expect(asked).toHaveLength(2);
});

test("a server that has JSON only is cached for those who asked for protobuf", async () => {
  answer = (headers) => {
    headers.set("accept", "application/json");
    return engineFor(headers, { [schemaDigestHeader]: "" });
  };
  await edge.get("alice", "/engines/zipper", protobuf);
  const second = await edge.get("alice", "/engines/zipper", protobuf);
  expect(cacheResult(second)).toBe("hit");
  expect(second.headers.get("content-type")).toBe("application/json");
});

test("a client's condition is answered 304, for the form that it has", async () => {
  const first = await edge.get("alice", "/engines/zipper", json);
  const etag = first.headers.get("etag") ?? "";
  const same = await edge.get("alice", "/engines/zipper", { ...json, "if-none-match": `"x", ${etag}` });
  expect([same.status, same.headers.get("etag"), await same.text()]).toEqual([304, etag, ""]);
  expect(same.headers.get("content-length")).toBeNull();
  expect((await edge.get("alice", "/engines/zipper", { ...protobuf, "if-none-match": etag })).status).toBe(200);
  // Also where the upstream had to be asked.
  answer = (headers) => {
    version = 0;
    return engineFor(headers);
  };
  const fetched = await edge.get("alice", "/engines/zipper", {
    ...json,
    "if-none-match": etag,
    "cache-control": "no-cache",
  });
  expect([fetched.status, cacheResult(fetched)]).toEqual([304, "fwd=request"]);
  expect(asked.at(-1)?.headers.get("if-none-match")).toBeNull();
});

test("an upstream that answers 304 makes the stored answer fresh again", async () => {
  answer = (headers) =>
    headers.get("if-none-match") === '"up"'
      ? new Response(null, { status: 304, headers: { "cache-control": "max-age=500", "x-new": "1" } })
      : engineFor(headers, { etag: '"up"', "cache-control": "max-age=5" });
  const first = await edge.get("alice", "/engines/zipper", json);
  clock.ms += 200_000;
  const validated = await edge.get("alice", "/engines/zipper", json);
  expect(validated.headers.get("cache-status")).toBe("bytenite-edge; fwd=stale; fwd-status=304; ttl=500; stored");
  expect(validated.headers.get("etag")).toBe(first.headers.get("etag"));
  expect([validated.headers.get("x-new"), validated.headers.get("cache-control")]).toEqual([
    "1",
    "private, max-age=500",
  ]);
  expect(await revisionOf(validated)).toBe(1);
  clock.ms += 400_000;
  expect(cacheResult(await edge.get("alice", "/engines/zipper", json))).toBe("hit");
});

test("HEAD is a GET without content, from the same entry", async () => {
  const full = await edge.get("alice", "/engines/zipper", json);
  const head = await edge.send(
    new Request("https://edge.example/v1/dev/engines/zipper", {
      method: "HEAD",
      headers: { authorization: "alice", ...json },
    }),
  );
  expect([head.status, cacheResult(head), head.body]).toEqual([200, "hit", null]);
  for (const name of ["etag", "content-type"]) expect(head.headers.get(name)).toBe(full.headers.get(name));
  expect(head.headers.get("content-length")).toBe(`${(await full.arrayBuffer()).byteLength}`);
});

test("stale answers are served at once and validated once, behind the answer", async () => {
  await edge.get("alice", "/engines/zipper", json);
  clock.ms += 61_000;
  const held = Promise.withResolvers<void>();
  answer = async (headers) => {
    await held.promise;
    return engineFor(headers);
  };
  const stale = await Promise.all(Array.from({ length: 20 }, () => edge.get("alice", "/engines/zipper", json)));
  expect(new Set(stale.map((response) => response.headers.get("cache-status")))).toEqual(
    new Set(["bytenite-edge; hit; ttl=-1"]),
  );
  expect(asked).toHaveLength(2);
  held.resolve();
  await edge.settle();
  const fresh = await edge.get("alice", "/engines/zipper", json);
  expect([cacheResult(fresh), await revisionOf(fresh)]).toEqual(["hit", 2]);
});

test.each([
  ["500", failing(500)],
  ["502", failing(502)],
  ["503", failing(503)],
  ["504", failing(504)],
  ["no connection", refused],
])("%s leaves the stale answer, and says so", async (_what, fault) => {
  await edge.get("alice", "/engines/zipper", json);
  clock.ms += 300_000;
  answer = fault;
  const response = await edge.get("alice", "/engines/zipper", json);
  expect([response.status, await revisionOf(response)]).toEqual([200, 1]);
  expect(response.headers.get("cache-status")).toMatch(
    /^bytenite-edge; fwd=stale(; fwd-status=50\d)?; ttl=-240; detail=stale-if-error$/,
  );
  clock.ms += 600_000;
  expect((await edge.get("alice", "/engines/zipper", json)).status).toBeGreaterThanOrEqual(500);
});

test.each([400, 401, 403, 404, 410, 429, 501])("%i comes through, whatever is stored", async (status) => {
  await edge.get("alice", "/engines/zipper", json);
  clock.ms += 300_000;
  answer = failing(status);
  const response = await edge.get("alice", "/engines/zipper", json);
  expect(response.status).toBe(status);
  expect(await response.text()).toContain("down");
  expect(response.headers.get("cache-control")).toBe("private, no-store");
});

test("after a 404 behind a stale answer the answer is gone", async () => {
  await edge.get("alice", "/engines/zipper", json);
  clock.ms += 61_000;
  answer = failing(404);
  expect((await edge.get("alice", "/engines/zipper", json)).status).toBe(200);
  await edge.settle();
  expect((await edge.get("alice", "/engines/zipper", json)).status).toBe(404);
  expect((await edge.get("alice", "/engines/zipper", protobuf)).status).toBe(404);
});

test.each([401, 403])(
  "%i for one answer drops all of the token's answers, in the other isolates too",
  async (status) => {
    const other = await newEdge();
    for (const path of ["/engines/a", "/engines/b"]) {
      await edge.get("alice", path);
      await edge.get("bob", path);
      await edge.settle();
      expect(cacheResult(await other.get("alice", path))).toBe("hit");
    }
    clock.ms += 1_000;
    answer = (headers) => (headers.get("authorization") === "alice" ? failing(status)() : engineFor(headers));
    expect((await edge.get("alice", "/engines/a", { "cache-control": "no-cache" })).status).toBe(status);
    await edge.settle();
    expect((await edge.get("alice", "/engines/b")).status).toBe(status);
    expect(cacheResult(await edge.get("bob", "/engines/b"))).toBe("hit");
    clock.ms += 6_000;
    expect((await other.get("alice", "/engines/b")).status).toBe(status);
  },
);

test("errors are shared by nobody and stored for nobody", async () => {
  answer = failing(404);
  await edge.get("alice", "/engines/zipper");
  await edge.get("alice", "/engines/zipper");
  await edge.get("bob", "/engines/zipper");
  expect(asked).toHaveLength(3);
});

test("without a token nothing is stored, and an expired one is served nothing stored", async () => {
  answer = (headers) => (headers.has("authorization") ? engineFor(headers) : failing(401)());
  expect((await edge.get(undefined, "/engines/zipper")).status).toBe(401);
  expect(cacheResult(await edge.get(undefined, "/engines/zipper"))).toBe("fwd=bypass");
  const token = `e30.${btoa(JSON.stringify({ exp: clock.ms / 1000 + 20 })).replaceAll("=", "")}.c2ln`;
  const first = await edge.get(token, "/engines/zipper");
  expect(first.headers.get("cache-control")).toBe("private, max-age=20");
  clock.ms += 19_000;
  expect(cacheResult(await edge.get(token, "/engines/zipper"))).toBe("hit");
  clock.ms += 1_000;
  answer = refused;
  expect((await edge.get(token, "/engines/zipper")).status).toBe(503);
});

test("when nothing can be served it is 503, a Status in the negotiated form, and when to come back", async () => {
  answer = refused;
  const response = await edge.get("alice", "/engines/zipper", protobuf);
  expect([response.status, response.headers.get("content-type")]).toEqual([503, "application/x-protobuf"]);
  expect(response.headers.get("retry-after")).toBe("5");
  expect(decode(StatusSchema, new Uint8Array(await response.arrayBuffer()), "protobuf").code).toBe(14);
});

test("an upstream that stays down is left alone, but for a probe", async () => {
  answer = refused;
  for (let index = 0; index < 5; index++) await edge.get("alice", `/engines/e${index}`);
  const before = asked.length;
  const response = await edge.get("alice", "/engines/again");
  expect([response.status, asked.length]).toEqual([503, before]);
  expect(Number(response.headers.get("retry-after"))).toBeGreaterThan(5);
  const health = await edge.send(new Request("https://edge.example/-/health"));
  expect(await health.json()).toMatchObject({ status: "ok", upstream: { state: "failing", breaker: "open" } });
});

test.each<[string, Record<string, string>, string, string]>([
  ["max-age", { "cache-control": "max-age=5" }, "private, max-age=5", "hit"],
  ["public and s-maxage", { "cache-control": "public, s-maxage=500, max-age=5" }, "private, max-age=5", "hit"],
  ["Expires", { expires: new Date(1_700_000_030_000).toUTCString() }, "private, max-age=30", "hit"],
  ["no-store", { "cache-control": "no-store" }, "private, no-store", "fwd=uri-miss"],
  ["no-cache", { "cache-control": "no-cache" }, "private, max-age=60, no-cache", "fwd=stale"],
  ["must-revalidate", { "cache-control": "must-revalidate" }, "private, max-age=60, must-revalidate", "hit"],
  ["Vary: *", { vary: "*" }, "private, max-age=60", "fwd=uri-miss"],
  ["CDN-Cache-Control", { "cdn-cache-control": "max-age=5", "cache-control": "no-store" }, "private, max-age=5", "hit"],
  [
    "Cloudflare-CDN-Cache-Control",
    { "cloudflare-cdn-cache-control": "no-store", "cdn-cache-control": "max-age=5" },
    "private, no-store",
    "fwd=uri-miss",
  ],
])("the upstream's own %s rules", async (_what, fields, toClient, second) => {
  answer = (headers) => engineFor(headers, fields);
  const first = await edge.get("alice", "/engines/zipper");
  expect(first.headers.get("cache-control")).toBe(toClient);
  for (const name of ["expires", "cdn-cache-control", "cloudflare-cdn-cache-control"])
    expect(first.headers.has(name)).toBe(false);
  expect(cacheResult(await edge.get("alice", "/engines/zipper"))).toBe(second);
});

test("request directives are obeyed", async () => {
  expect((await edge.get("alice", "/engines/zipper", { "cache-control": "only-if-cached" })).status).toBe(504);
  expect(asked).toHaveLength(0);
  await edge.get("alice", "/engines/zipper", { "cache-control": "no-store" });
  expect(cacheResult(await edge.get("alice", "/engines/zipper"))).toBe("fwd=uri-miss");
  clock.ms += 10_000;
  expect(cacheResult(await edge.get("alice", "/engines/zipper", { "cache-control": "max-age=5" }))).toBe("fwd=request");
  expect(cacheResult(await edge.get("alice", "/engines/zipper", { "cache-control": "min-fresh=100" }))).toBe(
    "fwd=request",
  );
  expect(cacheResult(await edge.get("alice", "/engines/zipper", { pragma: "no-cache" }))).toBe("fwd=request");
  expect(cacheResult(await edge.get("alice", "/engines/zipper", { "cache-control": "only-if-cached" }))).toBe("hit");
});

test("the data centre's cache serves an isolate that never asked, and needs no memory", async () => {
  await edge.get("alice", "/engines/zipper", json);
  await edge.settle();
  const other = await newEdge({ MEMORY_ENTRIES: "0" });
  const hits = [
    await other.get("alice", "/engines/zipper", json),
    await other.get("alice", "/engines/zipper", protobuf),
  ];
  expect(hits.map(cacheResult)).toEqual(["hit", "hit"]);
  expect(await Promise.all(hits.map(revisionOf))).toEqual([1, 1]);
  expect(cacheResult(await other.get("bob", "/engines/zipper", json))).toBe("fwd=uri-miss");
});

test("a cache that fails, or is not there, is one tier less", async () => {
  const broken = { match: refused, put: refused, delete: refused };
  for (const store of [undefined, broken]) {
    const alone = startEdge(upstream, clock, store);
    expect(cacheResult(await alone.get("carol", "/engines/zipper"))).toBe("fwd=uri-miss");
    expect(cacheResult(await alone.get("carol", "/engines/zipper"))).toBe("hit");
    await alone.settle();
  }
});

test("only what the upstream needs goes there, and nothing that Connection keeps here", async () => {
  await edge.get("alice", "/engines/zipper", {
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
  expect(asked[0]?.url).toBe("http://upstream.example/v1/dev/engines/zipper");
  expect(Object.fromEntries(asked[0]?.headers ?? [])).toEqual({
    accept: "application/json",
    authorization: "alice",
    tracestate: "a=b",
    "x-request-id": "r-1",
  });
  await edge.get("alice", "/engines/other", { connection: "authorization" });
  expect(asked[1]?.headers.has("authorization")).toBe(false);
});

test("fields of the upstream's connection, its cookies and its CORS stay behind; the rest is handed on", async () => {
  answer = (headers) =>
    engineFor(headers, {
      connection: "x-hop",
      "x-hop": "1",
      "keep-alive": "timeout=5",
      "set-cookie": "a=b",
      "access-control-allow-origin": "*",
      "x-kept": "2",
      vary: "Accept, Origin",
      "cache-status": "registry; fwd=miss",
    });
  const response = await edge.get("alice", "/engines/zipper");
  for (const name of ["connection", "x-hop", "keep-alive", "set-cookie", "access-control-allow-origin"]) {
    expect([name, response.headers.has(name)]).toEqual([name, false]);
  }
  expect(response.headers.get("x-kept")).toBe("2");
  expect(response.headers.get("vary")).toBe("Accept, Origin, Authorization");
  expect(response.headers.get("cache-status")).toMatch(/^registry; fwd=miss, bytenite-edge; fwd=uri-miss/);
});

test.each<[string, RequestInit & { readonly path?: string }, number]>([
  ["POST", { method: "POST" }, 405],
  ["another method by override", { headers: { "x-http-method-override": "DELETE" } }, 400],
  ["a form that is not offered", { headers: { accept: "text/html" } }, 406],
  ["a token that is too long", { headers: { authorization: "x".repeat(8_193) } }, 431],
  ["an encoded slash", { path: "/engines/a%2Fb" }, 400],
  ["an unknown path", { path: "/nothing" }, 404],
])("%s is refused with a Status, and reaches nobody", async (_what, { path, ...init }, status) => {
  const response = await edge.send(new Request(`https://edge.example/v1/dev${path ?? "/engines"}`, init));
  expect(response.status).toBe(status);
  expect(Object.keys((await response.json()) as object)).toEqual(["code", "message", "details"]);
  expect(response.headers.get("allow")).toBe(status === 405 ? "GET, HEAD, OPTIONS" : null);
  expect(asked).toHaveLength(0);
});

test("each request is a data point where a dataset is bound, without anything of the token", async () => {
  const points: Array<unknown> = [];
  const counted = startEdge(upstream, clock, undefined, {}, { writeDataPoint: (point) => void points.push(point) });
  for (const path of ["/engines/zipper", "/engines/zipper", "/nothing"]) await counted.get("alice", path, json);
  expect(points).toEqual([
    { indexes: ["get"], blobs: ["miss", "200", "application/json"], doubles: [0, expect.any(Number)] },
    { indexes: ["get"], blobs: ["hit", "200", "application/json"], doubles: [0, expect.any(Number)] },
    { indexes: ["none"], blobs: ["refused", "404", "application/json"], doubles: [0, 0] },
  ]);
  expect(JSON.stringify(points)).not.toContain("alice");
});

test("browsers of listed origins, and of no others, may read answers", async () => {
  const open = await newEdge({ ALLOWED_ORIGINS: "https://a.example, https://b.example" });
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
  expect((await preflight("https://c.example")).headers.has("access-control-allow-origin")).toBe(false);
  for (const origin of ["https://a.example", "https://c.example"]) {
    const response = await open.get("alice", "/engines/zipper", { origin });
    expect(response.headers.get("vary")).toBe("Accept, Authorization, Origin");
    expect(response.headers.get("access-control-allow-origin")).toBe(origin === "https://a.example" ? origin : null);
  }
  const refusal = await open.get("alice", "/nothing", { origin: "https://a.example" });
  expect(refusal.headers.get("access-control-allow-origin")).toBe("https://a.example");
  const closed = await edge.get("alice", "/engines/zipper", { origin: "https://a.example" });
  expect(closed.headers.has("access-control-allow-origin")).toBe(false);
});
