// Responses while the upstream is slow, failing or away.
import { decode } from "@bytenite-engines/core/wire";
import { StatusSchema } from "@bytenite-engines/proto";
import { describe, expect, test } from "vitest";
import { cacheResult, startEdge } from "./edge.ts";
import { failing, json, protobuf, refused, revisionOf, stageProxy } from "./stage.ts";

const stage = stageProxy();

test("stale answers are served at once and validated once, behind the answer", async () => {
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 61_000;
  const held = Promise.withResolvers<void>();
  stage.answer = async (headers) => {
    await held.promise;
    return stage.engineFor(headers);
  };
  const stale = await Promise.all(Array.from({ length: 20 }, () => stage.edge.get("alice", "/engines/zipper", json)));
  expect(new Set(stale.map((response) => response.headers.get("cache-status")))).toEqual(
    new Set(["bytenite-edge; hit; ttl=-1"]),
  );
  expect(stage.asked).toHaveLength(2);
  held.resolve();
  await stage.edge.settle();
  const fresh = await stage.edge.get("alice", "/engines/zipper", json);
  expect([cacheResult(fresh), await revisionOf(fresh)]).toEqual(["hit", 2]);
});

test.each([
  ["500", failing(500)],
  ["502", failing(502)],
  ["503", failing(503)],
  ["504", failing(504)],
  ["no connection", refused],
])("%s leaves the stale answer, and says so", async (_what, fault) => {
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 300_000;
  stage.answer = fault;
  const response = await stage.edge.get("alice", "/engines/zipper", json);
  expect([response.status, await revisionOf(response)]).toEqual([200, 1]);
  expect(response.headers.get("cache-status")).toMatch(
    /^bytenite-edge; fwd=stale(; fwd-status=50\d)?; ttl=-240; detail=stale-if-error$/,
  );
  stage.clock.ms += 600_000;
  expect((await stage.edge.get("alice", "/engines/zipper", json)).status).toBeGreaterThanOrEqual(500);
});

test("401 for one answer drops all of the token's answers, in the other isolates too", async () => {
  const status = 401;
  const other = await stage.newEdge();
  for (const path of ["/engines/a", "/engines/b"]) {
    await stage.edge.get("alice", path);
    await stage.edge.get("bob", path);
    await stage.edge.settle();
    expect(cacheResult(await other.get("alice", path))).toBe("hit");
  }
  stage.clock.ms += 1_000;
  stage.answer = (headers) => (headers.get("authorization") === "alice" ? failing(status)() : stage.engineFor(headers));
  expect((await stage.edge.get("alice", "/engines/a", { "cache-control": "no-cache" })).status).toBe(status);
  await stage.edge.settle();
  expect((await stage.edge.get("alice", "/engines/b")).status).toBe(status);
  expect(cacheResult(await stage.edge.get("bob", "/engines/b"))).toBe("hit");
  stage.clock.ms += 6_000;
  expect((await other.get("alice", "/engines/b")).status).toBe(status);
});

test("403 is about its resource: it comes through, and the token's other answers stay", async () => {
  for (const path of ["/engines/a", "/engines/b"]) await stage.edge.get("alice", path, json);
  stage.answer = failing(403);
  expect((await stage.edge.get("alice", "/engines/a", { ...json, "cache-control": "no-cache" })).status).toBe(403);
  await stage.edge.settle();
  expect((await stage.edge.get("alice", "/engines/a", json)).status).toBe(403);
  expect(cacheResult(await stage.edge.get("alice", "/engines/b", json))).toBe("hit");
});

test("errors are stored for nobody: who comes later asks again", async () => {
  stage.answer = failing(404);
  await stage.edge.get("alice", "/engines/zipper");
  await stage.edge.get("alice", "/engines/zipper");
  await stage.edge.get("bob", "/engines/zipper");
  expect(stage.asked).toHaveLength(3);
});

test.each([
  [404, 1],
  [503, 3],
])("%i, after %i attempts, is shared by who waits for it, but not with other users", async (status, attempts) => {
  const held = Promise.withResolvers<void>();
  stage.answer = async () => {
    await held.promise;
    return failing(status)();
  };
  const users = ["alice", "bob"].flatMap((user) => Array.from({ length: 5 }, () => user));
  const answers = users.map((user) => stage.edge.get(user, "/engines/zipper"));
  // Both are asked for before either is answered.
  await expect.poll(() => stage.asked.length).toBe(2);
  held.resolve();
  expect((await Promise.all(answers)).map((response) => response.status)).toEqual(users.map(() => status));
  const asked = stage.asked.map(({ headers }) => headers.get("authorization"));
  for (const user of ["alice", "bob"]) expect(asked.filter((name) => name === user)).toHaveLength(attempts);
});

test("without a token nothing is stored, and an expired one is served nothing stored", async () => {
  stage.answer = (headers) => (headers.has("authorization") ? stage.engineFor(headers) : failing(401)());
  expect((await stage.edge.get(undefined, "/engines/zipper")).status).toBe(401);
  expect(cacheResult(await stage.edge.get(undefined, "/engines/zipper"))).toBe("fwd=bypass");
  const token = `e30.${btoa(JSON.stringify({ exp: stage.clock.ms / 1000 + 20 })).replaceAll("=", "")}.c2ln`;
  const first = await stage.edge.get(token, "/engines/zipper");
  expect(first.headers.get("cache-control")).toBe("private, max-age=20");
  // The age that a response comes with takes nothing off what the token has left.
  stage.answer = (headers) => stage.engineFor(headers, { age: "10" });
  const aged = await stage.edge.get(token, "/engines/aged");
  expect([aged.headers.get("age"), aged.headers.get("cache-control")]).toEqual(["10", "private, max-age=30"]);
  stage.clock.ms += 19_000;
  for (const path of ["/engines/zipper", "/engines/aged"]) {
    expect(cacheResult(await stage.edge.get(token, path))).toBe("hit");
  }
  stage.clock.ms += 1_000;
  stage.answer = refused;
  // After the first of these failures the upstream is known to be down.
  expect((await stage.edge.get(token, "/engines/zipper")).status).toBe(502);
  expect((await stage.edge.get(token, "/engines/aged")).status).toBe(503);
});

test("when nothing can be served it is 502, a Status in the negotiated form, and when to come back", async () => {
  stage.answer = refused;
  const response = await stage.edge.get("alice", "/engines/zipper", protobuf);
  expect([response.status, response.headers.get("content-type")]).toEqual([502, "application/x-protobuf"]);
  expect(response.headers.get("proxy-status")).toBe("bytenite-edge; error=connection_terminated");
  expect(response.headers.get("retry-after")).toBe("5");
  expect(decode(StatusSchema, new Uint8Array(await response.arrayBuffer()), "protobuf").code).toBe(14);
});

const asked = async (user: string, path: string): Promise<[status: number, sent: number, response: Response]> => {
  const before = stage.asked.length;
  const response = await stage.edge.get(user, path);
  await stage.edge.settle();
  return [response.status, stage.asked.length - before, response];
};
const stateOfBreaker = async (): Promise<string> => {
  const health = await stage.edge.send(new Request("https://edge.example/-/health"));
  return ((await health.json()) as { readonly upstream: { readonly breaker: string } }).upstream.breaker;
};
const isProbe = (headers: Headers, url: string): boolean => url.endsWith("/engines") && !headers.has("authorization");

describe("an upstream that does not answer", () => {
  test("gets only a probe and one request with it; any response ends that", async () => {
    for (const user of ["alice", "bob"]) await stage.edge.get(user, "/engines/zipper");
    stage.answer = refused;
    stage.clock.ms += 300_000;
    expect((await asked("alice", "/engines/other"))[0]).toBe(502);
    expect(await stateOfBreaker()).toBe("open");
    // Nobody waits for it, whoever it is.
    const [status, sent, response] = await asked("dave", "/engines/again");
    expect([status, sent]).toEqual([503, 0]);
    expect(response.headers.get("proxy-status")).toBe("bytenite-edge; error=destination_unavailable");
    expect(response.headers.get("retry-after")).toBe("1");
    expect((await asked("bob", "/engines/zipper")).slice(0, 2)).toEqual([200, 0]);
    stage.clock.ms += 5_000;
    expect((await asked("dave", "/engines/again")).slice(0, 2)).toEqual([502, 2]);
    expect((await asked("erin", "/engines/again")).slice(0, 2)).toEqual([503, 0]);
    stage.clock.ms += 5_000;
    stage.answer = (headers) => stage.engineFor(headers);
    // Stale is served without waiting, and the probe behind it finds the upstream there.
    expect((await asked("bob", "/engines/zipper")).slice(0, 2)).toEqual([200, 1]);
    expect(await stateOfBreaker()).toBe("closed");
    expect((await asked("erin", "/engines/again")).slice(0, 2)).toEqual([200, 1]);
  });

  test("is not held to be down for ever: after a pause without traffic all requests go through", async () => {
    /** The statuses of requests of several users at once. No answer comes before all are upstream, or one has ended without. */
    const burst = async (name: string, answer: (headers: Headers) => Response): Promise<ReadonlyArray<number>> => {
      const released = Promise.withResolvers<void>();
      let underWay = 0;
      stage.answer = async (headers) => {
        if (headers.has("authorization") && ++underWay === 12) released.resolve();
        await released.promise;
        return answer(headers);
      };
      const get = async (_: unknown, index: number): Promise<number> => {
        const { status } = await stage.edge.get(`user-${index % 5}`, `/engines/${name}-${index}`);
        released.resolve();
        return status;
      };
      return Promise.all(Array.from({ length: 12 }, get));
    };
    stage.answer = refused;
    await asked("alice", "/engines/other");
    expect(await stateOfBreaker()).toBe("open");
    stage.clock.ms += 45_000;
    // Still down: one attempt for each that comes before the probe has failed, and none after it.
    const before = stage.asked.length;
    expect(new Set(await burst("down", refused))).toEqual(new Set([502]));
    await stage.edge.settle();
    expect(stage.asked.length - before).toBe(13);
    expect(await stateOfBreaker()).toBe("open");
    expect((await asked("alice", "/engines/other")).slice(0, 2)).toEqual([503, 0]);
    stage.clock.ms += 45_000;
    expect(new Set(await burst("back", (headers) => stage.engineFor(headers)))).toEqual(new Set([200]));
    expect(await stateOfBreaker()).toBe("closed");
  });

  test("for paths that one user chooses is not denied to others", async () => {
    stage.answer = (headers, url) => (url.endsWith("/mine") ? refused() : stage.engineFor(headers));
    for (let index = 0; index < 20; index++) {
      expect((await asked(`user-${index}`, "/engines/mine"))[0]).toBe(502);
      stage.clock.ms += 1_000;
    }
    expect(await stateOfBreaker()).toBe("closed");
    const probes = stage.asked.filter(({ headers, url }) => isProbe(headers, url));
    expect([probes.length > 1, probes.length <= 5]).toEqual([true, true]);
    expect((await asked("alice", "/engines/zipper"))[0]).toBe(200);
  });

  test("to a probe alone, while users get answers, stays open to them", async () => {
    const failing = Promise.withResolvers<Response>();
    stage.answer = (headers, url) =>
      isProbe(headers, url) ? failing.promise : url.endsWith("/mine") ? refused() : stage.engineFor(headers);
    await stage.edge.get("alice", "/engines/mine");
    await stage.edge.get("bob", "/engines/zipper");
    failing.reject(new TypeError("refused"));
    await stage.edge.settle();
    expect(await stateOfBreaker()).toBe("closed");
  });
});

test("what fails for a resource is that resource's, and is not asked for behind each stale answer", async () => {
  for (const name of ["a", "b"]) await stage.edge.get("alice", `/engines/${name}`, json);
  stage.clock.ms += 300_000;
  stage.answer = (headers, url) => (url.endsWith("/a") ? failing(500)() : stage.engineFor(headers));
  const before = stage.asked.length;
  for (let count = 0; count < 5; count++) {
    const response = await stage.edge.get("alice", "/engines/a", json);
    expect([response.status, response.headers.get("cache-status")]).toEqual([
      200,
      expect.stringContaining("stale-if-error"),
    ]);
  }
  expect(stage.asked.length - before).toBe(1);
  expect(cacheResult(await stage.edge.get("alice", "/engines/b", json))).toBe("fwd=stale");
  expect(stage.asked.length - before).toBe(2);
  stage.clock.ms += 2_000;
  await stage.edge.get("alice", "/engines/a", json);
  expect(stage.asked.length - before).toBe(3);
});

test.each<[string, ReadonlyArray<number>, () => Response]>([
  ["500", [0, 2, 6], failing(500)],
  ["503 with Retry-After: 5", [0, 5], () => new Response(null, { status: 503, headers: { "retry-after": "5" } })],
  ["429", [0, 2, 4, 6], failing(429)],
  ["429 with Retry-After: 5", [0, 5], () => new Response(null, { status: 429, headers: { "retry-after": "5" } })],
  ["501", [0, 2, 4, 6], failing(501)],
  ["no connection", [0, 2, 6], refused],
])(
  "while stale answers may be validated behind them, %s is asked for at seconds %j",
  async (_what, expected, fault) => {
    await stage.edge.get("alice", "/engines/a", json);
    stage.clock.ms += 61_000;
    stage.answer = (headers) => (headers.has("authorization") ? fault() : stage.engineFor(headers));
    const sentAt: Array<number> = [];
    const sent = () => stage.asked.filter(({ headers }) => headers.has("authorization")).length;
    for (let second = 0; second < 8; second++) {
      const before = sent();
      for (let count = 0; count < 2; count++) {
        const response = await stage.edge.get("alice", "/engines/a", json);
        expect([response.status, cacheResult(response)]).toEqual([200, "hit"]);
        await stage.edge.settle();
      }
      if (sent() > before) sentAt.push(second);
      expect(sent() - before).toBeLessThanOrEqual(1);
      stage.clock.ms += 1_000;
    }
    expect(sentAt).toEqual(expected);
    // An answer ends the back-off.
    stage.answer = (headers) => stage.engineFor(headers);
    stage.clock.ms += 10_000;
    await stage.edge.get("alice", "/engines/a", json);
    await stage.edge.settle();
    expect(await revisionOf(await stage.edge.get("alice", "/engines/a", json))).toBeGreaterThan(1);
  },
);

test("the notes of other isolates cost no wait of their own", async () => {
  const looked = Promise.withResolvers<void>();
  const slow = {
    match: async (key: RequestInfo | URL) => {
      if (/\/(?:purges|turned-away)/.test(new Request(key).url)) await looked.promise;
      else looked.resolve();
      return undefined;
    },
    put: async () => {},
    delete: async () => false,
  };
  const alone = startEdge(stage.upstream, stage.clock, slow);
  expect((await alone.get("carol", "/engines/zipper")).status).toBe(200);
});

test("notes that nobody can read stop no request", async () => {
  const unreadable = { match: async () => new Response("{"), put: async () => {}, delete: async () => false };
  const alone = startEdge(stage.upstream, stage.clock, unreadable);
  for (const expected of ["fwd=uri-miss", "hit"]) {
    expect(cacheResult(await alone.get("carol", "/engines/zipper"))).toBe(expected);
    stage.clock.ms += 6_000;
  }
});

test("a cache that fails, or is not there, is one tier less", async () => {
  const broken = { match: refused, put: refused, delete: refused };
  for (const store of [undefined, broken]) {
    const alone = startEdge(stage.upstream, stage.clock, store);
    expect(cacheResult(await alone.get("carol", "/engines/zipper"))).toBe("fwd=uri-miss");
    expect(cacheResult(await alone.get("carol", "/engines/zipper"))).toBe("hit");
    await alone.settle();
  }
});
