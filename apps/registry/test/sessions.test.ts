// D1 sessions: engines from replicas, credentials from the primary.
import { env } from "cloudflare:workers";
import { managementTokens } from "@bytenite-engines/test-kit/management";
import { beforeAll, beforeEach, expect, test, vi } from "vitest";
import type { D1Binding } from "../src/D1Driver.ts";
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

test("engines are read from any copy, credentials from the primary", async () => {
  const answer = await asked();
  expect([answer.status, answer.headers.get("x-d1-bookmark")]).toEqual([200, expect.stringMatching(/^[0-9a-f-]+$/)]);
  expect(read).toEqual([
    ["primary", "credentials"],
    ["first-unconstrained", "engines"],
  ]);
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

test("without sessions all is read from the database itself", async () => {
  const answer = await asked({}, watched("primary", env.DB));
  expect([answer.status, answer.headers.get("x-d1-bookmark")]).toEqual([200, null]);
  expect(read.map(([from]) => from)).toEqual(["primary", "primary"]);
});
