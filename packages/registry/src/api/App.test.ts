import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { addConfigured, addCredential, ensureUser, listCredentials } from "../manage/Accounts.ts";
import { publishAll } from "../manage/Engines.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import type { Answer, RequestHead } from "./Answer.ts";
import { ApiError } from "./ApiError.ts";
import { fetchHandler, loggedPath, makeApp, pathIn, webDigest } from "./App.ts";
import { migrate } from "./Migrations.ts";
import type { RoutesOptions } from "./Routes.ts";
import { makeSerializer } from "./Serializer.ts";
import type { SqlDriver } from "./SqlDriver.ts";

const logFields = { endpoint: undefined, user: undefined } as const;

/** What a handler is given and answers. */
const handled = async (
  url: string,
  init: RequestInit = {},
  answer: (head: RequestHead) => Promise<Partial<Answer>> = async () => ({}),
) => {
  const heads: Array<RequestHead> = [];
  const handler = fetchHandler(async (head) => {
    heads.push(head);
    return { status: 200, headers: { "X-Own": "1" }, body: "whole", logFields, ...(await answer(head)) };
  });
  const response = await handler(new Request(url, init));
  return { head: heads[0] as RequestHead, response };
};

test("a request comes with its method, its fields and its target", async () => {
  const { head } = await handled("https://a.example/x/y?z=%20", { method: "DELETE", headers: { "If-Match": "*" } });
  expect([head.method, head.target, head.header("if-match"), head.header("x")]).toEqual([
    "DELETE",
    "/x/y?z=%20",
    "*",
    null,
  ]);
  for (const [url, target] of [
    ["https://a.example", "/"],
    ["https://a.example?x", "/?x"],
    ["https://a.example/x#y", "/x"],
  ] as const) {
    expect((await handled(url)).head.target).toBe(target);
  }
});

const size = async (head: RequestHead, most: number): Promise<number> => (await head.body(most)).length;
const streamed = async (head: RequestHead, most: number): Promise<number> => {
  let bytes = 0;
  for await (const part of head.chunks(most)) bytes += part.length;
  return bytes;
};

test("a body is read up to a limit, whole or in parts", async () => {
  const init = { method: "POST", body: "12345" };
  const tooLong = { status: 413, message: "body is longer than 4 bytes" };
  for (const read of [size, streamed]) {
    const by = (most: number, sent: RequestInit) => {
      return handled("https://a.example/", sent, async (head) => ({ body: String(await read(head, most)) })).then(
        ({ response }) => response.text(),
      );
    };
    expect(await by(5, init)).toBe("5");
    await expect(by(4, init)).rejects.toMatchObject(tooLong);
    expect(await by(0, {})).toBe("0");
  }
});

test("an answer comes with its body, or with its stream and the length of it", async () => {
  const isEmpty = new Set([204, 304]);
  for (const [method, answer, text, length] of [
    ["GET", {}, "whole", null],
    ["GET", { body: new Uint8Array([0x61]) }, "a", null],
    ["HEAD", {}, "", null],
    ["GET", { status: 204 }, "", null],
    ["GET", { status: 304 }, "", null],
    ["GET", { status: 404 }, "whole", null],
    ["GET", { stream: { length: 4, bytes: new Blob(["part"]).stream() } }, "part", "4"],
    ["HEAD", { stream: { length: 4, bytes: undefined } }, "", "4"],
  ] as const) {
    const { response } = await handled("https://a.example/", { method }, async () => answer);
    const status = "status" in answer ? answer.status : 200;
    expect([method, answer, response.status, response.headers.get("x-own")]).toEqual([method, answer, status, "1"]);
    expect([await response.clone().text(), response.headers.get("content-length")]).toEqual([text, length]);
    expect(response.body === null).toBe(method === "HEAD" || isEmpty.has(status));
  }
});

test("the digest of a body is half of its SHA-256, of text and of bytes alike", async () => {
  const half = createHash("sha256").update("é").digest().subarray(0, 16).toString("base64").replace(/=+$/, "");
  expect([await webDigest("é"), await webDigest(new TextEncoder().encode("é"))]).toEqual([half, half]);
});

test("a log has the start of a path, without query and credentials", () => {
  expect([pathIn("/a?b?c"), pathIn("/a"), pathIn("?b")]).toEqual(["/a", "/a", ""]);
  for (const [target, logged] of [
    ["/engines/x?token=bnt_0123456789abcdef", "/engines/x"],
    ["/engines/bnt_0123456789abcdef/BNK_01234567/status", "/engines/[redacted]/[redacted]/status"],
    ["/engines/eyJhbGciOiJIUzI1NiJ9.e30.c2ln@0.1", "/engines/[redacted]@0.1"],
    ["/engines/bnt_0123456/eyJ", "/engines/bnt_0123456/eyJ"],
    [`/${"x".repeat(199)}`, `/${"x".repeat(199)}`],
    [`/${"x".repeat(200)}`, `/${"x".repeat(199)}`],
  ] as const) {
    expect(loggedPath(target)).toBe(logged);
  }
});

/** A registry of carol and her engine. */
const world = async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const carol = ensureUser(file, "carol", 0);
  await addCredential(file, carol, "token", "token-of-carol", 0, "publish");
  await publishAll(file, carol, [{ name: "zipper", version: "0.1" }], undefined, 0);
  const app = (options: Partial<RoutesOptions> = {}) =>
    makeApp({
      sql: file.port,
      box: undefined,
      serializer: makeSerializer(),
      accessTokens: undefined,
      accepts: ["token"],
      now: () => 7_000,
      ...options,
    });
  return { file, app, [Symbol.dispose]: () => file.close() };
};

const asking = (method: string, path: string, authorization = "token-of-carol", accept?: string): RequestHead => {
  const fields: Readonly<Record<string, string | undefined>> = { authorization, accept, "x-request-id": "mine" };
  const header = (name: string): string | null => fields[name] ?? null;
  return {
    method,
    target: `/v1/dev/${path}`,
    header,
    body: async () => new Uint8Array(),
    chunks: async function* () {},
  };
};

test("who reads is looked up in the replica, who changes in the primary, and both are counted and noted", async () => {
  using registry = await world();
  const said: Array<unknown> = [];
  const driver = (name: string): SqlDriver => ({
    ...registry.file.port,
    read: (statements) => {
      said.push(name);
      return registry.file.port.read(statements);
    },
  });
  const app = registry.app({
    sql: driver("primary"),
    credentials: driver("replica"),
    session: (_, from) => {
      said.push(["session", from]);
      return { sql: driver("session"), headers: () => ({ "X-D1-Bookmark": "a mark" }) };
    },
    checkRate: ({ name }) => void said.push(["rate", name]),
    used: (...use) => void said.push(use),
  });
  const used = [listCredentials(registry.file)[0]?.id, 7_000];
  const read = await app(asking("GET", "engines"));
  expect([read.status, read.logFields, read.headers["X-D1-Bookmark"]]).toEqual([
    200,
    { endpoint: "list", user: "carol" },
    "a mark",
  ]);
  expect(said).toEqual(["replica", ["rate", "carol"], used, ["session", undefined], "session"]);
  said.length = 0;
  const changed = await app(asking("POST", "engines/zipper/activate"));
  expect([changed.status, changed.logFields]).toEqual([200, { endpoint: "activate", user: "carol" }]);
  expect(said.slice(0, 4)).toEqual(["primary", ["rate", "carol"], used, ["session", "primary"]]);
  expect(said).not.toContain("replica");
  const options = await app(asking("OPTIONS", "engines", ""));
  expect([options.status, options.headers, options.logFields]).toEqual([
    204,
    { Allow: "GET, HEAD, POST, OPTIONS", "X-Request-Id": "mine" },
    { endpoint: "list", user: undefined },
  ]);
});

const checkAddressRate = (address: string): void => {
  if (address === "192.0.2.1") throw new ApiError("RESOURCE_EXHAUSTED", "too many requests");
};

test("an address at its limit is refused before anything else, in the format that it asks for", async () => {
  using registry = await world();
  const binary = "application/x-protobuf";
  for (const [address, serializer, expected] of [
    ["192.0.2.1", undefined, [429, binary]],
    ["192.0.2.1", makeSerializer({ jsonOnly: true }), [429, "application/json"]],
    ["192.0.2.2", undefined, [401, binary]],
    [undefined, undefined, [401, binary]],
  ] as const) {
    const app = registry.app({ checkAddressRate, addressOf: () => address });
    const { status, headers } = await app(asking("GET", "engines", "", binary), serializer);
    expect([address, [status, headers["Content-Type"]]]).toEqual([address, expected]);
  }
  const unlimited = registry.app({ addressOf: () => "192.0.2.1" });
  expect((await unlimited(asking("GET", "engines"))).status).toBe(200);
});

test("of the configured tokens in a database those of this process are accepted", async () => {
  using registry = await world();
  const tokens = { carol: ["one", "two"], dave: ["three"], constructor: ["four"] };
  await addConfigured(registry.file, tokens, new Map(), 0);
  const app = registry.app({ accepts: ["configured"], configured: { carol: ["one"] } });
  const statuses = await Promise.all(
    ["one", "two", "three", "four", "token-of-carol"].map(
      async (token) => (await app(asking("GET", "engines", token))).status,
    ),
  );
  expect(statuses).toEqual([200, 401, 401, 401, 401]);
});
