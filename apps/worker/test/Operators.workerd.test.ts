// Purges, explanations and secrets of operators.
import { expect, onTestFinished, test, vi } from "vitest";
import { handle } from "../src/Flow.ts";
import type { Purge } from "../src/Purge.ts";
import { adminSecret, cacheResult, edgeOrigin, startEdge, type Edge } from "./edge.ts";
import { failing, json, refused, stageProxy } from "./stage.ts";

const stage = stageProxy();

const admin = (
  path: string,
  init: { method?: string; body?: BodyInit | null; headers?: Readonly<Record<string, string>> } = {},
  edge: Edge = stage.edge,
): Promise<Response> =>
  edge.send(
    new Request(`${edgeOrigin}/-/${path}`, {
      ...init,
      headers: { authorization: `Bearer ${adminSecret}`, ...init.headers },
    }),
  );
const purge = (query: string, body: string | null = null): Promise<Response> =>
  admin(`purge${query}`, { method: "POST", body });
const lookup = async (path: string, edge: Edge = stage.edge): Promise<string> =>
  cacheResult(await edge.get("alice", path, { ...json, "cache-control": "only-if-cached" }));

test("a soft purge makes answers be validated, and keeps them for failures; a hard one does not", async () => {
  for (const [query, status] of [
    ["?tag=zipper", 200],
    ["?tag=zipper&hard=true", 503],
  ] as const) {
    stage.answer = (headers) => stage.engineFor(headers);
    stage.clock.ms += 1;
    await stage.edge.get("alice", "/engines/zipper", { ...json, "cache-control": "no-cache" });
    stage.clock.ms += 1;
    expect((await purge(query)).status).toBe(200);
    stage.answer = failing(503);
    expect((await stage.edge.get("alice", "/engines/zipper", json)).status).toBe(status);
  }
});

test("a purge of an engine takes every answer that contains it, whatever tag was asked for, and no other", async () => {
  stage.answer = (_headers, url) => {
    if (!url.endsWith("/engines") && !url.includes("?"))
      return Response.json({ name: url.endsWith("/alias") ? "zipper" : "a" });
    return Response.json({ engines: [{ name: url.includes("?") ? "a" : "zipper" }] });
  };
  const paths = ["/engines/alias", "/engines/a", "/engines", "/engines?isPublic=true"];
  for (const path of paths) await stage.edge.get("alice", path, json);
  stage.clock.ms += 1;
  await purge("?tag=zipper@0.1&hard=true");
  expect(await Promise.all(paths.map((path) => lookup(path)))).toEqual(["", "hit", "", "hit"]);
});

test.each([
  "?tags=zipper",
  "?tag=zipper&soft=1",
  "?all=yes",
  "",
  "?tag=a&tag=b",
  "?hard=true",
  "?tag=zipper?hard=true",
])("the parameters %j are refused, and purge nothing", async (query) => {
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 1;
  expect((await purge(query)).status).toBe(400);
  expect(await lookup("/engines/zipper")).toBe("hit");
});

test.each([
  ["purge?token=alice", "POST", null, 400, "token=... in a form body"],
  ["purge", "POST", "tag=zipper", 400, "tag=..., endpoint=... or all=true in the URL"],
  ["purge", "POST", '{"tag":"zipper"}', 400, "tag=..., endpoint=... or all=true in the URL"],
  ["purge?tag=zipper", "PURGE", null, 405, "method PURGE is not offered here; POST are"],
  ["purges?tag=zipper", "POST", null, 404, "/-/purge"],
] as const)("%s by %s with the body %s names what is accepted", async (path, method, body, status, accepted) => {
  const response = await admin(path, { method, body });
  expect(response.status).toBe(status);
  expect(((await response.json()) as { message: string }).message).toContain(accepted);
});

test.each(["token=alice&token=bob", "token=", "token=%00", "token=a%20b%20c"])(
  "the form %j is refused, and purges nothing",
  async (form) => {
    await stage.edge.get("alice", "/engines/zipper", json);
    stage.clock.ms += 1;
    expect((await purge("", form)).status).toBe(400);
    expect(await lookup("/engines/zipper")).toBe("hit");
  },
);

test("a purge of a token takes what is that token's, and its answer does not show it", async () => {
  for (const token of ["alice", "bob"]) await stage.edge.get(token, "/engines/zipper", json);
  stage.clock.ms += 1;
  const response = await purge("", "token=alice");
  expect([response.status, await response.json()]).toEqual([
    200,
    { purged: { token: true, hard: true }, reach: stage.edge.isolate.store.reach },
  ]);
  expect(await lookup("/engines/zipper")).toBe("");
  stage.answer = failing(503);
  expect((await stage.edge.get("alice", "/engines/zipper", json)).status).toBe(503);
  expect(cacheResult(await stage.edge.get("bob", "/engines/zipper", json))).toBe("hit");
});

test("after a purge of a token the requests of its user that are under way are not joined", async () => {
  const held = Promise.withResolvers<void>();
  stage.answer = async (headers) => {
    await held.promise;
    return stage.engineFor(headers);
  };
  const ask = (token: string) => stage.edge.get(token, "/engines/zipper", json);
  const sent = () => stage.asked.map(({ headers }) => headers.get("authorization"));
  const before = ["alice", "bob"].map(ask);
  await expect.poll(sent).toEqual(["alice", "bob"]);
  await purge("", "token=alice");
  const after = ["bob", "alice"].map(ask);
  await expect.poll(sent).toEqual(["alice", "bob", "alice"]);
  held.resolve();
  for (const response of await Promise.all([...before, ...after])) expect(response.status).toBe(200);
  expect(sent()).toHaveLength(3);
});

/** What comes of a purge by a form. */
const messageOf = async (query: string, body: BodyInit, headers: Record<string, string> = {}): Promise<string> => {
  const answer = await admin(`purge${query}`, { method: "POST", body, headers });
  return answer.status === 200 ? "purged" : ((await answer.json()) as { message: string }).message;
};

test("a token is purged alone, by a form of up to 16,384 bytes", async () => {
  expect(await messageOf("?hard=true", "token=alice")).toBe("token stands alone");
  expect(await messageOf("", "token=%00")).toBe("token must be what its user sends in Authorization");
  for (const [length, expected] of [
    [16_384, "purged"],
    [16_385, "the form is too long"],
  ] as const) {
    const form = "token=".padEnd(length, "a");
    // With Content-Length and without.
    expect(await messageOf("", form, { "content-length": `${length}` })).toBe(expected);
    expect(await messageOf("", new Response(form).body ?? "")).toBe(expected);
  }
});

const health = async (): Promise<object> => {
  const response = await stage.edge.send(new Request(`${edgeOrigin}/-/health`));
  expect([response.status, response.headers.get("cache-control")]).toEqual([200, "no-store"]);
  return response.json();
};

test("health tells anybody what the upstream last did, by GET and HEAD", async () => {
  const time = (): string => new Date(stage.clock.ms).toISOString();
  const upstream = { state: "unknown", breaker: "closed", lastAnswer: null, lastFailure: null };
  expect(await health()).toEqual({ status: "ok", upstream });
  await stage.edge.get("alice", "/engines/zipper", json);
  const lastAnswer = time();
  expect(await health()).toEqual({ status: "ok", upstream: { ...upstream, state: "answering", lastAnswer } });
  stage.clock.ms += 1;
  // The probe has no token.
  stage.answer = (headers) => (headers.has("authorization") ? refused() : failing(404)());
  await stage.edge.get("alice", "/engines/other", json);
  await stage.edge.settle();
  const lastFailure = time();
  expect(await health()).toEqual({
    status: "ok",
    upstream: { state: "failing", breaker: "closed", lastAnswer, lastFailure },
  });
  stage.clock.ms += 5_000;
  stage.answer = refused;
  await stage.edge.get("alice", "/engines/another", json);
  await stage.edge.settle();
  expect(await health()).toMatchObject({ upstream: { state: "failing", breaker: "open", lastFailure: time() } });
  for (const [method, status] of [
    ["HEAD", 200],
    ["POST", 405],
  ] as const) {
    expect((await stage.edge.send(new Request(`${edgeOrigin}/-/health`, { method }))).status).toBe(status);
  }
});

test("without a log a purge says that it is for one data centre", async () => {
  expect(await (await purge("?all=true")).json()).toEqual({
    purged: { hard: false },
    reach: expect.stringContaining("not in others") as string,
  });
});

test("both admin secrets open during a rotation, and no third", async () => {
  const edge = await stage.newEdge({ ADMIN_SECRET: "a-new-secret-0123", ADMIN_SECRET_PREVIOUS: adminSecret });
  for (const [secret, status] of [
    ["a-new-secret-0123", 200],
    [adminSecret, 200],
    ["a-third-secret-01", 401],
  ] as const) {
    expect((await admin("metrics", { headers: { authorization: secret } }, edge)).status).toBe(status);
  }
});

test("a new identity secret finds what was stored under the previous one, as long as that is set", async () => {
  const before = await stage.newEdge({ IDENTITY_SECRET: "first-secret-0123" });
  await before.get("alice", "/engines/zipper", json);
  await before.settle();
  const both = await stage.newEdge({
    IDENTITY_SECRET: "second-secret-012",
    IDENTITY_SECRET_PREVIOUS: "first-secret-0123",
  });
  const after = await stage.newEdge({ IDENTITY_SECRET: "second-secret-012" });
  expect([await lookup("/engines/zipper", both), await lookup("/engines/zipper", after)]).toEqual(["hit", ""]);
});

interface Explained {
  readonly stored: object | null;
  readonly freshness: { readonly ttlMs: number } | null;
  readonly lastNotStored: string | null;
  readonly decision: { readonly action: string; readonly section: string };
}

test("a form without a length that is too long is refused", async () => {
  const body = new Response(`token=${"a".repeat(20_000)}`).body;
  expect((await admin("purge", { method: "POST", body })).status).toBe(400);
});

test("a second question mark belongs to the path that is explained", async () => {
  const response = await admin("explain?path=/v1/dev/engines?pagination.limit=5");
  expect(await response.json()).toMatchObject({ key: { endpoint: "list", target: "/engines?pagination.limit=5" } });
});

const explain = async (path: string): Promise<Explained> => {
  const headers = { "x-explain-authorization": "alice", ...json };
  return (await admin(`explain?path=${encodeURIComponent(`/v1/dev${path}`)}`, { headers })).json();
};

test.each(["log", "cache"])(
  "a purge by another isolate in the %s reaches what everybody may get within 5 s",
  async (where) => {
    const kept: Array<Purge> = [];
    const log = {
      append: async (purge: Purge) => kept.push(purge),
      since: async (number: number) => ({ purges: kept.slice(number), last: kept.length }),
    };
    const bindings = where === "log" ? { purgeLog: () => log } : {};
    const newEdge = async () =>
      startEdge(stage.upstream, stage.clock, await stage.store(), { CACHE_ANONYMOUS: "on" }, bindings);
    const [here, elsewhere] = [await newEdge(), await newEdge()];
    stage.answer = () => new Response("x", { headers: { "cache-control": "max-age=60" } });
    const ask = async () => cacheResult(await here.get(undefined, "/file"));
    expect([await ask(), await ask()]).toEqual(["fwd=uri-miss", "hit"]);
    stage.clock.ms += 1;
    expect((await admin("purge?all=true&hard=true", { method: "POST" }, elsewhere)).status).toBe(200);
    stage.clock.ms += 5_001;
    expect([await ask(), await ask()]).toEqual(["fwd=uri-miss", "hit"]);
  },
);

test.each([
  ["fails", () => Promise.reject(new Error("no log")), '"error":"Error: no log"'],
  ["takes more than 5 s", () => new Promise<number>(() => {}), undefined],
])("a purge whose recording %s holds here, and is answered 503", async (_what, append, logged) => {
  vi.useFakeTimers({ toFake: ["setTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const log = { append, since: async () => ({ purges: [], last: 0 }) };
  const edge = startEdge(stage.upstream, stage.clock, undefined, {}, { purgeLog: () => log });
  await edge.get("alice", "/engines/zipper", json);
  const answer = admin("purge?tag=zipper&hard=true", { method: "POST" }, edge);
  const ended = vi.fn<() => void>();
  void answer.then(ended);
  await vi.advanceTimersByTimeAsync(4_999);
  expect(ended).toHaveBeenCalledTimes(logged === undefined ? 0 : 1);
  await vi.advanceTimersByTimeAsync(1);
  const response = await answer;
  expect([response.status, await response.json()]).toMatchObject([
    503,
    { message: expect.stringContaining("again") as string },
  ]);
  expect(await lookup("/engines/zipper", edge)).toBe("");
  expect(said.mock.calls.join()).toContain(logged ?? "");
  expect(said).toHaveBeenCalledTimes(logged === undefined ? 0 : 1);
  said.mockRestore();
});

test("a write and a 401 that the log does not take are logged", async () => {
  const said = vi.spyOn(console, "error").mockImplementation(() => {});
  const log = { append: () => Promise.reject(new Error("no log")), since: async () => ({ purges: [], last: 0 }) };
  const edge = startEdge(stage.upstream, stage.clock, undefined, {}, { purgeLog: () => log });
  await edge.get("alice", "/engines/zipper", json);
  const url = `${edgeOrigin}/v1/dev/engines/zipper/activate`;
  await (await edge.send(new Request(url, { method: "POST", headers: { authorization: "alice" } }))).text();
  await edge.settle();
  const line = '{"level":"error","message":"a purge cannot be recorded","error":"Error: no log"}';
  expect(said.mock.calls).toEqual([[line]]);
  stage.answer = failing(401);
  await edge.get("alice", "/engines/other", json);
  await edge.settle();
  expect(said.mock.calls).toEqual([[line], [line]]);
  said.mockRestore();
});

test("the log of purges that an explanation reads is read to its end, also where the answer comes before it", async () => {
  const log = { append: async () => 1, since: async () => ({ purges: [], last: 0 }) };
  const { isolate } = startEdge(stage.upstream, stage.clock, await stage.store(), {}, { purgeLog: () => log });
  const headers = { authorization: `Bearer ${adminSecret}`, "x-explain-authorization": "alice", ...json };
  const left: Array<Promise<unknown>> = [];
  const request = new Request(`${edgeOrigin}/-/explain?path=/v1/dev/engines/zipper`, { headers });
  expect((await handle(request, isolate, { waitUntil: (work) => void left.push(work) })).status).toBe(200);
  expect(left).toHaveLength(1);
});

test("an explanation says why a request hits or misses, with rule and section, and asks nobody", async () => {
  expect((await explain("/engines/zipper")).decision).toMatchObject({ action: "forward", section: "RFC 9111, 4" });
  await stage.edge.get("alice", "/engines/zipper", json);
  expect(await explain("/engines/zipper")).toMatchObject({
    key: { user: "this token", endpoint: "get", target: "/engines/zipper", form: "json" },
    stored: {
      contains: ["zipper"],
      isTranscoded: false,
      cacheControl: null,
      fetchedAt: new Date(stage.clock.ms).toISOString(),
    },
    freshness: { ttlMs: 60_000, explicit: false },
    decision: { action: "fresh", section: "RFC 9111, 4.2" },
  });
  const other = { "x-explain-authorization": "alice", accept: "application/x-protobuf" };
  expect(await (await admin("explain?path=/v1/dev/engines/zipper", { headers: other })).json()).toMatchObject({
    stored: { isTranscoded: true },
  });
  // The admin secret is nobody's token.
  expect(await (await admin("explain?path=/v1/dev/engines/zipper", { headers: json })).json()).toMatchObject({
    key: { user: "none: nothing is stored" },
    stored: null,
  });
  stage.clock.ms += 61_000;
  expect((await explain("/engines/zipper")).decision.section).toContain("RFC 5861");
  expect(stage.asked).toHaveLength(1);
  stage.answer = (headers) => stage.engineFor(headers, { "cache-control": "no-store" });
  await stage.edge.get("alice", "/engines/secret", json);
  expect((await explain("/engines/secret")).lastNotStored).toBe("no-store");
  for (const query of ["", "?path=/v1/dev/engines&paht=/x", "?path=/v1/dev/engines&path=/v1/dev/engines/a"]) {
    expect((await admin(`explain${query}`)).status).toBe(400);
  }
});

test("an explanation knows a purge, and that the upstream failed lately", async () => {
  stage.answer = (headers) => stage.engineFor(headers, { "cache-control": "max-age=60" });
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 1;
  expect(await explain("/engines/zipper")).toMatchObject({
    stored: { purged: null, cacheControl: "max-age=60" },
    upstream: { isFailing: false },
  });
  await purge("?tag=zipper");
  expect(await explain("/engines/zipper")).toMatchObject({
    stored: { purged: "soft" },
    decision: { because: "stale", rule: expect.stringContaining("soft purge") as string },
  });
  stage.answer = failing(503);
  const { headers } = await stage.edge.get("alice", "/engines/zipper", json);
  expect(headers.get("cache-status")).toContain("detail=stale-if-error");
  expect(await explain("/engines/zipper")).toMatchObject({
    upstream: { isFailing: true, isBackingOff: true, isDown: false },
    decision: { action: "stale-if-error", because: "stale", section: "RFC 5861, 4" },
  });
});

test("latencies are a histogram by result", async () => {
  await stage.edge.get("alice", "/engines/zipper", json);
  await stage.edge.get("alice", "/engines/zipper", json);
  const text = await (await admin("metrics")).text();
  expect(text).toContain('bytenite_edge_request_seconds_bucket{result="hit",le="0.001"} 1\n');
  expect(text).toContain('bytenite_edge_request_seconds_count{result="miss"} 1\n');
});

test.each([
  ["GET", "/engines/zipper", "fwd=uri-miss", "miss", "get"],
  ["GET", "/engines/stored", "fwd=stale", "validated", "get"],
  ["POST", "/engines", "fwd=method", "bypass", "other"],
])("a %s of %s that fails says %s, and is counted as %s", async (method, path, status, result, endpoint) => {
  stage.answer = (headers) => stage.engineFor(headers, { "cache-control": "max-age=1, must-revalidate" });
  await stage.edge.get("alice", "/engines/stored", json);
  stage.clock.ms += 2_000;
  stage.answer = refused;
  const headers = { authorization: "alice", ...json };
  const response = await stage.edge.send(new Request(`${edgeOrigin}/v1/dev${path}`, { method, headers }));
  expect([response.status, cacheResult(response)]).toEqual([502, status]);
  const text = await (await admin("metrics")).text();
  expect(text).toContain(`requests_total{endpoint="${endpoint}",result="${result}",status="502"} 1\n`);
});
