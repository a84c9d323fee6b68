// Newer databases, overload, internal errors, a failing bucket, wrong credentials.
import { env } from "cloudflare:workers";
import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { EngineMessageSchema } from "@bytenite-engines/proto";
import { managementTokens } from "@bytenite-engines/test-kit/management";
import { packTar } from "modern-tar";
import { beforeAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { makeD1Driver, type D1Binding } from "../src/D1Driver.ts";
import type { R2Binding } from "../src/R2Store.ts";
import type Worker from "../src/worker.ts";

let worker: typeof Worker;
let asked = 0;

/** Statements that fail, in a batch too. */
const failures = new WeakSet<object>();

/** The local database; `failing` answers instead where it gives an error. */
const database = (failing: (sql: string) => string | undefined = () => undefined): D1Binding => ({
  batch: async (statements) => {
    for (const statement of statements) if (failures.has(statement)) await statement.all();
    return env.DB.batch(statements);
  },
  prepare: (sql) => {
    if (sql.includes("FROM credentials")) asked += 1;
    const message = failing(sql);
    if (message === undefined) return env.DB.prepare(sql);
    const statement = { bind: () => statement, all: () => Promise.reject(new Error(message)) };
    failures.add(statement);
    return statement;
  },
});

const ask = (
  token: string,
  { DB = database(), address = "192.0.2.1", path = "/v1/dev/engines/zipper", body = "" } = {},
) =>
  worker.fetch(
    new Request(`https://registry.example${path}`, {
      headers: { Authorization: token, ...(address === "" ? {} : { "CF-Connecting-IP": address }) },
      ...(body === "" ? {} : { method: "POST", body }),
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
  asked = 0;
});

test("a database of a newer version is served after a rollback, unless what is read there is gone", async () => {
  await env.DB.prepare("INSERT INTO migrations VALUES (99, 0)").all();
  await env.DB.prepare("ALTER TABLE engines ADD COLUMN later TEXT").all();
  for (const path of ["/v1/dev/engines/zipper", "/v1/dev/engines", "/readyz"]) {
    expect([path, (await ask("token-of-alice", { path })).status]).toEqual([path, 200]);
  }
  vi.resetModules();
  worker = (await import("../src/worker.ts")).default;
  await env.DB.prepare("ALTER TABLE engines RENAME COLUMN json TO document").all();
  const refused = await ask("token-of-alice");
  expect([refused.status, await refused.json(), refused.headers.get("retry-after")]).toMatchObject([
    500,
    { code: 13 },
    null,
  ]);
  const ready = await ask("", { path: "/readyz" });
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("schema version 99")]);
  await env.DB.prepare("ALTER TABLE engines RENAME COLUMN document TO json").all();
  expect((await ask("token-of-alice")).status).toBe(200);
  await env.DB.prepare("ALTER TABLE engines DROP COLUMN later").all();
  await env.DB.prepare("DELETE FROM migrations WHERE version = 99").all();
});

const passing = [
  "D1_ERROR: D1 DB is overloaded. Requests queued for too long.",
  "D1_ERROR: D1 DB is overloaded. Too many requests queued.",
  "D1_ERROR: Network connection lost.",
  "D1_ERROR: D1 DB storage operation exceeded timeout which caused object to be reset.",
  "D1_ERROR: Internal error in D1 DB storage caused object to be reset.",
];

const ours = [
  "D1_ERROR: no such column: nothing: SQLITE_ERROR",
  'D1_ERROR: near "SELEC": syntax error at offset 0: SQLITE_ERROR',
  "D1_TYPE_ERROR: Type 'undefined' not supported",
];

const answerOf = async (options: Parameters<typeof ask>[1]): Promise<string> => {
  const answer = await ask("token-of-alice", options);
  return `${answer.status} ${answer.headers.get("retry-after")}`;
};

test.for([
  ...passing.map((message) => ["503 5", message] as const),
  ...ours.map((message) => ["500 null", message] as const),
])(
  "status and Retry-After are %s for %s: at the first request, for tokens and for keys",
  async ([expected, message]) => {
    expect(await answerOf({ DB: database(() => message) })).toBe(expected);
    // The handler is built with the first database that it is given.
    vi.resetModules();
    worker = (await import("../src/worker.ts")).default;
    const DB = database((sql) => (sql.includes("FROM credentials") ? message : undefined));
    expect(await answerOf({ DB })).toBe(expected);
    expect(await answerOf({ DB, path: "/v1/auth/access_token", body: '{"apiKey":"key-of-bob"}' })).toBe(expected);
  },
);

const statement = { sql: "SELECT 1", values: [] };

test.for([
  ...passing.map((message) => [new Error(message), "DatabaseUnavailable"] as const),
  [new Error("D1_ERROR: no such table: engines: SQLITE_ERROR"), "DatabaseUnavailable"] as const,
  ...ours.map((message) => [new Error(message), "Error"] as const),
  [new TypeError("bind is not a function"), "TypeError"] as const,
])("%s of a statement is %s to whoever reads or writes", async ([error, expected]) => {
  const refused = { bind: () => refused, all: () => Promise.reject(error) };
  const { read, write } = makeD1Driver({ prepare: () => refused, batch: () => Promise.reject(error) });
  for (const failing of [read([statement]), read([statement, statement]), write([statement])]) {
    const found = (await failing.catch((thrown: unknown) => thrown)) as Error;
    expect([found.name, found === error || found.cause === error]).toEqual([expected, true]);
  }
});

test.for<[code: string, sql: string, value?: undefined]>([
  ["SQLITE_CONSTRAINT", "INSERT INTO migrations SELECT * FROM migrations"],
  ["SQLITE_MISMATCH", "INSERT INTO migrations VALUES ('x', 0)"],
  ["SQLITE_TOOBIG", "SELECT zeroblob(2000000000)"],
  ["SQLITE_AUTH", "ATTACH 'x' AS other"],
  ["D1_TYPE_ERROR", "SELECT ?1", undefined],
])("D1 itself says %s of %s, which no retry would change", async ([code, sql, ...values]) => {
  const { read, write } = makeD1Driver(env.DB);
  for (const run of [read, write]) {
    const refused = run([{ sql, values: values as ReadonlyArray<unknown> as ReadonlyArray<never> }]);
    await expect(refused).rejects.toMatchObject({ name: "Error", message: expect.stringContaining(code) });
  }
});

test("one statement is read by itself, and what is more or written is a batch", async () => {
  const batches: Array<number> = [];
  const { read, write } = makeD1Driver({
    prepare: (sql) => env.DB.prepare(sql),
    batch: (statements) => (batches.push(statements.length), env.DB.batch(statements)),
  });
  const rows = [{ 1: 1 }];
  expect(await read([statement])).toEqual([rows]);
  expect(batches).toEqual([]);
  expect([await read([statement, statement]), await write([statement])]).toEqual([[rows, rows], [rows]]);
  expect(batches).toEqual([2, 1]);
});

test("while the database cannot be read it is not ready, and says when to ask again", async () => {
  const ready = await ask("", { path: "/readyz", DB: database(() => "D1_ERROR: Network connection lost.") });
  expect([
    ready.status,
    await ready.text(),
    ready.headers.get("retry-after"),
    ready.headers.get("cache-control"),
  ]).toEqual([503, "the database cannot be read\n", "5", "no-store"]);
});

const archiveOf = (bytes: number): Promise<Uint8Array> =>
  packTar([
    { header: { name: "manifest.json", size: 31, type: "file" }, body: '{"name":"down","version":"0.1"}' },
    { header: { name: "app/x", size: bytes, type: "file" }, body: new Uint8Array(bytes) },
  ]);

const linkIn = async (answer: Promise<Response>): Promise<string> =>
  ((await (await answer).json()) as { readonly engineLink: string }).engineLink;

test("what fails in the bucket is answered with 503 and leaves no parts of an object; later all goes on", async () => {
  let failing = "";
  const begun: Array<Awaited<ReturnType<R2Binding["createMultipartUpload"]>>> = [];
  /** A bucket or an upload to it, of which one method may fail. */
  const failable = <A extends object>(of: A): A =>
    new Proxy(of, {
      get: (_, name) => {
        const method: unknown = Reflect.get(of, name);
        if (typeof method !== "function") return method;
        return async (...given: ReadonlyArray<unknown>) => {
          if (name === failing) throw new Error(`${name} failed`);
          if (name === "get" && failing === "body") {
            return { body: new ReadableStream({ start: (controller) => controller.error(new Error("body failed")) }) };
          }
          const result: unknown = await Reflect.apply(method, of, given);
          if (name !== "createMultipartUpload") return result;
          begun.push(result as (typeof begun)[number]);
          return failable(result as object);
        };
      },
    });
  const bindings = {
    ...env,
    ARCHIVES: failable(env.ARCHIVES),
    BUCKET_URL: "https://account.example/bucket",
    R2_ACCESS_KEY_ID: "id",
    R2_SECRET_ACCESS_KEY: "secret",
  };
  const call = (
    path: string,
    message?: MessageInitShape<typeof EngineMessageSchema>,
    headers: Record<string, string> = {},
  ): Promise<Response> =>
    worker.fetch(
      new Request(new URL(path, "https://registry.example/v1/dev/"), {
        headers: { Authorization: managementTokens.publish, "Content-Type": "application/x-protobuf", ...headers },
        ...(message === undefined
          ? {}
          : { method: "POST", body: toBinary(EngineMessageSchema, create(EngineMessageSchema, message)) }),
      }),
      bindings,
    );
  const [short, long] = [await archiveOf(1), await archiveOf(9_000_000)];
  const publish = (engineData: Uint8Array): Promise<Response> => call("engines", { engineData });
  const link = (): Promise<Response> => call("uploads", {}, { "Upload-Length": "1" });
  expect((await publish(short)).status).toBe(200);
  const [download, engineLink] = [await linkIn(call("engines/down@0.1/download")), await linkIn(link())];
  const place = new URL(engineLink).pathname.slice("/bucket/".length);
  await env.ARCHIVES.put(place, short);
  const publishStaged = async (archive: Uint8Array = short): Promise<Response> => {
    const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(archive)));
    return call("engines", { engineLink }, { "Repr-Digest": `sha-256=:${btoa(String.fromCharCode(...digest))}:` });
  };
  const statuses: Array<unknown> = [];
  const rows = [
    ["put", () => publish(short)],
    ["createMultipartUpload", () => publish(long)],
    ["uploadPart", () => publish(long)],
    ["complete", () => publish(long)],
    ["get", () => call(download)],
    ["list", link],
    ["get", () => publishStaged()],
    ["body", () => publishStaged()],
  ] as const;
  for (const [method, request] of rows) {
    failing = method;
    const { status, headers } = await request();
    statuses.push([method, status, headers.get("retry-after")]);
  }
  expect(statuses).toEqual(rows.map(([method]) => [method, 503, "5"]));
  expect(begun).toHaveLength(2);
  for (const upload of begun) await expect(upload.uploadPart(1, short)).rejects.toThrow("does not exist");
  // What cannot be removed, a needless object or what has arrived at the link, is left to the sweeper.
  failing = "delete";
  expect([(await call(download)).status, (await publishStaged()).status]).toEqual([200, 200]);
  expect((await publishStaged(long)).status).toBe(400);
  await env.ARCHIVES.put(place, new Uint8Array(2_000));
  expect((await publishStaged()).status).toBe(400);
});

test("the last use of a credential is written behind the answer, once a minute", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const start = Date.now();
  const left: Array<Promise<unknown>> = [];
  const used = async (ms: number): Promise<readonly [left: number, usedMs: unknown]> => {
    vi.setSystemTime(start + ms);
    const headers = { Authorization: "token-of-alice" };
    const request = new Request("https://registry.example/v1/dev/engines", { headers });
    await (await worker.fetch(request, env, { waitUntil: (work) => void left.push(work) })).arrayBuffer();
    await Promise.all(left);
    const { results } = await env.DB.prepare("SELECT max(last_used_at) AS ms FROM credentials").all();
    return [left.length, results[0]?.["ms"]];
  };
  expect([await used(0), await used(59_999)]).toEqual([
    [0, null],
    [0, null],
  ]);
  expect(await used(60_000)).toEqual([1, start + 60_000]);
});

test("an isolate that has just begun asks the database twice for a request, and twenty at once ask forty times", async () => {
  let calls = 0;
  const counted = (queries: Pick<D1Binding, "prepare" | "batch">) => ({
    batch: (statements: Parameters<D1Binding["batch"]>[0]) => {
      calls += 1;
      return queries.batch(statements.map((statement) => (statement as Counted).plain));
    },
    prepare: (sql: string): Counted => countedStatement(queries.prepare(sql), () => (calls += 1)),
  });
  const DB: D1Binding = {
    ...counted(env.DB),
    withSession: (from) => {
      const session = env.DB.withSession?.(from);
      if (session === undefined) throw new Error("local D1 has no sessions");
      return { ...counted(session), getBookmark: () => session.getBookmark() };
    },
  };
  expect((await ask("token-of-alice", { DB })).status).toBe(200);
  expect(calls).toBe(2);
  expect((await ask("token-of-alice", { DB, path: "/v1/dev/engines" })).status).toBe(200);
  expect(calls).toBe(3);
  vi.resetModules();
  worker = (await import("../src/worker.ts")).default;
  calls = 0;
  const answers = await Promise.all(Array.from({ length: 20 }, () => ask("token-of-alice", { DB })));
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(calls).toBeLessThanOrEqual(40);
});

type Plain = ReturnType<D1Binding["prepare"]>;
type Counted = Plain & { readonly plain: Plain };

const countedStatement = (plain: Plain, count: () => void): Counted => ({
  plain,
  bind: (...values) => countedStatement(plain.bind(...values), count),
  all: () => {
    count();
    return plain.all();
  },
});

test("credentials that nobody knows are limited by address before the database is asked; known ones go on", async () => {
  expect((await ask("token-of-alice")).status).toBe(200);
  const statuses = await Promise.all(
    Array.from({ length: 200 }, async (_, index) => (await ask(`guess-${index}`)).status),
  );
  expect(statuses.filter((status) => status === 401).length).toBeLessThanOrEqual(31);
  expect(new Set(statuses)).toEqual(new Set([401, 429]));
  expect(asked).toBeLessThanOrEqual(40);
  const refused = await ask("one-more-guess");
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, expect.stringMatching(/^[1-9]\d*$/)]);
  const key = await ask("", { path: "/v1/auth/access_token", body: '{"apiKey":"a-guess"}' });
  expect(key.status).toBe(429);
  expect((await ask("token-of-alice")).status).toBe(200);
  expect((await ask("token-of-bob", { address: "192.0.2.2" })).status).toBe(200);
  expect((await ask("a-guess", { address: "" })).status).toBe(401);
});

test("an IPv6 network counts as one address, and right credentials do not count", async () => {
  for (let call = 0; call < 40; call++) {
    const address = `2001:db8::${(call + 1).toString(16)}`;
    expect((await ask("token-of-alice", { address })).status).toBe(200);
  }
  const statuses = await Promise.all(
    Array.from(
      { length: 60 },
      async (_, index) => (await ask(`guess-${index}`, { address: `2001:db8::1:${index}` })).status,
    ),
  );
  expect(statuses).toContain(429);
  expect((await ask("a-guess", { address: "2001:db8:0:1::1" })).status).toBe(401);
});
