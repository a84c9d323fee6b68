import { schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { expect, onTestFinished, test, vi } from "vitest";
import { adminSecret, edgeOrigin, startEdge } from "../test/edge.ts";
import { handle } from "./Flow.ts";
import type { Purge } from "./Purge.ts";
import type { Route } from "./Request.ts";

const digest = { [schemaDigestHeader]: schemaDigests["bytenite.engine.Engine"] ?? "" };
const zipper = () => Response.json({ name: "zipper" }, { headers: digest });

interface Seen {
  readonly result: string;
  readonly bytes: number;
  readonly requestId: string;
  readonly upstream?: object;
}

/** An isolate in front of a scripted upstream that takes seven milliseconds, with a Cache API that is a map. */
const start = (variables: Record<string, string> = {}, bindings: Parameters<typeof startEdge>[4] = {}) => {
  const clock = { ms: 1_700_000_000_000 };
  const asked: Array<{ readonly method: string | undefined; readonly url: string; readonly headers: Headers }> = [];
  const script = { answer: (_headers: Headers, _url: string): Response | Promise<Response> => zipper() };
  const stored = new Map<string, Response>();
  const store = {
    match: async (url: string) => stored.get(url)?.clone(),
    put: async (url: string, response: Response) => void stored.set(url, response),
    delete: async (url: string) => stored.delete(url),
  };
  const upstream = async (url: string, init: RequestInit) => {
    const headers = new Headers(init.headers);
    asked.push({ method: init.method, url, headers });
    clock.ms += 7;
    return script.answer(headers, url);
  };
  const newEdge = () => startEdge(upstream, clock, store, { LOG: "all", ...variables }, bindings);
  const edge = newEdge();
  const lines: Array<Seen> = [];
  const logged = vi.spyOn(console, "log").mockImplementation((line: string) => void lines.push(JSON.parse(line)));
  onTestFinished(() => logged.mockRestore());
  const send = (method: string, path: string, headers: Record<string, string> = {}, body?: string, by = edge) =>
    by.send(new Request(edgeOrigin + path, { method, headers, ...(body !== undefined && { body }) }));
  /** What is told of an answer: its status, what its fields say of the cache, and the log line. */
  const told = async (path: string, headers: Record<string, string> = {}, method = "GET") => {
    const response = await send(method, path, { authorization: "alice", ...headers });
    await response.arrayBuffer();
    await edge.settle();
    const { result, bytes, upstream: exchanged } = lines.at(-1) ?? {};
    return [
      response.status,
      ...["cache-status", "server-timing", "proxy-status"].map((name) => response.headers.get(name)),
      result,
      bytes,
      exchanged && Object.values(exchanged).join(" "),
    ];
  };
  return { clock, asked, script, stored, store, edge, newEdge, lines, send, told };
};

const engine = "/v1/dev/engines/zipper";
const other = "/v1/dev/x";
const protobuf = { accept: "application/x-protobuf" };
const failing = (status: number) => () => new Response(null, { status });
const unstorable = () => Response.json({ name: "zipper" }, { headers: { ...digest, "cache-control": "no-store" } });
const tagged = () => Response.json({ name: "zipper" }, { headers: { ...digest, etag: '"1"' } });
const confirmed =
  (fields: Record<string, string> = {}) =>
  () =>
    new Response(null, { status: 304, headers: { etag: '"1"', ...fields } });
const refusedByAll = () => Promise.reject(new TypeError("refused"));
const storable =
  (fields: Record<string, string> = {}, status = 200) =>
  () =>
    new Response("0123456789", { status, headers: { "cache-control": "max-age=60", ...fields } });
/** An answer that is no outage, and none at all. */
const toLogin = () => new Response(null, { status: 302, headers: { location: "https://login.example/" } });
const located = (location: string) => () => new Response(null, { status: 301, headers: { location } });
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 0));
};

test("each answer is told in its fields and in the log", async () => {
  const { clock, script, told } = start();
  const missed = 'cache;desc="uri-miss", upstream;dur=7';
  const fetched = "bytenite-edge; fwd=uri-miss; ttl=59; stored";
  const forStale = 'cache;desc="stale-if-error"';
  const refusedCache = { "cache-control": "no-cache, stale-if-error=9999" };
  expect(await told(engine)).toEqual([200, fetched, missed, null, "miss", 17, "200 1 7"]);
  const hit = "bytenite-edge; hit; ttl=59";
  expect(await told(engine)).toEqual([200, hit, null, null, "hit", 17, undefined]);
  expect(await told(engine, {}, "HEAD")).toEqual([200, hit, null, null, "hit", 0, undefined]);
  expect(await told(engine, { "if-none-match": "*" })).toEqual([304, hit, null, null, "hit", 0, undefined]);
  expect(await told(engine, { "cache-control": "no-cache" })).toEqual([
    200,
    "bytenite-edge; fwd=request; ttl=59; stored",
    'cache;desc="request", upstream;dur=7',
    null,
    "validated",
    17,
    "200 1 7",
  ]);
  clock.ms += 61_000;
  expect(await told(engine)).toEqual([200, "bytenite-edge; hit; ttl=-2", null, null, "stale", 17, undefined]);
  expect(await told(engine)).toEqual([200, hit, null, null, "hit", 17, undefined]);
  clock.ms += 200_000;
  script.answer = failing(503);
  const stale = "bytenite-edge; fwd=stale; ttl=-141; detail=stale-if-error";
  expect(await told(engine)).toEqual([
    200,
    "bytenite-edge; fwd=stale; fwd-status=503; ttl=-141; detail=stale-if-error",
    `${forStale}, upstream;dur=7`,
    null,
    "stale-if-error",
    17,
    "503 1 7",
  ]);
  expect(await told(engine)).toEqual([200, stale, forStale, null, "stale-if-error", 17, undefined]);
  const maxStale = { "cache-control": "max-stale=9999" };
  expect(await told(engine, maxStale)).toEqual([
    200,
    "bytenite-edge; hit; ttl=-141",
    null,
    null,
    "stale",
    17,
    undefined,
  ]);
  script.answer = toLogin;
  const protocol = "bytenite-edge; error=http_protocol_error";
  expect(await told(`${engine}s`)).toEqual([
    502,
    "bytenite-edge; fwd=uri-miss",
    "upstream;dur=7",
    protocol,
    "miss",
    0,
    "redirected 1 7",
  ]);
  expect(await told(engine, refusedCache)).toEqual([
    502,
    "bytenite-edge; fwd=request",
    "upstream;dur=7",
    protocol,
    "validated",
    0,
    "redirected 1 7",
  ]);
  script.answer = refusedByAll;
  clock.ms += 65_000;
  expect(await told(engine, refusedCache)).toEqual([
    200,
    "bytenite-edge; fwd=request; ttl=-206; detail=stale-if-error",
    `${forStale}, upstream;dur=7`,
    "bytenite-edge; error=connection_terminated",
    "stale-if-error",
    17,
    "unreachable 1 7",
  ]);
  expect(await told(other, {}, "POST")).toEqual([
    503,
    "bytenite-edge; fwd=method",
    null,
    "bytenite-edge; error=destination_unavailable",
    "bypass",
    0,
    "known-to-be-down 0 0",
  ]);
  expect(await told(other, { "cache-control": "only-if-cached" })).toEqual([
    504,
    "bytenite-edge; detail=only-if-cached",
    null,
    null,
    "refused",
    0,
    undefined,
  ]);
  expect(await told(engine, {}, "OPTIONS")).toEqual([204, null, null, null, "refused", 0, undefined]);
  expect(await told("/nothing")).toEqual([404, null, null, null, "refused", 0, undefined]);
});

test("the bytes in the log are those that were sent of what is stored, and none of a stream", async () => {
  const { script, told } = start();
  const of = async (path: string, headers: Record<string, string> = {}, method = "GET") => {
    const [status, cache, , , result, bytes] = await told(path, headers, method);
    return [status, /stored|hit/.exec(String(cache))?.[0], result, bytes];
  };
  script.answer = storable();
  expect(await of(other)).toEqual([200, "stored", "miss", 10]);
  expect(await of(other)).toEqual([200, "hit", "hit", 10]);
  expect(await of(other, {}, "HEAD")).toEqual([200, "hit", "hit", 0]);
  expect(await of(other, { range: "bytes=0-3" })).toEqual([206, "hit", "hit", 4]);
  expect(await of(other, { range: "bytes=20-" })).toEqual([416, "hit", "hit", 0]);
  expect(await of(other, {}, "POST")).toEqual([200, undefined, "bypass", 0]);
  expect(await of(other, { authorization: "bob", "cache-control": "no-store" })).toEqual([200, undefined, "miss", 0]);
  script.answer = storable({ "content-range": "bytes 0-9/20" }, 206);
  expect(await of("/v1/dev/y", { range: "bytes=0-9" })).toEqual([206, "stored", "miss", 10]);
  expect(await of("/v1/dev/y", { range: "bytes=0-9" })).toEqual([206, "hit", "hit", 10]);
  expect(await of("/v1/dev/y", { range: "bytes=2-3" })).toEqual([206, "hit", "hit", 2]);
  // Nobody asked for that part.
  expect(await of("/v1/dev/z")).toEqual([206, undefined, "miss", 10]);
  script.answer = () => new Response("0123456789");
  expect(await of("/v1/dev/v")).toEqual([200, undefined, "miss", 0]);
  script.answer = () => new Response("0123456789", { headers: { etag: '"e"' } });
  expect(await of("/v1/dev/w")).toEqual([200, "stored", "miss", 10]);
  script.answer = storable({ "cache-control": "no-store" });
  expect(await of("/v1/dev/u")).toEqual([200, undefined, "miss", 0]);
});

test("a request id is that of the client, or a new one where the request goes upstream or into the log", async () => {
  for (const [LOG, isNew] of [
    ["off", false],
    ["all", true],
  ] as const) {
    const { asked, lines, send } = start({ LOG });
    const idOf = async (headers: Record<string, string> = {}) =>
      (await send("GET", engine, { authorization: "alice", ...headers })).headers.get("x-request-id");
    const first = await idOf();
    expect(first).toBe(asked[0]?.headers.get("x-request-id"));
    expect(first).toMatch(/^[\w-]{20,}$/);
    expect(await idOf({ "x-request-id": "r-1" })).toBe("r-1");
    const later = await idOf();
    expect(later !== null && later !== first).toBe(isNew);
    expect(lines.map((line) => line.requestId)).toEqual(isNew ? [first, "r-1", later] : []);
  }
});

test("pages of listed origins may read each answer, and what is allowed is said", async () => {
  const { send } = start({ ALLOWED_ORIGINS: "https://app.example", FORWARDED_PATHS: "/v1/dev/x" });
  for (const [method, path, expected] of [
    ["GET", engine, [null, "https://app.example"]],
    ["OPTIONS", engine, ["GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE", "https://app.example"]],
  ] as const) {
    const { headers } = await send(method, path, { authorization: "alice", origin: "https://app.example" });
    expect(["allow", "access-control-allow-origin"].map((name) => headers.get(name))).toEqual(expected);
  }
  const { headers } = await start({ FORWARDED_PATHS: "none" }).send("OPTIONS", engine);
  expect(headers.get("allow")).toBe("GET, HEAD, OPTIONS");
});

test.each<[string, string, Record<string, string>, string, Record<string, string>]>([
  ["GET", engine, {}, "GET", { accept: "application/json", "cache-control": "max-stale=0", pragma: "0" }],
  ["HEAD", engine, {}, "GET", { accept: "application/json", "cache-control": "max-stale=0", pragma: "0" }],
  [
    "GET",
    engine,
    { "cache-control": "no-store, no-cache", pragma: "x", "user-agent": "u", range: "bytes=0-1" },
    "GET",
    { accept: "application/json", "cache-control": "no-store", pragma: "0", "user-agent": "u" },
  ],
  [
    "GET",
    engine,
    { "cache-control": "no-cache", accept: "application/x-protobuf", "cf-connecting-ip": "192.0.2.1" },
    "GET",
    {
      accept: "application/x-protobuf",
      "cache-control": "no-cache",
      pragma: "0",
      "x-forwarded-for": "192.0.2.1",
    },
  ],
  [
    "GET",
    other,
    { range: "bytes=0-1", accept: "text/html", cookie: "a=b", "x-a": "b" },
    "GET",
    { accept: "text/html", "cache-control": "max-stale=0", pragma: "0", range: "bytes=0-1", "x-a": "b" },
  ],
  [
    "HEAD",
    other,
    { range: "bytes=0-1", "cache-control": "max-age=5", pragma: "x" },
    "HEAD",
    { "cache-control": "max-age=5", pragma: "x" },
  ],
])("upstream a %s of %s with %j is %s with %j", async (method, path, headers, sentMethod, fields) => {
  const { asked, send } = start({ DEPLOYMENT_ID: "test" });
  const sent = { authorization: "alice", via: "1.1 a", "x-request-id": "r", ...headers };
  await (await send(method, path, sent)).arrayBuffer();
  expect(asked.map((each) => [each.method, Object.fromEntries(each.headers)])).toEqual([
    [
      sentMethod,
      {
        authorization: "alice",
        "cdn-loop": "bytenite-edge-test",
        via: "1.1 a, 1.1 bytenite-edge-test",
        "x-request-id": "r",
        ...fields,
      },
    ],
  ]);
});

/** Sends requests at once, and tells how often the upstream was asked, and what the others got. */
const atOnce = async (
  { send, asked, lines, script }: ReturnType<typeof start>,
  answer: () => Response,
  headers: Record<string, string> = { authorization: "alice" },
  path = engine,
) => {
  const count = 4;
  const before = asked.length;
  const released = Promise.withResolvers<void>();
  script.answer = async () => {
    await released.promise;
    return answer();
  };
  const all = Array.from({ length: count }, () => send("GET", path, headers));
  await turns();
  released.resolve();
  const statuses = (await Promise.all(all)).map(({ status }) => status);
  expect(new Set(statuses).size).toBe(1);
  const last = lines.slice(-count);
  const collapsed = last.filter(({ result, upstream }) => result === "collapsed" && upstream === undefined).length;
  return [statuses[0], asked.length - before, collapsed];
};

const noStore = { headers: { "cache-control": "no-store" } };

test.each<[string, () => Response, [number, number, number], Record<string, string>?, string?]>([
  ["requests for an engine share an answer", zipper, [200, 1, 3]],
  ["those for another path ask alone", storable(), [200, 4, 0], { authorization: "alice" }, other],
  ["those without a token, too", zipper, [200, 4, 0], {}],
  ["no-store", zipper, [200, 4, 0], { authorization: "alice", "cache-control": "no-store" }],
  ["no-cache", zipper, [200, 4, 0], { authorization: "alice", "cache-control": "no-cache" }],
  ["max-age=0", zipper, [200, 4, 0], { authorization: "alice", "cache-control": "max-age=0" }],
  ["max-age=1", zipper, [200, 1, 3], { authorization: "alice", "cache-control": "max-age=1" }],
  ["errors are shared", failing(400), [400, 1, 3]],
  ["an answer that may not be stored is not", unstorable, [200, 4, 0]],
  ["what is no engine is passed on to all", storable(), [200, 1, 3]],
  ["what is no engine and may not be stored is not", () => new Response("{", noStore), [200, 4, 0]],
  ["what fails is asked for twice at most, and what came of that is shared", toLogin, [502, 2, 2]],
])("at once: %s", async (_what, answer, expected, headers, path) => {
  expect(await atOnce(start(), answer, headers, path)).toEqual(expected);
});

test("an answer that is confirmed is shared, and so is one that the confirmation removes", async () => {
  for (const [fields, expected] of [
    [{}, "hit"],
    [{ "cache-control": "no-store" }, "fwd=uri-miss"],
  ] as const) {
    const stage = start({ GET_STALE_WHILE_REVALIDATE_SECONDS: "0" });
    stage.script.answer = tagged;
    await stage.told(engine);
    stage.clock.ms += 61_000;
    expect(await atOnce(stage, confirmed(fields))).toEqual([200, 1, 3]);
    await stage.edge.settle();
    stage.script.answer = zipper;
    expect((await stage.told(engine))[1]).toContain(expected);
  }
});

test("an exchange that ends during a look into the data centre is not repeated", async () => {
  const stage = start();
  const looked = Promise.withResolvers<void>();
  const { match } = stage.store;
  await stage.told("/v1/dev/engines/before");
  stage.store.match = async (url) => {
    const found = await match(url);
    await looked.promise;
    return found;
  };
  const late = stage.send("GET", engine, { authorization: "alice" });
  await turns();
  stage.store.match = match;
  await stage.told(engine);
  looked.resolve();
  expect((await late).headers.get("cache-status")).toBe("bytenite-edge; fwd=uri-miss; ttl=59; stored; collapsed");
  expect([stage.asked.length, stage.lines.at(-1)]).toEqual([
    2,
    expect.objectContaining({ result: "collapsed", bytes: 17 }),
  ]);
  expect(stage.lines.at(-1)?.upstream).toBeUndefined();
});

test.each<[string, () => Response | Promise<Response>, boolean, number]>([
  ["a redirect", toLogin, true, 1],
  ["429", failing(429), true, 1],
  ["what is limited", zipper, false, 0],
])("behind a stale answer %s is not asked for again at once", async (_what, answer, isAllowed, expected) => {
  let isLimited = false;
  const limit = async () => ({ success: !isLimited });
  const stage = start({}, { limits: { token: { limit } } });
  await stage.told(engine);
  stage.clock.ms += 61_000;
  stage.script.answer = answer;
  isLimited = !isAllowed;
  expect((await stage.told(engine))[4]).toBe("stale");
  expect(stage.asked.length).toBe(1 + expected);
  isLimited = false;
  stage.script.answer = zipper;
  expect((await stage.told(engine))[4]).toBe("stale");
  expect(stage.asked.length).toBe(2);
});

test("an exchange that fails unexpectedly is a failure of the upstream, and logged", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  onTestFinished(() => said.mockRestore());
  const { told } = start({}, { limits: { token: { limit: () => Promise.reject(new Error("no limiter")) } } });
  expect(await told(engine)).toEqual([
    502,
    "bytenite-edge; fwd=uri-miss",
    "upstream;dur=0",
    "bytenite-edge; error=connection_terminated",
    "miss",
    0,
    "unreachable 1 0",
  ]);
  expect(said.mock.calls.map(([line]) => JSON.parse(String(line)))).toEqual([
    { level: "error", message: "an exchange failed unexpectedly", error: "Error: no limiter" },
  ]);
});

test("an exchange goes on without its client", async () => {
  const { script, edge, send, lines } = start();
  const released = Promise.withResolvers<void>();
  script.answer = async () => {
    await released.promise;
    return zipper();
  };
  void send("GET", engine, { authorization: "alice" });
  await turns();
  let isSettled = false;
  const settled = edge.settle().then(() => (isSettled = true));
  await turns();
  expect([isSettled, lines.length]).toEqual([false, 0]);
  released.resolve();
  await settled;
});

test.each<[string, Record<string, string>, number, ReadonlyArray<string>]>([
  ["confirms the stored answer", { etag: '"1"', "cache-control": "max-age=500" }, 200, ["hit", "hit; ttl=499"]],
  ["is of another one", { etag: '"2"', "cache-control": "max-age=500" }, 200, ["uri-miss", "uri-miss"]],
  ["is an error", { etag: '"1"' }, 400, ["uri-miss", "uri-miss"]],
  ["is a failure", { etag: '"1"' }, 503, ["stale", "stale"]],
])("HEAD whose answer %s", async (_what, fields, status, [expected = "", second = ""]) => {
  const { clock, script, told } = start();
  script.answer = storable({ etag: '"1"' });
  await told(other);
  clock.ms += 61_000;
  script.answer = () => new Response(null, { status, headers: fields });
  expect((await told(other, { "cache-control": "no-cache" }, "HEAD"))[0]).toBe(status);
  script.answer = failing(503);
  const [, told1] = await told(other);
  expect([told1, told1]).toEqual([expect.stringContaining(expected), expect.stringContaining(second)]);
});

test.each<[string, ReadonlyArray<number>, "hit" | "fwd=uri-miss", string | undefined]>([
  [other, [304, 408, 412, 416, 425, 429, 500, 503, 599], "hit", undefined],
  [other, [400, 401, 403, 405, 409, 410, 413, 417, 426, 430, 499], "fwd=uri-miss", undefined],
  [other, [404], "fwd=uri-miss", "status 404"],
  [other, [300, 301], "fwd=uri-miss", undefined],
  [engine, [408, 412, 416, 425, 429], "hit", undefined],
  [engine, [300, 400, 403, 405, 409, 410, 413, 417, 426, 430, 499], "fwd=uri-miss", undefined],
  [engine, [404, 299], "fwd=uri-miss", "status"],
])("of %s after a validation with a status of %j the answer is %s", async (path, statuses, expected, reason) => {
  for (const status of statuses) {
    const { script, edge, told } = start();
    script.answer = path === other ? storable() : zipper;
    await told(path);
    script.answer = failing(status);
    await told(path, { "cache-control": "no-cache" });
    const { identities, store } = edge.isolate;
    const route =
      path === other ? { endpoint: "other", target: path, path } : { endpoint: "get", target: "/engines/zipper" };
    const uncacheable = store.uncacheable(identities.recall("alice")?.digest ?? "", route as Route);
    expect([status, uncacheable]).toEqual([status, reason && `status ${status}`]);
    script.answer = path === other ? storable() : zipper;
    expect([status, (await told(path))[1]]).toEqual([status, expect.stringContaining(expected)]);
  }
});

test("an answer is uncacheable for what it says: no-store, or a field that is not in the key", async () => {
  for (const [fields, expected] of [
    [{ vary: "user-agent" }, "vary"],
    [{ "cache-control": "no-store" }, "no-store"],
  ] as const) {
    const { script, edge, told } = start();
    script.answer = () => Response.json({ name: "zipper" }, { headers: { ...digest, ...fields } });
    expect((await told(engine))[1]).toBe("bytenite-edge; fwd=uri-miss");
    const { identities, store } = edge.isolate;
    const route = { endpoint: "get", target: "/engines/zipper" } as const;
    expect(store.uncacheable(identities.recall("alice")?.digest ?? "", route)).toBe(expected);
  }
});

const missed = "bytenite-edge; fwd=uri-miss";
const negative = `${missed}; ttl=29; stored`;
test.each<[Record<string, string>, ReadonlyArray<string>]>([
  [{}, [missed, missed, missed, missed]],
  [{ NEGATIVE_SECONDS: "30" }, [negative, "bytenite-edge; hit; ttl=29", "bytenite-edge; hit; ttl=29", negative]],
])(
  "with %j a missing engine is asked for, asked for again, after a purge of another name, and of its own",
  async (variables, expected) => {
    const { clock, script, told, send } = start(variables);
    script.answer = failing(404);
    const seen = [(await told(engine))[1], (await told(engine))[1]];
    const { headers } = await send("GET", engine, { authorization: "alice" });
    expect([headers.get("etag"), headers.get("cache-control")]).toEqual([null, "private, no-store"]);
    for (const tag of ["zip", "zipper@0.1"]) {
      await send("POST", `/-/purge?tag=${tag}&hard=true`, { authorization: `Bearer ${adminSecret}` });
      clock.ms += 1;
      seen.push((await told(engine))[1]);
    }
    expect(seen).toEqual(expected);
  },
);

test("an engine beyond four mebibytes is passed on, and has no tag", async () => {
  const { script, send } = start();
  script.answer = () => Response.json({ name: "x".repeat(4 * 1024 * 1024) }, { headers: digest });
  const response = await send("GET", engine, { authorization: "alice" });
  expect((await response.arrayBuffer()).byteLength).toBe(4 * 1024 * 1024 + 11);
  expect(["etag", "cache-control", "cache-status"].map((name) => response.headers.get(name))).toEqual([
    null,
    "private, max-age=60",
    "bytenite-edge; fwd=uri-miss",
  ]);
});

/** A token that expires at a second. */
const expiringAt = (second: number) => `Bearer e30.${btoa(`{"exp":${second}}`).replaceAll("=", "")}.c2ln`;

test("an entry is fresh no longer than its token is valid, its age counted, and the token ends at its second", async () => {
  const { clock, script, send, told } = start();
  const authorization = expiringAt(1_700_000_010);
  const statusOf = async () => (await told(engine, { authorization }))[1];
  expect(await statusOf()).toBe("bytenite-edge; fwd=uri-miss; ttl=9; stored");
  clock.ms = 1_700_000_009_999;
  expect(await statusOf()).toBe("bytenite-edge; hit; ttl=0");
  clock.ms = 1_700_000_010_000;
  expect(await statusOf()).toBe("bytenite-edge; fwd=bypass");
  script.answer = () => Response.json({ name: "zipper" }, { headers: { ...digest, age: "5" } });
  clock.ms = 1_700_000_000_000;
  const response = await send("GET", "/v1/dev/engines/a", { authorization });
  expect(["cache-status", "cache-control"].map((name) => response.headers.get(name))).toEqual([
    "bytenite-edge; fwd=uri-miss; ttl=9; stored",
    "private, max-age=15",
  ]);
});

test("what has to be fetched in the form that was asked for is", async () => {
  const { clock, script, asked, told } = start({ GET_STALE_WHILE_REVALIDATE_SECONDS: "0" });
  const accepted = () => asked.map(({ headers }) => headers.get("accept"));
  script.answer = tagged;
  await told(engine);
  clock.ms += 61_000;
  script.answer = confirmed();
  expect((await told(engine, protobuf)).slice(0, 2)).toEqual([
    200,
    "bytenite-edge; fwd=stale; fwd-status=304; ttl=59; stored",
  ]);
  expect(accepted()).toEqual(["application/json", "application/json"]);
  clock.ms += 61_000;
  script.answer = () => Response.json({ name: "zipper" });
  await told(engine, protobuf);
  expect(accepted().slice(2)).toEqual(["application/json", "application/x-protobuf"]);
});

test.each<[string, string, () => Response | Promise<Response>, string]>([
  ["PUT", engine, failing(200), "uri-miss uri-miss uri-miss hit uri-miss uri-miss"],
  ["POST", "/v1/dev/engines", failing(201), "uri-miss uri-miss uri-miss uri-miss uri-miss uri-miss"],
  ["PUT", "/v1/dev/%zz", failing(200), "uri-miss uri-miss uri-miss uri-miss uri-miss uri-miss"],
  ["PUT", engine, failing(404), "hit hit hit hit hit hit"],
  ["PUT", engine, failing(499), "hit hit hit hit hit hit"],
  // The change may have happened.
  ["PUT", engine, failing(500), "stale stale stale hit stale stale"],
  ["PUT", engine, refusedByAll, "stale stale stale hit stale stale"],
  // It is gone.
  ["DELETE", engine, failing(404), "uri-miss uri-miss uri-miss hit uri-miss uri-miss"],
  ["DELETE", engine, failing(410), "uri-miss uri-miss uri-miss hit uri-miss uri-miss"],
  ["DELETE", engine, failing(405), "hit hit hit hit hit hit"],
  ["DELETE", engine, failing(411), "hit hit hit hit hit hit"],
  ["PUT", other, failing(200), "hit hit hit hit uri-miss hit"],
  ["PUT", other, located("/v1/dev/y"), "hit hit hit hit uri-miss uri-miss"],
])("a %s of %s: %#", async (method, path, answer, expected) => {
  const paths = [engine, `${engine}/status`, "/v1/dev/engines", "/v1/dev/engines/a", other, "/v1/dev/y"];
  const { script, told, clock } = start();
  script.answer = (_headers, url) =>
    url.includes("/engines")
      ? Response.json(url.endsWith("/a") ? { name: "a" } : { name: "zipper" }, { headers: digest })
      : storable({ etag: '"1"' })();
  const { answer: fill } = script;
  for (const each of paths) await told(each);
  clock.ms += 5;
  script.answer = answer;
  await told(path, {}, method);
  script.answer = fill;
  const seen = [];
  for (const each of paths)
    seen.push(
      String((await told(each))[1])
        .replace(/^bytenite-edge; (?:fwd=)?/, "")
        .replace(/;.*/, ""),
    );
  expect(seen.join(" ")).toBe(expected);
});

test("a write with a token removes what everybody may get, where that is stored", async () => {
  const { script, send } = start({ CACHE_ANONYMOUS: "on" });
  script.answer = storable();
  const get = async () => (await send("GET", other)).headers.get("cache-status");
  expect([await get(), await get()]).toEqual([
    "bytenite-edge; fwd=uri-miss; ttl=59; stored",
    "bytenite-edge; hit; ttl=59",
  ]);
  await send("PUT", other, { authorization: "alice" });
  expect(await get()).toBe("bytenite-edge; fwd=uri-miss; ttl=59; stored");
});

test.each([
  ["off", "alice", "GET", "private, max-age=60"],
  ["off", "alice", "POST", "private, max-age=60"],
  ["off", undefined, "GET", "public, max-age=60"],
  ["on", undefined, "GET", "public, max-age=60"],
  ["on", "alice", "POST", "public, max-age=60"],
])("with CACHE_ANONYMOUS %s the answer for %s to %s may be kept: %s", async (anonymous, token, method, expected) => {
  const { script, send, lines } = start({ CACHE_ANONYMOUS: anonymous });
  script.answer = storable({ "cache-control": "public, max-age=60" });
  const response = await send(method, other, token === undefined ? {} : { authorization: token });
  expect([await response.text(), response.headers.get("cache-control")]).toEqual(["0123456789", expected]);
  const isCached = method === "GET" && (anonymous === "on" || token !== undefined);
  expect(lines.map(({ result }) => result)).toEqual([isCached ? "miss" : "bypass"]);
});

test.each([
  ["/v1/dev", "http://upstream.example/v1/dev/y?a=b", "/v1/dev/y?a=b"],
  ["/api", "http://upstream.example/api/y?a=b", "/v1/dev/y?a=b"],
  ["/api", "http://upstream.example/v1/auth/y", "/v1/auth/y"],
  ["/api", "http://upstream.example/apis/y", "http://upstream.example/apis/y"],
  ["/api", "http://upstream.example/api", "http://upstream.example/api"],
  ["/api", "https://login.example/api/y", "https://login.example/api/y"],
  ["/api", "y", "y"],
])("below %s of the upstream, the location %s is %s", async (base, location, expected) => {
  const { script, send } = start({ UPSTREAM_URL: `http://upstream.example${base}` });
  script.answer = located(location);
  expect((await send("GET", other, { authorization: "alice" })).headers.get("location")).toBe(expected);
});

test("a body may have any length that a number holds", async () => {
  for (const [length, expected] of [
    ["9007199254740991", 1],
    ["9007199254740992", 0],
  ] as const) {
    const { asked, send } = start();
    const { status } = await send("PUT", other, { authorization: "alice", "content-length": length });
    expect([status === 413, asked.length]).toEqual([expected === 0, expected]);
  }
});

test("no bytes are held after an answer has been read", async () => {
  const { script, edge, send } = start();
  script.answer = () => new Response("x".repeat(200_000), { headers: { "cache-control": "max-age=60" } });
  for (const [method, path] of [
    ["GET", other],
    ["PUT", other],
    ["GET", engine],
  ] as const) {
    const response = await send(method, path, { authorization: "alice" });
    expect((await response.text()).length).toBe(200_000);
    await edge.settle();
    expect([method, path, edge.isolate.budget.bytes()]).toEqual([method, path, 0]);
  }
});

test("a hit in memory is answered at once, in a form that was made before, too, but not with no-transform", async () => {
  const { edge, send, told } = start();
  const take = (headers: Record<string, string>) =>
    handle(new Request(edgeOrigin + engine, { headers }), edge.isolate, { waitUntil: () => {} });
  await told(engine);
  await told(engine);
  await told(engine, protobuf);
  const alice = { authorization: "alice" };
  for (const headers of [alice, { ...alice, ...protobuf }]) expect(take(headers)).toBeInstanceOf(Response);
  for (const headers of [{}, { authorization: "bob" }, { ...alice, "cache-control": "no-cache" }])
    expect(take(headers)).toBeInstanceOf(Promise);
  await edge.settle();
  const untouched = await send("GET", engine, { ...alice, ...protobuf, "cache-control": "no-transform" });
  expect(untouched.headers.get("cache-status")).toBe("bytenite-edge; fwd=uri-miss; ttl=59; stored");
});

test("what may be stale by the request is not validated for it", async () => {
  const { clock, asked, told } = start({ GET_STALE_WHILE_REVALIDATE_SECONDS: "0" });
  await told(engine);
  clock.ms += 61_000;
  expect((await told(engine, { "cache-control": "max-stale=60" }))[4]).toBe("stale");
  expect(asked.length).toBe(1);
});

test("requests that are not content with what is stored ask for themselves", async () => {
  const stage = start();
  await stage.told(engine);
  stage.clock.ms += 10_000;
  expect(await atOnce(stage, zipper, { authorization: "alice", "cache-control": "max-age=5" })).toEqual([200, 4, 0]);
});

test("a refusal of HEAD has no body", async () => {
  const { send } = start();
  const lengths = ["GET", "HEAD"].map(async (method) => (await (await send(method, "/nothing")).text()).length > 0);
  expect(await Promise.all(lengths)).toEqual([true, false]);
});

test("a request after a write does not join one from before it", async () => {
  const { clock, script, asked, send } = start();
  const released = Promise.withResolvers<void>();
  script.answer = async () => {
    await released.promise;
    return zipper();
  };
  const alice = { authorization: "alice" };
  const before = send("GET", engine, alice);
  await turns();
  script.answer = zipper;
  await send("PUT", engine, alice);
  clock.ms += 1;
  expect((await send("GET", engine, alice)).headers.get("cache-status")).toContain("; stored");
  released.resolve();
  expect([(await before).status, asked.length]).toEqual([200, 3]);
});

test.each<[string, () => Response, string]>([
  ["PUT", storable(), "hit"],
  ["PUT", failing(503), "fwd=uri-miss"],
  ["DELETE", failing(404), "fwd=uri-miss"],
])(
  "by a token that is not known here a %s says of other engines in the data centre: %#",
  async (method, answer, expected) => {
    const { clock, script, send, told, edge, newEdge } = start();
    script.answer = () => Response.json({ name: "a" }, { headers: digest });
    await told("/v1/dev/engines/a");
    await edge.settle();
    const other = newEdge();
    script.answer = answer;
    clock.ms += 10;
    const written = await send(method, engine, { authorization: "alice" }, undefined, other);
    await written.text();
    await other.settle();
    script.answer = zipper;
    const later = await send("GET", "/v1/dev/engines/a", { authorization: "alice" }, undefined, other);
    expect(later.headers.get("cache-status")).toContain(expected);
  },
);

test("a 401 is recorded in the log of purges for a token that was accepted, not for one that may be made up", async () => {
  const written: Array<Purge> = [];
  const { script, told } = start(
    {},
    {
      purgeLog: () => ({
        append: async (purge) => written.push(purge),
        since: async () => ({ purges: [], last: written.length }),
      }),
    },
  );
  await told(engine);
  script.answer = failing(401);
  for (const authorization of ["bob", "alice"]) await told(`${engine}s`, { authorization });
  expect(written).toEqual([{ atMs: 1_700_000_000_021, hard: true, owners: [expect.any(String)] }]);
});

test("the data centre is looked up once for another path, and for both forms of an engine that may be transformed", async () => {
  const { store, told } = start({ MEMORY_ENTRIES: "0" });
  const looks: Array<string> = [];
  const { match } = store;
  store.match = (url) => {
    const [look] = /(?:other|json|protobuf)\/.*/.exec(url) ?? [];
    if (look !== undefined) looks.push(look);
    return match(url);
  };
  await told(other);
  expect(looks.splice(0)).toEqual(["other/v1/dev/x"]);
  await told(engine);
  expect(looks.splice(0)).toEqual(["json/engines/zipper", "protobuf/engines/zipper"]);
  await told("/v1/dev/engines/a", { "cache-control": "no-transform" });
  expect(looks).toEqual(["json/engines/a"]);
});

test("what is found in the data centre waits for the purges of others, however long they take to read", async () => {
  const { store, told, send, edge, newEdge } = start();
  await told(engine);
  await send("POST", "/-/purge?all=true", { authorization: `Bearer ${adminSecret}` });
  await edge.settle();
  const { match } = store;
  store.match = async (url) => {
    if (url.includes("purges")) await turns();
    return match(url);
  };
  const response = await send("GET", engine, { authorization: "alice" }, undefined, newEdge());
  expect(response.headers.get("cache-status")).toBe("bytenite-edge; fwd=stale");
});

test("a streamed answer holds its place until it is taken, and a counted one its request", async () => {
  const { script, told, edge } = start({ DEADLINE_MS: "500", ATTEMPT_TIMEOUT_MS: "500" });
  for (let count = 0; count <= 64; count++) expect((await told(other, {}, "POST"))[0]).toBe(200);
  const left: Array<Promise<unknown>> = [];
  for (const [length, expected] of [
    [64 * 1024 - 1, 0],
    [64 * 1024, 1],
  ] as const) {
    script.answer = () => new Response("x".repeat(length), { headers: { "cache-control": "max-age=60" } });
    await told(`${other}${length}`);
    const request = new Request(`${edgeOrigin}${other}${length}`, { headers: { authorization: "alice" } });
    const response = await handle(request, edge.isolate, { waitUntil: (work) => void left.push(work) });
    expect([response.headers.get("cache-status"), left.length]).toEqual(["bytenite-edge; hit; ttl=59", expected]);
    await response.text();
    await Promise.all(left.splice(0));
  }
});

test("an error that is too long is passed on without its body, which is not read on", async () => {
  const { script, send } = start();
  let isCancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(65_537)),
    cancel: () => void (isCancelled = true),
  });
  script.answer = () => new Response(endless, { status: 404 });
  const response = await send("GET", engine, { authorization: "alice" });
  expect([response.status, await response.text()]).toEqual([404, ""]);
  await turns();
  expect(isCancelled).toBe(true);
});

test("a confirmation after a later one of the same moment is not said to be stored", async () => {
  const { clock, script, send, told } = start({ GET_STALE_WHILE_REVALIDATE_SECONDS: "0" });
  script.answer = tagged;
  await told(engine);
  clock.ms += 61_000;
  const released = Promise.withResolvers<void>();
  script.answer = async () => {
    await released.promise;
    return confirmed()();
  };
  const first = send("GET", engine, { authorization: "alice" });
  await turns();
  clock.ms -= 7;
  script.answer = confirmed();
  const later = await send("GET", engine, { authorization: "alice", "cache-control": "no-cache" });
  expect(later.headers.get("cache-status")).toContain("fwd-status=304; ttl=59; stored");
  released.resolve();
  expect((await first).headers.get("cache-status")).toBe("bytenite-edge; fwd=stale; fwd-status=304");
});
