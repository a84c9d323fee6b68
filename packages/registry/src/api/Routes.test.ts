// Responses of the routes over one shared test registry.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decode, offered, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, onTestFinished, test } from "vitest";
import { openSqlite } from "../node/SqliteFile.ts";
import { startRegistry, type TestRegistry } from "../testing.ts";

interface Sent {
  readonly method?: string;
  readonly headers?: Record<string, string>;
}

const call = (registry: TestRegistry, path: string, { method = "GET", headers = {} }: Sent = {}): Promise<Response> =>
  fetch(registry.url + path, { method, headers: { Authorization: "local-alice", ...headers } });

const json = async (registry: TestRegistry, path: string, token = "local-alice"): Promise<Record<string, unknown>> =>
  (await (await call(registry, path, { headers: { Authorization: token } })).json()) as Record<string, unknown>;

const namesIn = (list: Record<string, unknown>): ReadonlyArray<string> =>
  (list["engines"] as ReadonlyArray<{ name: string; version: string }>).map(
    ({ name, version }) => `${name}@${version}`,
  );

test.for([
  ["GET", "/engines", { Authorization: "" }, 401, 16],
  ["GET", "/engines", { Authorization: "Bearer" }, 401, 16],
  ["GET", "/engines", { Authorization: "local-alic" }, 401, 16],
  ["GET", "/engines", { Accept: "text/html" }, 406, 9],
  ["GET", "/engines", { Accept: "application/json;q=0", Authorization: "" }, 406, 9],
  ["GET", "/engines", { Accept: "application/*;q=0" }, 406, 9],
  ["GET", "/engines?pagination.limit=-1", {}, 400, 3],
  ["GET", "/engines?pagination.limit=1.5", {}, 400, 3],
  ["GET", "/engines?pagination.offset=4294967296", {}, 400, 3],
  ["GET", "/engines?pagination.limit=", {}, 400, 3],
  ["GET", "/engines?pagination.limit=1&pagination.limit=1", {}, 400, 3],
  ["GET", "/engines?orderBy=createdAt&order_by=createdAt", {}, 400, 3],
  ["GET", "/engines?isPublic=yes", {}, 400, 3],
  ["GET", "/engines?is_public=", {}, 400, 3],
  ["GET", "/engines?orderBy=secret", {}, 400, 3],
  ["GET", "/engines?orderBy=__proto__", {}, 400, 3],
  ["GET", "/engines?orderBy=%ZZ", {}, 400, 3],
  ["GET", "/engines/zipper?engineData=!", {}, 400, 3],
  ["GET", "/engines/zipper@01", {}, 400, 3],
  ["GET", "/engines/zip%20per", {}, 400, 3],
  ["GET", "/engines/zipper@9", {}, 404, 5],
  ["GET", "/engines/word-count", {}, 404, 5],
  ["GET", "/engines/", {}, 404, 5],
  ["GET", "/engines/zipper/", {}, 404, 5],
  ["GET", "/engines/zipper/status/x", {}, 404, 5],
  ["GET", "/engines/a%2Fb", {}, 404, 5],
  ["GET", "/nothing", { Authorization: "" }, 404, 5],
  ["POST", "/nothing", {}, 404, 5],
  ["PUT", "/engines", {}, 405, 12],
  ["PATCH", "/engines/zipper", { Authorization: "" }, 405, 12],
  ["PUT", "/engines/zipper/status", {}, 405, 12],
] as ReadonlyArray<[string, string, Record<string, string>, number, number]>)(
  "%s %s with %j is answered with %i and code %i, in both forms",
  async ([method, path, headers, status, code]) => {
    await using registry = await startRegistry();
    const answer = await call(registry, path, { method, headers });
    const body = (await (answer.headers.get("content-type") === "application/json"
      ? answer.json()
      : { code })) as Record<string, unknown>;
    expect([answer.status, body["code"]]).toEqual([status, code]);
    expect(answer.headers.get("vary")).toBe("Accept");
    expect(answer.headers.get(schemaDigestHeader)).toBeNull();
    expect(answer.headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
    if (headers["Accept"] !== undefined) return;
    const accept = { Accept: "application/x-protobuf" };
    const binary = await call(registry, path, { method, headers: { ...headers, ...accept } });
    expect([binary.status, binary.headers.get("content-type")]).toEqual([status, "application/x-protobuf"]);
  },
);

test("HEAD is answered as GET is, without a body", async () => {
  await using registry = await startRegistry();
  const answer = await call(registry, "/engines", { method: "HEAD" });
  expect([answer.status, await answer.text()]).toEqual([200, ""]);
});

test("a refusal of Accept lists what is offered", async () => {
  await using registry = await startRegistry();
  const { message } = (await (await call(registry, "/engines", { headers: { Accept: "image/png" } })).json()) as {
    message: string;
  };
  for (const { mediaType } of offered) expect(message).toContain(mediaType);
});

test.for<[string, string]>([
  ["*/*", "application/json"],
  ["application/x-protobuf", "application/x-protobuf"],
  ["application/protobuf", "application/protobuf"],
  ["application/vnd.google.protobuf", "application/vnd.google.protobuf"],
  ["application/json;q=0.5, application/x-protobuf", "application/x-protobuf"],
  ["application/x-protobuf;q=0, */*", "application/json"],
  ["text/html, application/xhtml+xml, */*;q=0.8", "application/json"],
])("Accept: %s is answered with %s", async ([accept, type]) => {
  await using registry = await startRegistry();
  const answer = await call(registry, "/engines/zipper", { headers: { Accept: accept } });
  expect([answer.status, answer.headers.get("content-type")]).toEqual([200, type]);
});

test("both forms of the three answers say the same, and name the schema of the message in them", async () => {
  await using registry = await startRegistry();
  for (const [path, schema] of [
    ["/engines?pagination.limit=3", EngineListResponseSchema],
    ["/engines/word-count@0.10", EngineSchema],
    ["/engines/zipper/status", EngineMessageSchema],
  ] as const) {
    const headers = { Authorization: "local-bob" };
    const text = await call(registry, path, { headers });
    const bytes = await call(registry, path, { headers: { ...headers, Accept: "application/x-protobuf" } });
    expect(decode(schema, new Uint8Array(await bytes.arrayBuffer()), "protobuf")).toEqual(
      decode(schema, new Uint8Array(await text.arrayBuffer()), "json"),
    );
    for (const answer of [text, bytes]) {
      expect(answer.headers.get(schemaDigestHeader)).toBe(schemaDigests[schema.typeName]);
    }
  }
});

test("JSON has every field in the order of the contract, unset messages as null, lists as []", async () => {
  await using registry = await startRegistry({
    users: [{ name: "carol", engines: [{ name: "bare", version: "0.1" }] }],
  });
  const engine = await json(registry, "/engines/bare", "local-carol");
  expect(Object.keys(engine)).toEqual(EngineSchema.fields.map(({ jsonName }) => jsonName));
  expect(engine).toMatchObject({ type: "", deletedAt: null, platformConfig: null, isPublic: false });
  const empty = await json(registry, "/engines?isPublic=true", "local-carol");
  expect(empty).toEqual({ engines: [], pagination: { total: 0, offset: 0, hasPrevious: false, hasNext: false } });
});

test("pages follow each other without gap or repetition, and the last one says so", async () => {
  await using registry = await startRegistry();
  const all = namesIn(await json(registry, "/engines"));
  expect(all).toHaveLength(5);
  const seen: Array<string> = [];
  for (let offset = 0; ;) {
    const page = await json(registry, `/engines?pagination.limit=2&pagination.offset=${offset}`);
    const names = namesIn(page);
    seen.push(...names);
    expect(page["pagination"]).toMatchObject({ total: 5, offset, hasPrevious: offset > 0, hasNext: seen.length < 5 });
    offset += names.length;
    if (seen.length >= 5) break;
  }
  expect(seen).toEqual(all);
  expect(await json(registry, "/engines?pagination.offset=5")).toEqual({
    engines: [],
    pagination: { total: 5, offset: 5, hasPrevious: true, hasNext: false },
  });
});

test("a limit of 0 is none, and one above the largest page is lowered to it", async () => {
  const engines = Array.from({ length: 1_005 }, (_, index) => ({ name: `e-${index}`, version: "0.1" }));
  await using registry = await startRegistry({ users: [{ name: "carol", engines }] });
  expect(namesIn(await json(registry, "/engines?pagination.limit=0", "local-carol"))).toHaveLength(20);
  expect(namesIn(await json(registry, "/engines?pagination.limit=4294967295", "local-carol"))).toHaveLength(1_000);
});

test("lists are ordered by creation, or by name and version, either way", async () => {
  await using registry = await startRegistry();
  const order = async (text: string): Promise<ReadonlyArray<string>> =>
    namesIn(await json(registry, `/engines?orderBy=${encodeURIComponent(text)}`, "local-bob"));
  const byCreation = ["frame-splitter@1.2", "word-count@0.9", "word-count@0.10"];
  expect(await order("")).toEqual(byCreation);
  expect(await order("createdAt")).toEqual(byCreation);
  expect(await order("created_at desc")).toEqual(byCreation.toReversed());
  expect(await order("name")).toEqual(byCreation);
  expect(await order("name desc")).toEqual(byCreation.toReversed());
});

test("a list holds the user's own engines, or all public ones, never another user's private ones", async () => {
  await using registry = await startRegistry();
  expect(namesIn(await json(registry, "/engines", "local-bob")).every((name) => /word|frame/.test(name))).toBe(true);
  const open = namesIn(await json(registry, "/engines?isPublic=true", "local-bob"));
  expect(open).toEqual(namesIn(await json(registry, "/engines", "local-alice")));
  const closed = await json(registry, "/engines?isPublic=false", "local-bob");
  expect(closed).toEqual(await json(registry, "/engines", "local-bob"));
});

test("a user's own engine goes before a public one of the same name", async () => {
  await using registry = await startRegistry();
  await registry.publish("bob", { name: "zipper", version: "0.0", description: "my own" });
  expect(await json(registry, "/engines/zipper", "local-bob")).toMatchObject({ version: "0.0", userName: "bob" });
  expect(await json(registry, "/engines/zipper@0.1", "local-bob")).toMatchObject({ userName: "alice" });
  expect(await json(registry, "/engines/zipper", "local-alice")).toMatchObject({ version: "0.1" });
});

test("only the owner reads a registry secret, which is stored encrypted", async () => {
  const folder = await mkdtemp(join(tmpdir(), "registry-secret-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const database = join(folder, "x.sqlite");
  const engine = { name: "sealed", version: "0.1", status: "active", platformConfig: { token: "hunter2hunter2" } };
  await using registry = await startRegistry({
    database,
    users: [{ name: "carol", engines: [engine] }, { name: "dave" }],
  });
  // No engine with a secret can become public; one of an older registry may be.
  const file = openSqlite(database);
  file.transaction((run) => run("UPDATE engines SET is_public = 1"));
  file.close();
  expect((await call(registry, "/engines/sealed", { headers: { Authorization: "local-dave" } })).status).toBe(200);
  const token = async (path: string, user: string, accept = "application/json"): Promise<boolean> => {
    const headers = { Authorization: `local-${user}`, Accept: accept };
    return (await (await call(registry, path, { headers })).text()).includes("hunter2");
  };
  for (const accept of ["application/json", "application/x-protobuf"]) {
    expect(await token("/engines/sealed", "carol", accept)).toBe(true);
    expect(await token("/engines", "carol", accept)).toBe(true);
    expect(await token("/engines/sealed", "dave", accept)).toBe(false);
    // Rows are remembered from the second read on, and all who read a public page share them.
    for (const user of ["dave", "carol", "dave", "carol", "dave"]) {
      expect([user, await token("/engines?isPublic=true", user, accept)]).toEqual([user, user === "carol"]);
    }
  }
  registry.change("carol", "sealed", "deactivate");
  expect(await token("/engines/sealed", "carol")).toBe(true);
});

test("a token is read raw and after Bearer, whatever the case of the scheme", async () => {
  await using registry = await startRegistry();
  for (const Authorization of ["local-alice", "Bearer local-alice", "bearer  local-alice"]) {
    expect((await call(registry, "/engines", { headers: { Authorization } })).status).toBe(200);
  }
});

test("a request id of the caller is kept if it is plain", async () => {
  await using registry = await startRegistry();
  const id = async (given: string): Promise<string | null> =>
    (await call(registry, "/engines", { headers: { "X-Request-Id": given } })).headers.get("x-request-id");
  expect(await id("abc-123")).toBe("abc-123");
  expect(await id("a b")).not.toBe("a b");
  expect(await id("x".repeat(129))).toHaveLength(36);
});

test("the parameters of the engine message are read and change nothing", async () => {
  await using registry = await startRegistry();
  const query = "engineId=x&engineData=AQID-_8&engineLink=y&engine_status=z&unknown=1&engineTag=other";
  expect(await json(registry, `/engines/zipper?${query}`)).toEqual(await json(registry, "/engines/zipper"));
  expect(await json(registry, `/engines/zipper/status?${query}`)).toMatchObject({ engineStatus: "active" });
});

test("@ may come as %40", async () => {
  await using registry = await startRegistry();
  expect(await json(registry, "/engines/zipper%400.1")).toEqual(await json(registry, "/engines/zipper@0.1"));
});
