// Other paths than the endpoints: caching, and invalidation by writes.
import { afterEach, expect, test, vi } from "vitest";
import type { Entry } from "../src/Entry.ts";
import type { Purge } from "../src/Purge.ts";
import { cacheResult, edgeOrigin, startEdge } from "./edge.ts";
import { failing, json, stageProxy, refused } from "./stage.ts";

const stage = stageProxy();

afterEach(() => void vi.useRealTimers());

const nextTurn = setTimeout;
const turn = () => new Promise((resolve) => void nextTurn(resolve));

/** Lets the timers of the proxy run, and no time pass. */
const fakeTimers = () => vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });

/** Waits for turns of the event loop until something holds; not for ever, so that a test can fail. */
const turnsUntil = async (holds: () => boolean): Promise<void> => {
  for (let turns = 0; turns < 1_000 && !holds(); turns++) await turn();
};

const send = (method: string, path: string, token?: string, body: string | null = null, edge = stage.edge) =>
  edge.send(
    new Request(edgeOrigin + path, { method, body, headers: token === undefined ? {} : { authorization: token } }),
  );

/** The status of a response whose body is read, too: a streamed one is under way until then. */
const statusOf = async (method: string, path: string, token: string, edge = stage.edge): Promise<number> => {
  const response = await send(method, path, token, null, edge);
  await response.arrayBuffer();
  return response.status;
};

test("the exchange of an API key goes to the upstream's own path, without a token, and is never stored", async () => {
  stage.answer = () => Response.json({ token: `t${stage.asked.length}` });
  for (const token of ["t1", "t2"]) {
    const response = await send("POST", "/v1/auth/access_token", undefined, '{"apiKey":"k"}');
    expect(await response.json()).toEqual({ token });
    expect(response.headers.get("cache-status")).toBe("bytenite-edge; fwd=method");
  }
  expect(stage.asked[0]?.url).toBe("http://upstream.example/v1/auth/access_token");
});

test.each<[string, Record<string, string>, string]>([
  ["states a freshness", { "cache-control": "max-age=60" }, "hit"],
  ["has a field beyond Latin-1", { "cache-control": "max-age=60", "x-note": "\u20ac \ufffd" }, "hit"],
  ["states none", {}, "fwd=uri-miss"],
  ["states none, and when it was changed", { "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT" }, "fwd=stale"],
  ["forbids it", { "cache-control": "no-store" }, "fwd=uri-miss"],
])("a GET whose answer %s: %j is %s for its own token alone", async (_what, fields, expected) => {
  stage.answer = (headers) => Response.json({ of: headers.get("authorization") }, { headers: fields });
  for (const token of ["alice", "bob"]) {
    const first = await send("GET", "/v1/dev/projects?b=1", token);
    expect(await first.json()).toEqual({ of: token });
    expect(cacheResult(first)).toBe("fwd=uri-miss");
  }
  const second = await send("GET", "/v1/dev/projects?b=1", "alice");
  expect(cacheResult(second)).toBe(expected);
  expect(await second.json()).toEqual({ of: "alice" });
  expect(second.headers.get("cache-control")).toMatch(/^private/);
});

test("a stored answer that the upstream confirms is given as it was, with the new lifetime", async () => {
  stage.answer = (headers) => {
    const isKnown = headers.get("if-none-match") === '"1"';
    return new Response(isKnown ? null : "old", {
      status: isKnown ? 304 : 200,
      headers: { etag: '"1"', "cache-control": isKnown ? "max-age=60" : "max-age=10" },
    });
  };
  await (await stage.edge.get("alice", "/projects/file")).text();
  stage.clock.ms += 20_000;
  const confirmed = await stage.edge.get("alice", "/projects/file");
  expect([confirmed.status, await confirmed.text()]).toEqual([200, "old"]);
  expect(confirmed.headers.get("cache-status")).toBe("bytenite-edge; fwd=stale; fwd-status=304; ttl=60; stored");
  expect(cacheResult(await stage.edge.get("alice", "/projects/file"))).toBe("hit");
});

test("without a token nothing of another path is stored", async () => {
  stage.answer = () => Response.json({}, { headers: { "cache-control": "public, max-age=60" } });
  for (let count = 0; count < 2; count++) {
    expect(cacheResult(await send("GET", "/v1/dev/projects", undefined))).toBe("fwd=bypass");
  }
});

test("what varies is kept apart, and cookies go nowhere", async () => {
  stage.answer = (headers) =>
    Response.json(
      { language: headers.get("accept-language"), cookie: headers.get("cookie") },
      { headers: { "cache-control": "max-age=60", vary: "Accept-Language", "set-cookie": "session=alice" } },
    );
  const get = async (language: string): Promise<[string, unknown]> => {
    const headers = { "accept-language": language, cookie: "a=b" };
    const response = await stage.edge.get("alice", "/projects", headers);
    expect(response.headers.get("set-cookie")).toBeNull();
    return [cacheResult(response), ((await response.json()) as { language: string; cookie: null }).language];
  };
  expect(await get("de")).toEqual(["fwd=uri-miss", "de"]);
  expect(await get("fr")).toEqual(["fwd=vary-miss", "fr"]);
  expect(await get("de")).toEqual(["hit", "de"]);
  expect(stage.asked.map(({ headers }) => headers.has("cookie"))).toEqual([false, false]);
});

test.each([
  ['"1"', 206, "01"],
  ['"2"', 200, "0123456789"],
  ['W/"1"', 200, "0123456789"],
  ["Mon, 01 Jan 2024 00:00:00 GMT", 200, "0123456789"],
])(
  "a range with If-Range: %s is cut from a stored answer only where that is its entity tag",
  async (ifRange, status, text) => {
    stage.answer = () =>
      new Response("0123456789", {
        headers: { "cache-control": "max-age=60", etag: '"1"', "last-modified": "Mon, 01 Jan 2024 00:00:00 GMT" },
      });
    await (await stage.edge.get("alice", "/projects/file")).text();
    const response = await stage.edge.get("alice", "/projects/file", { range: "bytes=0-1", "if-range": ifRange });
    expect([response.status, await response.text(), cacheResult(response)]).toEqual([status, text, "hit"]);
  },
);

test("a range is for GET alone: HEAD gets the fields of the whole", async () => {
  stage.answer = () => new Response("0123456789", { headers: { "cache-control": "max-age=60" } });
  const first = await stage.edge.get("alice", "/projects/file");
  expect(first.headers.get("cache-status")).toBe("bytenite-edge; fwd=uri-miss; ttl=60; stored");
  await first.text();
  const response = await stage.edge.send(
    new Request(`${edgeOrigin}/v1/dev/projects/file`, {
      method: "HEAD",
      headers: { authorization: "alice", range: "bytes=0-1" },
    }),
  );
  expect([response.status, response.headers.get("content-range"), cacheResult(response)]).toEqual([200, null, "hit"]);
});

const getPart = async (range: string, etag: string, text: string, fields = {}): Promise<[string, string]> => {
  const [first = "", last = ""] = range.split("-");
  const part = { "content-range": `bytes ${first}-${last}/10`, etag, "cache-control": "max-age=60" };
  stage.answer = () => new Response(text, { status: 206, headers: part });
  const response = await stage.edge.get("alice", "/projects/file", { range: `bytes=${range}`, ...fields });
  return [cacheResult(response), await response.text()];
};

test("a part of a newer representation replaces the parts of the older one", async () => {
  await getPart("4-9", '"p"', "pppppp");
  expect(await getPart("0-3", '"p"', "pppp")).toEqual(["fwd=uri-miss", "pppp"]);
  expect(await getPart("4-9", '"q"', "qqqqqq")).toEqual(["hit", "pppppp"]);
  await getPart("0-3", '"q"', "qqqq", { "cache-control": "no-cache" });
  expect(await getPart("0-3", '"q"', "----")).toEqual(["hit", "qqqq"]);
  expect(await getPart("4-9", '"q"', "qqqqqq")).toEqual(["fwd=uri-miss", "qqqqqq"]);
});

const fresh = { "cache-control": "max-age=60" };
const old = (): Response => new Response("old", { headers: fresh });

test.each<[string, () => Response]>([
  ["forbids storing", () => new Response("new", { headers: { "cache-control": "no-store" } })],
  ["varies by everything", () => new Response("new", { headers: { ...fresh, vary: "*" } })],
  ["states no freshness", () => new Response("new")],
  ["is too long to be stored", () => new Response("new".padEnd(5_000_000), { headers: fresh })],
  ["has no content", () => new Response(null, { status: 204 })],
  ["is a redirect", () => new Response(null, { status: 302, headers: { location: "/v1/dev/b" } })],
  ["is 403", failing(403)],
])("a newer answer that %s removes the older one, and lets none come after it", async (_what, newer) => {
  stage.answer = old;
  await (await stage.edge.get("alice", "/projects/a")).text();
  const held = Promise.withResolvers<void>();
  stage.answer = () => held.promise.then(old);
  const slow = stage.edge.get("alice", "/projects/a", { "cache-control": "no-cache" });
  await expect.poll(() => stage.asked.length).toBe(2);
  stage.answer = newer;
  await (await stage.edge.get("alice", "/projects/a", { "cache-control": "no-cache" })).text();
  held.resolve();
  await (await slow).text();
  await stage.edge.settle();
  expect(cacheResult(await stage.edge.get("alice", "/projects/a"))).toBe("fwd=uri-miss");
});

test.each([304, 412, 416, 429, 503])("a %i says nothing new about the resource: its entry stays", async (status) => {
  stage.answer = old;
  await (await stage.edge.get("alice", "/projects/a")).text();
  stage.answer = () => new Response(null, { status });
  const headers = { "cache-control": "no-cache", "if-match": '"1"' };
  await (await stage.edge.get("alice", "/projects/a", headers)).text();
  await stage.edge.settle();
  expect(cacheResult(await stage.edge.get("alice", "/projects/a"))).toBe("hit");
});

test.each([404, 410])("a DELETE that is answered %i removes what is gone", async (status) => {
  await fill();
  stage.answer = failing(status);
  expect(await statusOf("DELETE", "/v1/dev/engines/zipper", "alice")).toBe(status);
  await stage.edge.settle();
  expect(await state("alice")).toEqual(["", "", "", "hit"]);
});

test.each([
  ["alice", "Origin, Authorization"],
  [undefined, "Origin"],
])("a client with the token %s gets no field for a server between, and Vary: %s", async (token, vary) => {
  const fields = { "x-accel-redirect": "/secret", "x-accel-expires": "60", "x-sendfile": "/secret", vary: "Origin" };
  stage.answer = () => new Response("text", { headers: fields });
  const { headers } = await send("GET", "/v1/dev/projects", token);
  expect([...headers.keys()].filter((name) => name in fields)).toEqual(["vary"]);
  expect(headers.get("vary")).toBe(vary);
});

test("a stored part is not given to a request whose If-Range names another representation", async () => {
  const part = { "content-range": "bytes 0-1/10", etag: '"1"', "cache-control": "max-age=60" };
  stage.answer = () => new Response("01", { status: 206, headers: part });
  await (await stage.edge.get("alice", "/projects/file", { range: "bytes=0-1" })).text();
  stage.answer = () => new Response("abcdefghij", { headers: { etag: '"2"', "cache-control": "max-age=60" } });
  const response = await stage.edge.get("alice", "/projects/file", { range: "bytes=0-1", "if-range": '"2-"' });
  expect([response.status, await response.text()]).toEqual([200, "abcdefghij"]);
});

const fill = async (): Promise<void> => {
  stage.answer = (_headers, url) => Response.json({ name: /engines\/([^/?]+)/.exec(url)?.[1] ?? "", engines: [] });
  for (const token of ["alice", "bob"]) {
    for (const path of ["/engines", "/engines/zipper", "/engines/zipper/status", "/engines/other"]) {
      await stage.edge.get(token, path, json);
    }
  }
  await stage.edge.settle();
  stage.clock.ms += 1;
};

const state = async (token: string): Promise<ReadonlyArray<string>> => {
  const results = [];
  for (const path of ["/engines", "/engines/zipper", "/engines/zipper/status", "/engines/other"]) {
    results.push(cacheResult(await stage.edge.get(token, path, { ...json, "cache-control": "only-if-cached" })));
  }
  return results;
};

test("a write removes the engine, its status and the lists of its user, and nothing else", async () => {
  await fill();
  expect(await statusOf("POST", "/v1/dev/engines/zipper@0.1/deactivate", "alice")).toBe(200);
  await stage.edge.settle();
  expect(await state("alice")).toEqual(["", "", "", "hit"]);
  expect(await state("bob")).toEqual(["hit", "hit", "hit", "hit"]);
});

test.each([
  "/v1/dev/%65ngines/zipper/activate",
  "/v1/dev//engines/zipper/activate",
  "/v1/dev/engines//zipper/activate",
  "/v1/dev/engines/zip%70er/activate",
  "/v1/dev/engines/%zz/activate",
])("a write is recognised in another spelling, too: %s", async (path) => {
  await fill();
  stage.answer = () => new Response(null, { status: 204 });
  expect((await send("POST", path, "alice")).status).toBe(204);
  await stage.edge.settle();
  expect((await state("alice")).slice(0, 3)).toEqual(["", "", ""]);
  expect(await state("bob")).toEqual(["hit", "hit", "hit", "hit"]);
});

test("an upload, whose path names no engine, removes everything of its user, and nothing else", async () => {
  await fill();
  stage.answer = () => Response.json({ name: "other", revision: 2 });
  await statusOf("POST", "/v1/dev/engines", "alice");
  await stage.edge.settle();
  expect(await state("alice")).toEqual(["", "", "", ""]);
  expect(await state("bob")).toEqual(["hit", "hit", "hit", "hit"]);
});

test("what is stored of another path may contain any engine: a write of its user removes it", async () => {
  stage.answer = () => Response.json({}, { headers: { "cache-control": "max-age=60" } });
  for (const token of ["alice", "bob"]) await statusOf("GET", "/v1/dev/projects", token);
  await stage.edge.settle();
  stage.clock.ms += 1;
  await statusOf("POST", "/v1/dev/engines/zipper@0.1/deactivate", "alice");
  await stage.edge.settle();
  const results = await Promise.all(
    ["alice", "bob"].map(async (token) => cacheResult(await send("GET", "/v1/dev/projects", token))),
  );
  expect(results).toEqual(["fwd=uri-miss", "hit"]);
});

test("a write that fails removes nothing", async () => {
  await fill();
  stage.answer = failing(409);
  expect(await statusOf("POST", "/v1/dev/engines/zipper/activate", "alice")).toBe(409);
  await stage.edge.settle();
  expect(await state("alice")).toEqual(["hit", "hit", "hit", "hit"]);
});

test.each<[string, () => Response]>([
  ["is lost", refused],
  ["is that of a gateway", failing(504)],
])("after a write whose answer %s, what it may have changed is validated before it is used", async (_what, lost) => {
  await fill();
  stage.answer = lost;
  expect(await statusOf("POST", "/v1/dev/engines/zipper/activate", "alice")).toBeGreaterThan(500);
  await stage.edge.settle();
  expect(await state("alice")).toEqual(["", "", "", "hit"]);
  expect(await state("bob")).toEqual(["hit", "hit", "hit", "hit"]);
  // Where the upstream stays away, the old answer is still better than none.
  expect(await (await stage.edge.get("alice", "/engines/zipper", json)).json()).toMatchObject({ name: "zipper" });
});

/** A log of purges that is a list. */
const logOf = (kept: Array<Purge>) => ({
  purgeLog: () => ({
    append: async (purge: Purge) => kept.push(purge),
    since: async (number: number) => ({ purges: kept.slice(number), last: kept.length }),
  }),
});

test.each([
  [4_001, "POST", 503],
  [10, "DELETE", 404],
])(
  "%i writes with made-up tokens, %s answered %i, take nothing of others and fill no log",
  async (count, method, status) => {
    await fill();
    const kept: Array<Purge> = [];
    const edge = startEdge(stage.upstream, stage.clock, await stage.store(), {}, logOf(kept));
    stage.answer = failing(status);
    for (let index = 0; index < count; index += 1) {
      expect(await statusOf(method, "/v1/dev/engines/zipper", `made-up-${index}`, edge)).toBe(status);
    }
    await edge.settle();
    expect(kept).toEqual([]);
    expect(cacheResult(await edge.get("alice", "/engines/zipper", json))).toBe("hit");
  },
);

test("what made-up tokens leave in the data centre is not remembered by those who read it: it would crowd out others", async () => {
  await fill();
  const other = await stage.newEdge();
  expect(cacheResult(await other.get("alice", "/engines/zipper", json))).toBe("hit");
  stage.answer = failing(401);
  for (const [token, remembered] of [
    ["made-up", undefined],
    ["alice", "hard"],
  ] as const) {
    for (const edge of [stage.edge, stage.edge, other]) await edge.get(token, "/engines/a", json);
    await stage.edge.settle();
    stage.clock.ms += 5_001;
    await other.get(token, "/engines/a", json);
    const { digest: owner } = await other.isolate.identities.of(token);
    const entry = { owner, endpoint: "get", names: null, fetchedAtMs: 0 } as unknown as Entry;
    expect(other.isolate.store.purgeOf(entry)).toBe(remembered);
  }
});

test("a purge in the log holds as soon as it is read, also while a look-up of the same token is under way", async () => {
  const kept: Array<Purge> = [];
  const near = await stage.store();
  let gate: Promise<void> | undefined;
  const match = async (url: string): Promise<Response | undefined> => {
    await gate;
    return near?.match(url);
  };
  const store = { match, put: near.put.bind(near), delete: near.delete.bind(near) };
  const edge = startEdge(stage.upstream, stage.clock, store, {}, logOf(kept));
  await edge.get("alice", "/engines/a", json);
  await edge.settle();
  stage.clock.ms += 5_001;
  kept.push({ atMs: stage.clock.ms, hard: true });
  const opened = Promise.withResolvers<void>();
  gate = opened.promise;
  const other = edge.get("alice", "/engines/b", json);
  await turn();
  const purged = edge.get("alice", "/engines/a", json);
  await turn();
  opened.resolve();
  expect([cacheResult(await other), cacheResult(await purged)]).toEqual(["fwd=uri-miss", "fwd=uri-miss"]);
});

test("after a lost write with a token that is not known here, what the data centre has from before is not used", async () => {
  await fill();
  const edge = startEdge(stage.upstream, stage.clock, await stage.store(), {}, logOf([]));
  stage.answer = failing(503);
  await statusOf("POST", "/v1/dev/engines/zipper", "alice", edge);
  await edge.settle();
  const after = { ...json, "cache-control": "only-if-cached" };
  expect(cacheResult(await edge.get("alice", "/engines/zipper", after))).toBe("");
  expect(cacheResult(await edge.get("bob", "/engines/zipper", after))).toBe("hit");
});

test("of many writes of one user a few are recorded for others, of which the last takes all of the user for a while", async () => {
  const kept: Array<Purge> = [];
  const start = () => startEdge(stage.upstream, stage.clock, undefined, {}, logOf(kept));
  const [here, there] = [start(), start()];
  const read = async (token: string) => cacheResult(await there.get(token, "/engines/last", json));
  for (const token of ["alice", "bob"]) await read(token);
  const write = async (name: string): Promise<void> => {
    stage.clock.ms += 1;
    await statusOf("POST", `/v1/dev/engines/${name}`, "alice", here);
    await here.settle();
  };
  for (let index = 0; index < 100; index += 1) await write(`e${index}`);
  await write("last");
  expect(kept).toHaveLength(10);
  stage.clock.ms += 4_900;
  expect([await read("alice"), await read("bob")]).toEqual(["fwd=uri-miss", "hit"]);
  // Purges of others are not dated ahead by that.
  expect([here, there].map(({ isolate }) => isolate.store.purgeTime() - stage.clock.ms)).toEqual([0, 0]);
  await write("e");
  expect(kept).toHaveLength(11);
});

test.each(["GET", "POST"])("a 401 to a %s of another path removes all of its token", async (method) => {
  await fill();
  stage.answer = failing(401);
  expect(await statusOf(method, "/v1/dev/else", "alice")).toBe(401);
  await stage.edge.settle();
  expect(await state("alice")).toEqual(["", "", "", ""]);
  expect(await state("bob")).toEqual(["hit", "hit", "hit", "hit"]);
});

test("a 401 ends what is in memory of a token whose identity was forgotten meanwhile", async () => {
  const edge = startEdge(stage.upstream, stage.clock, undefined, {}, logOf([]));
  for (const tag of ["a", "b"]) await edge.get("alice", `/engines/${tag}`, json);
  stage.answer = failing(401);
  for (let index = 0; index < 4_100; index += 1) await edge.isolate.identities.of(`made-up-${index}`);
  for (let index = 0; index < 4_100; index += 1) {
    const pass = await edge.isolate.admission.enter({ owner: `o${index}`, client: "", resource: "r", orStale: false });
    if ("leave" in pass) pass.leave("accepted");
  }
  stage.clock.ms += 1;
  expect((await edge.get("alice", "/engines/c", json)).status).toBe(401);
  await edge.settle();
  stage.clock.ms += 1;
  for (const _ of ["looked up", "from memory"]) expect((await edge.get("alice", "/engines/b", json)).status).toBe(401);
});

test("an answer that was asked for before a write is not stored after it", async () => {
  const held = Promise.withResolvers<void>();
  stage.answer = async (headers) => {
    const old = stage.engineFor(headers);
    await held.promise;
    return old;
  };
  const slow = stage.edge.get("alice", "/engines/zipper", json);
  await expect.poll(() => stage.asked.length).toBe(1);
  stage.answer = (headers) => stage.engineFor(headers);
  await statusOf("POST", "/v1/dev/engines/zipper/activate", "alice");
  held.resolve();
  expect((await slow).status).toBe(200);
  await stage.edge.settle();
  stage.clock.ms += 1;
  expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", json))).toBe("fwd=uri-miss");
});

test("other isolates of the data centre learn of a write within five seconds", async () => {
  const other = await stage.newEdge();
  await fill();
  expect(cacheResult(await other.get("alice", "/engines/zipper", json))).toBe("hit");
  await statusOf("POST", "/v1/dev/engines/zipper/activate", "alice");
  await stage.edge.settle();
  stage.clock.ms += 5_001;
  expect(cacheResult(await other.get("alice", "/engines/zipper", json))).toBe("fwd=uri-miss");
});

test("a write removes every spelling of its path", async () => {
  stage.answer = () => Response.json({}, { headers: { "cache-control": "max-age=60" } });
  const spelled = ["/v1/dev/projects/a", "/v1/dev/project%73/a", "/v1/dev//projects/a"];
  for (const path of spelled) {
    for (const expected of ["fwd=uri-miss", "hit"])
      expect(cacheResult(await send("GET", path, "alice"))).toBe(expected);
    await send("PUT", "/v1/dev/projects/%61", "alice", "{}");
    expect(cacheResult(await send("GET", path, "alice"))).toBe("fwd=uri-miss");
  }
});

test.each([
  ["http://upstream.example/v1/dev/projects/a?b", "/v1/dev/projects/a?b"],
  ["http://upstream.example/v1/auth/a", "/v1/auth/a"],
  ["http://upstream.example/login", "http://upstream.example/login"],
  ["http://upstream.example.evil.example/v1/dev/a", "http://upstream.example.evil.example/v1/dev/a"],
  ["/v1/dev/b", "/v1/dev/b"],
])("a Location of the upstream, %s, is %s for the client", async (location, expected) => {
  stage.answer = () => new Response(null, { status: 303, headers: { location, "cache-control": "max-age=60" } });
  for (const method of ["POST", "GET", "GET"]) {
    expect((await send(method, "/v1/dev/jobs", "alice")).headers.get("location")).toBe(expected);
  }
});

test.each(["PROPFIND", "MKCOL", "QUERY"])("%s is refused: no token goes upstream with it", async (method) => {
  const response = await send(method, "/v1/dev/projects", "alice");
  expect([response.status, response.headers.get("allow")]).toEqual([
    405,
    "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE",
  ]);
  expect(stage.asked).toHaveLength(0);
});

test("HEAD is asked for without a range", async () => {
  const headers = { authorization: "alice", range: "bytes=0-1" };
  await stage.edge.send(new Request(`${edgeOrigin}/v1/dev/projects`, { method: "HEAD", headers }));
  expect(stage.asked[0]?.headers.has("range")).toBe(false);
});

test("a body of a length that no number holds is refused before anything is sent", async () => {
  const headers = { authorization: "alice", "content-length": "9007199254740993" };
  const sent = new Request(`${edgeOrigin}/v1/dev/engines`, { method: "POST", body: "x", headers });
  expect((await stage.edge.send(sent)).status).toBe(413);
  expect(stage.asked).toHaveLength(0);
});

test("a request with no-store leaves what is stored", async () => {
  stage.answer = () => new Response("x", { headers: { "cache-control": "max-age=60" } });
  for (const [control, expected] of [
    ["max-age=60", "fwd=uri-miss"],
    ["no-store", "fwd=request"],
    ["max-age=60", "hit"],
  ] as const) {
    const response = await stage.edge.get("alice", "/projects/file", { "cache-control": control });
    expect([await response.text(), cacheResult(response)]).toEqual(["x", expected]);
  }
});

test("a write is sent once, whatever comes of it", async () => {
  stage.answer = failing(503);
  expect((await send("POST", "/v1/dev/engines", "alice", "{}")).status).toBe(503);
  expect(stage.asked).toHaveLength(1);
});

test("without forwarded paths only the endpoints are there", async () => {
  stage.edge = await stage.newEdge({ FORWARDED_PATHS: "none" });
  expect((await send("POST", "/v1/dev/engines", "alice", "{}")).status).toBe(405);
  expect((await send("GET", "/v1/auth/x", "alice")).status).toBe(404);
  expect(stage.asked).toHaveLength(0);
});

test("a request with a bookmark of D1 is asked upstream, with it", async () => {
  await stage.edge.get("alice", "/engines/zipper", json);
  const second = await stage.edge.get("alice", "/engines/zipper", { ...json, "x-d1-bookmark": "0-1-a" });
  expect(cacheResult(second)).toBe("fwd=request");
  expect(stage.asked[1]?.headers.get("x-d1-bookmark")).toBe("0-1-a");
});

test("the upstream gets the address of the client, where Cloudflare gives it", async () => {
  await stage.edge.get("alice", "/engines/zipper", {
    ...json,
    "cf-connecting-ip": "192.0.2.7",
    "x-forwarded-for": "9.9.9.9",
  });
  expect(stage.asked[0]?.headers.get("x-forwarded-for")).toBe("192.0.2.7");
});

test("a stale answer of another path whose resource fails is served without asking each time", async () => {
  stage.answer = () =>
    new Response("old", { headers: { etag: '"1"', "cache-control": "max-age=10, stale-if-error=600" } });
  await (await stage.edge.get("alice", "/projects/file")).text();
  stage.clock.ms += 20_000;
  stage.answer = failing(503);
  for (const status of ["; fwd-status=503", ""]) {
    const response = await stage.edge.get("alice", "/projects/file");
    expect(await response.text()).toBe("old");
    expect(response.headers.get("cache-status")).toBe(
      `bytenite-edge; fwd=stale${status}; ttl=-10; detail=stale-if-error`,
    );
  }
  expect(stage.asked.length).toBe(2);
});

test("a stored error of another path is not served in place of an answer, though its resource failed", async () => {
  stage.answer = () =>
    new Response("down", { status: 503, headers: { "cache-control": "max-age=10, stale-if-error=600" } });
  await (await stage.edge.get("alice", "/projects/file")).text();
  stage.clock.ms += 20_000;
  stage.answer = () => new Response("works");
  expect(await (await stage.edge.get("alice", "/projects/file")).text()).toBe("works");
});

test("the failure of a write says nothing about reading: the next GET asks the upstream", async () => {
  await send("GET", "/v1/dev/engines/zipper", "alice");
  for (const answer of [failing(504), () => new Response(null, { status: 503, headers: { "retry-after": "600" } })]) {
    stage.answer = answer;
    expect([503, 504]).toContain(await statusOf("PUT", "/v1/dev/engines/zipper", "alice"));
    stage.answer = (headers) => stage.engineFor(headers);
    const asked = stage.asked.length;
    const response = await send("GET", "/v1/dev/engines/zipper", "alice");
    expect([cacheResult(response), stage.asked.length - asked]).toEqual(["fwd=stale", 1]);
    expect(response.headers.get("cache-status")).not.toContain("stale-if-error");
  }
});

test("after an upload without an answer the list is asked for", async () => {
  const list = () => Response.json({ engines: [{ name: `e${stage.asked.length}` }] });
  stage.answer = list;
  await send("GET", "/v1/dev/engines", "alice");
  stage.answer = failing(504);
  expect(await statusOf("POST", "/v1/dev/engines", "alice")).toBe(504);
  stage.answer = list;
  expect(cacheResult(await send("GET", "/v1/dev/engines", "alice"))).toBe("fwd=stale");
});

/** A body that comes after more time than an attempt may take. */
const lateBody = (text: string): ReadableStream<Uint8Array> =>
  new ReadableStream({
    start: async (controller) => {
      await turnsUntil(() => vi.getTimerCount() === 0);
      await vi.advanceTimersByTimeAsync(400);
      controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });

test.each([
  ["POST", "/v1/dev/other/x", "text/plain"],
  ["POST", "/v1/dev/engines", "application/json"],
  ["GET", "/v1/dev/other/x", "text/event-stream"],
  ["GET", "/v1/dev/other/x", "application/json"],
])("the answer to %s %s (%s), which is not stored, may take its time", async (method, path, type) => {
  fakeTimers();
  stage.edge = await stage.newEdge({ ATTEMPT_TIMEOUT_MS: "100" });
  stage.answer = () => new Response(lateBody("{}"), { headers: { "content-type": type } });
  const response = await send(method, path, "alice");
  expect([response.status, await response.text()]).toEqual([200, "{}"]);
});

test.each([
  ["GET", "/v1/dev/other/x"],
  ["POST", "/v1/dev/engines/x"],
  ["GET", "/v1/dev/engines/x"],
])("%s %s with a status that no answer has is 502", async (method, path) => {
  for (const status of [101, 999]) {
    stage.answer = () => Object.defineProperty(new Response("odd"), "status", { value: status });
    const response = await send(method, path, "alice");
    expect([response.status, response.headers.get("proxy-status")]).toEqual([
      502,
      "bytenite-edge; error=http_protocol_error",
    ]);
  }
});

test.each([
  ["with its length, and may take longer than an attempt, while a kilobyte a second arrives", 1_000, 201],
  ["without an end while bytes trickle: it would hold a place of others", 10, 504],
] as const)("a body that arrives slowly is passed on, %s", async (_what, chunkBytes, expected) => {
  fakeTimers();
  const received: Array<number> = [];
  const upstream = async (_url: string, { body }: RequestInit): Promise<Response> => {
    // A probe has no body.
    if (body instanceof ReadableStream) {
      const index = received.push(0) - 1;
      for await (const { length } of body as ReadableStream<Uint8Array>)
        received[index] = (received[index] ?? 0) + length;
    }
    return new Response(null, { status: 201 });
  };
  const edge = startEdge(upstream, stage.clock, undefined, { ATTEMPT_TIMEOUT_MS: "1000" });
  for (const length of [`${10 * chunkBytes}`, undefined]) {
    let sent = 0;
    const body = new ReadableStream<Uint8Array>({
      pull: async (controller) => {
        await turnsUntil(() => sent === 0 || received.at(-1) === sent * chunkBytes);
        await vi.advanceTimersByTimeAsync(400);
        controller.enqueue(new Uint8Array(chunkBytes));
        sent += 1;
        if (sent === 10) controller.close();
      },
    });
    const headers = { authorization: "alice", ...(length !== undefined && { "content-length": length }) };
    const response = await edge.send(
      new Request(`${edgeOrigin}/v1/dev/engines`, { method: "POST", body, headers, duplex: "half" } as RequestInit),
    );
    expect(response.status).toBe(expected);
  }
  expect(received.filter((bytes) => bytes === 10 * chunkBytes)).toHaveLength(expected === 201 ? 2 : 0);
});

test("the log has the bytes that were sent, of a stored answer too", async () => {
  const log = vi.spyOn(console, "log").mockImplementation(() => {});
  stage.edge = await stage.newEdge({ LOG: "all" });
  const headers = { etag: '"1"', "cache-control": "max-age=60" };
  stage.answer = () => new Response("0123456789", { headers });
  for (const [method, fields] of [
    ["GET", {}],
    ["GET", { range: "bytes=2-4" }],
    ["GET", { range: "bytes=20-" }],
    ["GET", { "if-none-match": '"1"' }],
    ["HEAD", {}],
  ] as const) {
    const sent = new Request(`${edgeOrigin}/v1/dev/file`, { method, headers: { authorization: "alice", ...fields } });
    await (await stage.edge.send(sent)).text();
  }
  const lines = log.mock.calls.map(([line]) => JSON.parse(String(line)) as { status: number; bytes: number });
  expect(lines.map(({ status, bytes }) => [status, bytes])).toEqual([
    [200, 10],
    [206, 3],
    [416, 0],
    [304, 0],
    [200, 0],
  ]);
  log.mockRestore();
});

test("an answer that everybody may get has the request id of nobody else", async () => {
  stage.edge = await stage.newEdge({ CACHE_ANONYMOUS: "on", LOG: "errors" });
  stage.answer = (headers) => {
    const id = headers.get("x-request-id") ?? "";
    return new Response("x", { headers: { "cache-control": "max-age=60", "x-request-id": id, "server-timing": "db" } });
  };
  const ask = async (headers: Record<string, string>) => {
    const response = await stage.edge.send(new Request(`${edgeOrigin}/v1/dev/file`, { headers }));
    return [cacheResult(response), response.headers.get("x-request-id"), response.headers.get("server-timing")];
  };
  expect(await ask({ "x-request-id": "first-client" })).toEqual([
    "fwd=uri-miss",
    "first-client",
    'cache;desc="uri-miss", upstream;dur=0',
  ]);
  expect(await ask({})).toEqual(["hit", null, null]);
});

test.each([
  ["stored", { "cache-control": "max-age=60" }, "hit"],
  ["not stored", {}, "fwd=uri-miss"],
])("an answer with a cookie is %s for everybody by its fields %o", async (_what, fields, expected) => {
  stage.edge = await stage.newEdge({ CACHE_ANONYMOUS: "on" });
  const headers = { "last-modified": "Sat, 28 Nov 2020 00:00:00 GMT", "set-cookie": "session=1", ...fields };
  stage.answer = () => new Response("x", { headers });
  const ask = async () => cacheResult(await stage.edge.get(undefined, "/file"));
  expect([await ask(), await ask()]).toEqual(["fwd=uri-miss", expected]);
});
