import { env, exports } from "cloudflare:workers";
import { decode, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import type { RateLimiter } from "@bytenite-engines/registry/api";
import { beforeAll, expect, test, vi } from "vitest";

const base = "https://registry.example/v1/dev";

const get = (path: string, token = "token-of-alice", accept = "application/json"): Promise<Response> =>
  exports.default.fetch(base + path, { headers: { Authorization: token, Accept: accept } });

const at = (path: string): Promise<Response> => exports.default.fetch(`https://registry.example${path}`);

beforeAll(async () => {
  for (const statement of env.SEED_SQL.split("\n").filter((line) => line !== "")) {
    await env.DB.prepare(statement).all();
  }
});

test("an export of a SQLite file, read into D1, answers lists with the totals it had", async () => {
  const list = (await (await get("/engines", "token-of-bob")).json()) as {
    engines: Array<unknown>;
    pagination: unknown;
  };
  expect(list.engines).toHaveLength(20);
  expect(list.pagination).toEqual({ total: 45, offset: 0, hasPrevious: false, hasNext: true });
  const last = await (await get("/engines?pagination.offset=40&orderBy=name%20desc", "token-of-bob")).json();
  expect(last).toMatchObject({ pagination: { total: 45, offset: 40, hasPrevious: true, hasNext: false } });
});

test("both forms of every answer say the same", async () => {
  for (const [path, schema] of [
    ["/engines", EngineListResponseSchema],
    ["/engines/zipper@0", EngineSchema],
  ] as const) {
    const json = new Uint8Array(await (await get(path)).arrayBuffer());
    const answer = await get(path, "token-of-alice", "application/x-protobuf");
    expect(answer.headers.get("content-type")).toBe("application/x-protobuf");
    expect(answer.headers.get(schemaDigestHeader)).toBe(schemaDigests[schema.typeName]);
    expect(decode(schema, new Uint8Array(await answer.arrayBuffer()), "protobuf")).toEqual(
      decode(schema, json, "json"),
    );
  }
});

test("texts with quotes, line breaks and letters of all kinds arrive as they were", async () => {
  const engine = (await (await get("/engines/zipper")).json()) as { description: string; version: string };
  expect(engine.version).toBe("1.2");
  expect(engine.description).toBe("It's 'quoted',\nof two lines; and ünïcode: 1.2");
});

test("tags mean the highest version, and 0.10 is later than 0.9", async () => {
  expect(await (await get("/engines/zipper@0/status")).json()).toMatchObject({ engineTag: "zipper@0.10" });
});

test("a secret opens for its owner alone, with the key that sealed it", async () => {
  expect(await (await get("/engines/zipper@1.0")).json()).toMatchObject({ platformConfig: { token: "secret of 1.0" } });
  const other = await (await get("/engines/zipper@1.0", "token-of-bob")).json();
  expect(other).toMatchObject({ version: "1.0", platformConfig: { token: "" } });
});

test("another user's private version does not exist", async () => {
  expect(await (await get("/engines/zipper", "token-of-bob")).json()).toMatchObject({ version: "1.0" });
  expect((await get("/engines/zipper@1.2", "token-of-bob")).status).toBe(404);
});

test("an API key is exchanged for a token that opens the API", async () => {
  const answer = await exports.default.fetch("https://registry.example/v1/auth/access_token", {
    method: "POST",
    body: JSON.stringify({ apiKey: "key-of-bob" }),
  });
  const { token } = (await answer.json()) as { token: string };
  expect(await (await get("/engines", token)).json()).toMatchObject({ pagination: { total: 45 } });
});

test("the document, its page and the files of the page are served", async () => {
  expect(await (await at("/openapi.json")).json()).toMatchObject({ openapi: "3.1.1" });
  expect(await (await at("/docs")).text()).toContain("/docs/swagger-ui-bundle.js");
});

test.for([
  ["/v1/dev/engines", "GET, HEAD, POST, OPTIONS"],
  ["/v1/dev/engines/zipper@1.0/status", "GET, HEAD, OPTIONS"],
  ["/openapi.json", "GET, HEAD, OPTIONS"],
  ["/docs", "GET, HEAD, OPTIONS"],
] as const)("%s has HEAD, OPTIONS, Allow, an ETag and 304", async ([path, allow]) => {
  const sent = (init: RequestInit) =>
    exports.default.fetch(`https://registry.example${path}`, {
      ...init,
      headers: { Authorization: "token-of-alice", ...(init.headers as Record<string, string> | undefined) },
    });
  const got = await sent({});
  const etag = got.headers.get("etag") ?? "";
  expect(etag).toMatch(/^"[\w+/]{22}"$/);
  expect((await got.arrayBuffer()).byteLength).toBeGreaterThan(0);
  const head = await sent({ method: "HEAD" });
  expect([head.status, head.headers.get("etag"), (await head.arrayBuffer()).byteLength]).toEqual([200, etag, 0]);
  const known = await sent({ headers: { "If-None-Match": etag } });
  expect([known.status, known.headers.get("etag"), await known.text()]).toEqual([304, etag, ""]);
  const options = await sent({ method: "OPTIONS" });
  expect([options.status, options.headers.get("allow")]).toEqual([204, allow]);
  const other = await sent({ method: "DELETE" });
  expect([other.status, other.headers.get("allow"), await other.json()]).toMatchObject([405, allow, { code: 12 }]);
});

test("it is healthy, and ready as long as its tables are there", async () => {
  expect([(await at("/healthz")).status, await (await at("/readyz")).text()]).toEqual([200, "ready\n"]);
  await env.DB.prepare("ALTER TABLE migrations RENAME TO elsewhere").all();
  expect((await at("/readyz")).status).toBe(503);
  await env.DB.prepare("ALTER TABLE elsewhere RENAME TO migrations").all();
  expect((await at("/readyz")).status).toBe(200);
});

test("trial tokens do not travel, and nobody else is let in", async () => {
  for (const token of ["local-alice", "", "Bearer ", "token-of-carol"]) {
    const answer = await get("/engines", token);
    expect([answer.status, await answer.json()]).toMatchObject([401, { code: 16 }]);
  }
});

/** A binding of two calls per key whose period never ends: on a busy machine more calls than a real one allows take longer than it. */
const twoCalls = (): RateLimiter => {
  const calls = new Map<string, number>();
  return {
    limit: async ({ key }) => {
      calls.set(key, (calls.get(key) ?? 0) + 1);
      return { success: (calls.get(key) ?? 0) <= 2 };
    },
  };
};

test("calls of a user and requests of an address past their limits are refused with the time to wait", async () => {
  // Those of wrangler.jsonc are there, and allow calls.
  for (const limiter of [env.USER_LIMIT, env.ADDRESS_LIMIT]) {
    expect(await limiter.limit({ key: "anybody" })).toEqual({ success: true });
  }
  vi.resetModules();
  const { default: worker } = await import("../src/worker.ts");
  const limits = { USER_LIMIT: twoCalls(), ADDRESS_LIMIT: twoCalls() };
  const said = async (path: string, headers: Readonly<Record<string, string>>): Promise<string> => {
    const request = new Request(`https://registry.example${path}`, { headers });
    const answer = await worker.fetch(request, { ...env, ...limits });
    return `${answer.status} ${answer.headers.get("retry-after")}`;
  };
  const by = (token: string) => () => said("/v1/dev/engines/engine-1/status", { Authorization: token });
  const from = (address: string) => () => said("/openapi.json", { "CF-Connecting-IP": address });
  for (const [one, other] of [
    [by("token-of-bob"), by("token-of-alice")],
    [from("192.0.2.7"), from("192.0.2.8")],
  ] as const) {
    expect([await one(), await one(), await one()]).toEqual(["200 null", "200 null", "429 10"]);
    expect(await other()).not.toMatch(/^429/);
  }
});
