// D1 sessions: engines from replicas, credentials from recent copies.
import { env } from "cloudflare:workers";
import { decode } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema } from "@bytenite-engines/proto";
import { managementTokens } from "@bytenite-engines/test-kit/management";
import { beforeAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { makeCredentialsDriver, type D1Binding } from "../src/D1Driver.ts";
import type Worker from "../src/worker.ts";

/** Tables that were read, by where: `primary`, or what a session began from. */
let read: Array<readonly [from: string, table: string]> = [];

/** The local database, with what it is asked written down. */
const watched = (from: string, database: Pick<D1Binding, "prepare" | "batch">) => ({
  batch: database.batch.bind(database),
  prepare: (sql: string) => {
    // The last one: totals are asked for inside of a list.
    const table = [...sql.matchAll(/FROM (\w+)/g)].at(-1)?.[1];
    if (table === "engines" || table === "credentials") read.push([from, table]);
    return database.prepare(sql);
  },
});

const withSessions: D1Binding = {
  ...watched("primary", env.DB),
  withSession: (from) => {
    const session = env.DB.withSession?.(from);
    if (session === undefined) throw new Error("local D1 has no sessions");
    return { ...watched(from, session), getBookmark: () => session.getBookmark() };
  },
};

let worker: typeof Worker;

const asked = async (
  headers: Record<string, string> = {},
  DB = withSessions,
  path = "/zipper@1.0",
): Promise<Response> =>
  worker.fetch(
    new Request(`https://registry.example/v1/dev/engines${path}`, {
      headers: { Authorization: "token-of-alice", ...headers },
    }),
    { ...env, DB },
  );

beforeAll(async () => {
  for (const statement of env.SEED_SQL.split("\n").filter((line) => line !== "")) {
    await env.DB.prepare(statement).all();
  }
});

// Each test has an isolate that remembers nobody.
beforeEach(async () => {
  vi.resetModules();
  worker = (await import("../src/worker.ts")).default;
  read = [];
});

test("engines are read from any copy, the first credential from the primary", async () => {
  const answer = await asked();
  expect([answer.status, answer.headers.get("x-d1-bookmark")]).toEqual([200, expect.stringMatching(/^[0-9a-f-]+$/)]);
  expect(read).toEqual([
    ["first-primary", "credentials"],
    ["first-unconstrained", "engines"],
  ]);
});

/** Where each credential was looked up since the last call. */
const lookups = (): ReadonlyArray<string> => {
  const from = read.filter(([, table]) => table === "credentials").map(([where]) => where);
  read = [];
  return from.map((where) => (where.startsWith("first-") || where === "primary" ? where : "copy"));
};

test("the primary is asked for credentials once in ten seconds, and for those that a copy does not have", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const start = Date.now();
  const at = async (ms: number, headers: Record<string, string> = {}) => {
    vi.setSystemTime(start + ms);
    return [(await asked(headers)).status, lookups()];
  };
  expect(await at(0)).toEqual([200, ["first-primary"]]);
  expect(await at(1_000)).toEqual([200, ["copy"]]);
  expect(await at(9_999)).toEqual([200, ["copy"]]);
  expect(await at(9_999, { Authorization: "nobody" })).toEqual([401, ["copy", "first-primary"]]);
  // That answer of the primary began another ten seconds.
  expect(await at(9_999, { Authorization: "token-of-bob" })).toEqual([200, ["copy"]]);
  expect(await at(18_000)).toEqual([200, ["copy"]]);
  expect(await at(19_999)).toEqual([200, ["first-primary"]]);
  // A clock that goes back says nothing of how old the copy is.
  expect(await at(10_000)).toEqual([200, ["first-primary"]]);
});

test("the primary is asked when a copy lacks one row of two", async () => {
  const froms: Array<string> = [];
  const { read } = makeCredentialsDriver({
    ...withSessions,
    withSession: (from) => {
      froms.push(from.startsWith("first-") ? from : "copy");
      const session = withSessions.withSession?.(from);
      if (session === undefined) throw new Error("local D1 has no sessions");
      return session;
    },
  });
  const [found, lacking] = [1, 0].map((limit) => ({ sql: `SELECT 1 AS one LIMIT ${limit}`, values: [] }));
  for (const rows of [[found], [found, found], [found, lacking]]) await read(rows.filter((row) => row !== undefined));
  expect(froms).toEqual(["first-primary", "copy", "copy", "first-primary"]);
});

const old = (sql: string): string =>
  sql.replaceAll("FROM credentials c INDEXED BY credentials_by_selector", "FROM kept c");

/** Revokes all credentials. Copies stay as they were before, until a session begins with a bookmark that has seen it. */
const revoked = async (atMs: number): Promise<D1Binding> => {
  await env.DB.prepare("DROP TABLE IF EXISTS kept").all();
  await env.DB.prepare("CREATE TABLE kept AS SELECT * FROM credentials").all();
  const writing = env.DB.withSession?.("first-primary");
  await writing?.prepare("UPDATE credentials SET revoked_at = ?").bind(atMs).all();
  const bookmark = writing?.getBookmark() ?? "";
  return {
    ...withSessions,
    withSession: (from) => {
      const session = withSessions.withSession?.(from);
      if (session === undefined) throw new Error("local D1 has no sessions");
      const isBehind = !from.startsWith("first-") && from < bookmark;
      return { ...session, prepare: (sql) => session.prepare(isBehind ? old(sql) : sql) };
    },
  };
};

test("a revocation holds after ten seconds and one, however far behind a copy is, and at once for what is not a read", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const start = Date.now();
  let current = withSessions;
  const DB: D1Binding = {
    ...withSessions,
    withSession: (from) => (current.withSession as NonNullable<D1Binding["withSession"]>)(from),
  };
  expect((await asked({}, DB)).status).toBe(200);
  current = await revoked(start);
  onTestFinished(async () => void (await env.DB.prepare("UPDATE credentials SET revoked_at = NULL").all()));
  const managed = await worker.fetch(
    new Request("https://registry.example/manage/v1/statistics", {
      headers: { Authorization: managementTokens.manage, "Bytenite-Management": "1" },
    }),
    { ...env, DB },
  );
  expect(managed.status).toBe(401);
  const statuses: Array<readonly [ms: number, status: number]> = [];
  for (const ms of [1_000, 9_999, 10_998, 10_999, 11_000, 20_000, 30_000]) {
    vi.setSystemTime(start + ms);
    statuses.push([ms, (await asked({}, DB)).status]);
  }
  expect(statuses).toEqual([
    [1_000, 200],
    [9_999, 200],
    [10_998, 200],
    [10_999, 401],
    [11_000, 401],
    [20_000, 401],
    [30_000, 401],
  ]);
});

test("a token that is revoked while the body of its request arrives changes nothing", async () => {
  onTestFinished(async () => void (await env.DB.prepare("UPDATE credentials SET revoked_at = NULL").all()));
  const body = new ReadableStream<Uint8Array>(
    {
      // Read once the token was let in.
      pull: async (controller) => {
        await env.DB.prepare("UPDATE credentials SET revoked_at = 1").all();
        controller.enqueue(new TextEncoder().encode('{"name":"made-too-late"}'));
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const headers = {
    Authorization: managementTokens.manage,
    "Bytenite-Management": "1",
    "Content-Type": "application/json",
  };
  const late = await worker.fetch(
    new Request("https://registry.example/manage/v1/users", { method: "POST", headers, body }),
    { ...env, DB: withSessions },
  );
  expect([late.status, await late.json()]).toMatchObject([401, { message: "access token is not valid" }]);
  const { results } = await env.DB.prepare("SELECT * FROM users WHERE name = 'made-too-late'").all();
  expect(results).toEqual([]);
});

test("a bookmark of an earlier answer goes on from there, and what is none is not taken for one", async () => {
  const bookmark = (await asked()).headers.get("x-d1-bookmark") ?? "";
  const list = await asked({ "X-D1-Bookmark": bookmark }, withSessions, "");
  expect(list.status).toBe(200);
  expect((list.headers.get("x-d1-bookmark") ?? "") >= bookmark).toBe(true);
  expect((await asked({ "X-D1-Bookmark": "first-primary" })).status).toBe(200);
  expect((await asked({ "X-D1-Bookmark": "'; DROP TABLE engines" })).status).toBe(200);
  const missing = await asked({ "X-D1-Bookmark": bookmark }, withSessions, "/nothing");
  expect([missing.status, missing.headers.has("x-d1-bookmark")]).toEqual([404, true]);
  expect(new Set(read.filter(([, table]) => table === "engines").map(([from]) => from))).toEqual(
    new Set(["first-unconstrained", bookmark, "first-primary"]),
  );
});

test("no-cache is read from the primary, unless there is a bookmark", async () => {
  for (const [headers, from] of [
    [{ "Cache-Control": "no-cache" }, "first-primary"],
    [{ "Cache-Control": "max-age=0, No-Cache" }, "first-primary"],
    [{ "Cache-Control": "max-age=0" }, "first-unconstrained"],
    [{ "Cache-Control": "no-cache", "X-D1-Bookmark": "first-unconstrained" }, "first-unconstrained"],
  ] as const) {
    read = [];
    expect((await asked(headers)).status).toBe(200);
    expect(read.filter(([, table]) => table === "engines")).toEqual([[from, "engines"]]);
  }
});

test("what a management request writes, a read with the bookmark of its answer sees", async () => {
  const managed = await worker.fetch(
    new Request("https://registry.example/manage/v1/users", {
      method: "POST",
      headers: {
        Authorization: managementTokens.manage,
        "Bytenite-Management": "1",
        "Content-Type": "application/json",
      },
      body: '{"name":"written-with-a-bookmark"}',
    }),
    { ...env, DB: withSessions },
  );
  const bookmark = managed.headers.get("x-d1-bookmark") ?? "";
  expect([managed.status, bookmark]).toEqual([201, expect.stringMatching(/^[0-9a-f-]+$/)]);
  expect((await asked({ "X-D1-Bookmark": bookmark })).status).toBe(200);
  expect(read.at(-1)).toEqual([bookmark, "engines"]);
});

test("the bytes of engines are asked for as text, since D1 returns an array of numbers for them", async () => {
  const sql: Array<string> = [];
  const DB: D1Binding = { ...watched("primary", env.DB), prepare: (text) => (sql.push(text), env.DB.prepare(text)) };
  const answer = await asked({ Accept: "application/x-protobuf" }, DB, "");
  const { engines } = decode(EngineListResponseSchema, new Uint8Array(await answer.arrayBuffer()), "protobuf");
  expect([answer.status, engines.length]).toEqual([200, 4]);
  const [first] = (await env.DB.prepare("SELECT hex(protobuf) AS hex, protobuf FROM engines LIMIT 1").all()).results;
  expect([typeof first?.["hex"], Array.isArray(first?.["protobuf"])]).toEqual(["string", true]);
  const asking = sql.filter((text) => text.includes("protobuf"));
  expect(asking).toHaveLength(1);
  expect(
    asking[0]?.replaceAll("hex(protobuf) ELSE '' END AS protobuf", "").replaceAll("octet_length(protobuf)", ""),
  ).not.toContain("protobuf");
});

test("without sessions all is read from the database itself", async () => {
  const answer = await asked({}, watched("primary", env.DB));
  expect([answer.status, answer.headers.get("x-d1-bookmark")]).toEqual([200, null]);
  expect(read.map(([from]) => from)).toEqual(["primary", "primary"]);
});
