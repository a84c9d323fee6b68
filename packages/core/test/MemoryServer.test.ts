import { expect, it } from "@effect/vitest";
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Stream from "effect/Stream";
import { defaultBodyLimits, readBody } from "../src/Body.ts";
import { EngineClient } from "../src/EngineClient.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import { createEngineClient } from "../src/promise.ts";

const engines = [
  { id: "1", name: "zipper", version: "0.9", status: "active" },
  { id: "2", name: "zipper", version: "0.10", status: "inactive", isPublic: true },
  { id: "3", name: "fanout", version: "1.0", status: "active" },
];

it("serves engines from memory: tags, pages, filters and status, in protobuf", async () => {
  const { fetch, requests } = memoryServer({ engines });
  const client = createEngineClient({ fetch, token: "t" });
  expect(await client.get("zipper")).toMatchObject({ id: "2" });
  expect(await client.get("zipper@0.9")).toMatchObject({ id: "1" });
  expect(await client.status("zipper@0.10")).toMatchObject({ engineId: "2", engineStatus: "inactive" });
  const ids: Array<string> = [];
  for await (const engine of client.listAll({ limit: 1 })) ids.push(engine.id);
  expect(ids).toEqual(["1", "2", "3"]);
  expect((await client.list({ isPublic: true })).pagination).toMatchObject({ total: 1, hasNext: false });
  await expect(client.get("nothing")).rejects.toMatchObject({ reason: { _tag: "NotFound" }, code: "NOT_FOUND" });
  expect(new Set(requests.map((request) => request.headers.get("accept")))).toEqual(
    new Set(["application/x-protobuf"]),
  );
});

it("a version that is removed leaves the others", async () => {
  const client = createEngineClient({ fetch: memoryServer({ engines }).fetch });
  await client.delete("zipper@0.9");
  const { engines: left, pagination } = await client.list();
  expect([left.map(({ id }) => id), pagination]).toMatchObject([["2", "3"], { total: 2, hasPrevious: false }]);
});

it("lets a test answer in its place", async () => {
  const { fetch } = memoryServer({
    engines,
    answer: (_request, count) => (count === 1 ? new Response("busy", { status: 503 }) : undefined),
  });
  const client = createEngineClient({ fetch, retry: { baseDelayMs: 0 } });
  expect(await client.withResponse.get("fanout")).toMatchObject({ attempts: 2, data: { id: "3" } });
});

it.effect("a test layer has the calls it was given, and names the one that is missing", () =>
  Effect.gen(function* () {
    const client = yield* EngineClient;
    const listed = yield* Stream.runCollect(client.listAll());
    expect(listed).toHaveLength(0);
    const exit = yield* Effect.exit(client.get("zipper"));
    expect(Exit.isFailure(exit) && String(Cause.squash(exit.cause))).toContain("was not given the call get");
  }).pipe(Effect.provide(EngineClient.layerTest({ listAll: () => Stream.empty }))),
);

it("engines are activated and deactivated in memory", async () => {
  const client = createEngineClient({
    baseUrl: "http://memory.example/v1/dev",
    fetch: memoryServer({ engines: [{ name: "a", version: "1.0" }] }).fetch,
  });
  expect((await client.activate("a@1.0")).engineStatus).toBe("active");
  expect((await client.get("a")).status).toBe("active");
  expect((await client.deactivate("a@1.0")).engineStatus).toBe("inactive");
  await expect(client.download("a@1.0")).rejects.toMatchObject({ reason: { _tag: "NotFound" } });
});

it.each(["auto", "protobuf"] as const)(
  "an engine is uploaded, downloaded and deleted in memory (%s)",
  async (format) => {
    const client = createEngineClient({ fetch: memoryServer().fetch, format, retry: { maxAttempts: 1 } });
    const archive = new TextEncoder().encode("an archive");
    const engine = await client.upload(archive, { tag: "zipper@0.1", activate: true, ifRevision: 0 });
    expect(engine).toMatchObject({ name: "zipper", version: "0.1", status: "active", revision: 1 });
    expect(await (await client.archive("zipper")).bytes()).toEqual(archive);
    expect(await client.upload(archive, { tag: "zipper@0.1" })).toMatchObject({ id: engine.id, revision: 1 });
    expect(await client.upload(archive.subarray(1), { tag: "zipper@0.1", ifRevision: 1 })).toMatchObject({
      revision: 2,
    });
    const conflict = { reason: { _tag: "Conflict" }, status: 412 };
    await expect(client.upload(archive, { tag: "zipper@0.1", ifRevision: 0 })).rejects.toMatchObject(conflict);
    await expect(client.activate("zipper@0.1", { ifRevision: 1 })).rejects.toMatchObject(conflict);
    await expect(client.delete("zipper@0.1", { ifRevision: 1 })).rejects.toMatchObject(conflict);
    const invalid = { reason: { _tag: "InvalidArgument" } };
    await expect(client.upload(archive)).rejects.toMatchObject(invalid);
    await expect(client.delete("zipper")).rejects.toMatchObject({ ...invalid, attempts: 0, method: "DELETE" });
    expect(await client.delete("zipper@0.1", { ifRevision: 2 })).toMatchObject({ engineTag: "zipper@0.1" });
    await expect(client.delete("zipper@0.1")).rejects.toMatchObject({ reason: { _tag: "NotFound" }, method: "DELETE" });
    expect((await client.list()).engines).toEqual([]);
  },
);

const base = "http://memory.example/v1/dev";
const revised = [{ id: "7", name: "a", version: "1.0", revision: 3, hash: "x" }];

/** The status and JSON of one answer. */
const answerTo = async (
  method: string,
  path: string,
  headers: Record<string, string> = {},
  body?: string,
  given: ReadonlyArray<Partial<(typeof engines)[number]>> = engines,
) => {
  const { fetch } = memoryServer({ engines: given });
  const sent = { accept: "application/json", ...headers };
  const response = await fetch(`${base}${path}`, { method, headers: sent, ...(body !== undefined && { body }) });
  return [
    response.status,
    JSON.parse(new TextDecoder().decode(await readBody(response, defaultBodyLimits))) as unknown,
  ];
};

it.each<[method: string, path: string, status: number, message: string]>([
  ["GET", "/users", 404, "no such path"],
  ["PATCH", "/engines/zipper", 405, "a server in memory has no such call"],
  ["DELETE", "/engines", 405, "a server in memory has no such call"],
  ["DELETE", "/engines/zipper@0.9/status", 405, "a server in memory has no such call"],
  ["GET", "/engines?limit=%zz", 400, "a malformed escape"],
  ["GET", "/engines/zipper?a=%zz", 400, "a malformed escape"],
  ["GET", "/engines?isPublic=maybe", 400, "isPublic"],
  ["GET", "/engines/zipper?engineData=*", 400, "engineData"],
  ["GET", "/engines?orderBy=revision", 400, "cannot order by revision"],
  ["GET", "/engines?orderBy=name+up", 400, "cannot order by name up"],
  ["GET", "/engines?orderBy=+desc", 400, "cannot order by  desc"],
  ["GET", "/engines/Zip!", 400, "a tag looks like name, name@1 or name@1.2"],
  ["GET", "/engines/zipper@9", 404, "engine not found"],
  ["GET", "/engines/zipper@0.11", 404, "engine not found"],
  ["GET", "/engines/zipper/download", 404, "the engine has no archive"],
  ["DELETE", "/engines/zipper", 400, "a version is deleted as name@major.minor"],
  ["DELETE", "/engines/zipper@0", 400, "a version is deleted as name@major.minor"],
  ["DELETE", "/engines/missing", 400, "a version is deleted as name@major.minor"],
])("%s %s is refused in memory with %i: %s", async (method, path, status, message) => {
  expect(await answerTo(method, path)).toEqual([
    status,
    expect.objectContaining({
      code: expect.any(Number) as number,
      message: expect.stringContaining(message) as string,
    }),
  ]);
});

it.each<[path: string, ids: ReadonlyArray<string>, hasPrevious: boolean, hasNext: boolean]>([
  ["/engines?orderBy=createdAt", ["1", "2", "3"], false, false],
  ["/engines?order_by=created_at", ["1", "2", "3"], false, false],
  ["/engines?orderBy=createdAt+desc", ["3", "2", "1"], false, false],
  ["/engines?orderBy=name", ["3", "1", "2"], false, false],
  ["/engines?orderBy=name+asc&pagination.limit=2", ["3", "1"], false, true],
  ["/engines?orderBy=name+desc", ["2", "1", "3"], false, false],
  ["/engines?pagination.limit=1", ["1"], false, true],
  ["/engines?pagination.limit=1&pagination.offset=1", ["2"], true, true],
  ["/engines?pagination.limit=1&pagination.offset=2", ["3"], true, false],
  ["/engines?pagination.offset=3", [], true, false],
  ["/engines?isPublic=true", ["2"], false, false],
])("%s is a page of %j in memory", async (path, ids, hasPrevious, hasNext) => {
  const [status, { engines: page = [], pagination }] = (await answerTo("GET", path)) as [
    number,
    { engines?: ReadonlyArray<{ id: string }>; pagination: Record<string, unknown> },
  ];
  expect([status, page.map(({ id }) => id)]).toEqual([200, ids]);
  expect([pagination["hasPrevious"] ?? false, pagination["hasNext"] ?? false]).toEqual([hasPrevious, hasNext]);
});

it("a format that is not there is refused in memory with 406", async () => {
  expect(await answerTo("GET", "/engines", { accept: "text/html" })).toMatchObject([406, { code: 3 }]);
});

it("a page in memory has 20 engines where no limit is asked for", async () => {
  const many = Array.from({ length: 21 }, (_, index) => ({ id: `${index}`, name: "a", version: `1.${index}` }));
  expect(await answerTo("GET", "/engines", {}, undefined, many)).toMatchObject([200, { engines: many.slice(0, 20) }]);
});

it.each<[path: string, id: string]>([
  ["/engines/a", "3"],
  ["/engines/a@1", "2"],
  ["/engines/a@1.0", "1"],
  ["/engines/b", "5"],
  ["/engines/b@1", "5"],
])("%s is the newest version of it in memory: %s", async (path, id) => {
  const versions = [
    { id: "1", name: "a", version: "1.0" },
    { id: "2", name: "a", version: "1.2" },
    { id: "3", name: "a", version: "2.1" },
    { id: "4", name: "b", version: "no version" },
    { id: "5", name: "b", version: "1.0" },
  ];
  expect(await answerTo("GET", path, {}, undefined, versions)).toMatchObject([200, { id }]);
});

const json = { "content-type": "application/json" };

const [again, added] = [
  { id: "7", revision: 4 },
  { version: "1.1", revision: 1, status: "inactive" },
];

it.each<[tag: string, headers: Record<string, string>, status: number, engine: object]>([
  ["a@1.0", { "if-match": "*" }, 200, again],
  ["a@1.0", { "if-match": '"revision-3"' }, 200, again],
  ["a@1.0", { "if-match": '"revision-2"' }, 412, {}],
  ["a@1.0", { "if-none-match": "*" }, 412, {}],
  ["a@1.1", { "if-none-match": "*" }, 200, added],
  ["a@1.1", { "if-match": "*" }, 412, {}],
  ["a@1.1", { "if-match": '"revision-3"' }, 412, {}],
  ["a@1.1", {}, 200, added],
  ["a@1", {}, 400, {}],
  ["", {}, 400, {}],
  ["a@1.0", { "content-type": "text/plain" }, 415, {}],
])("an upload of %s with %j is answered in memory with %i and %j", async (engineTag, headers, status, engine) => {
  const body = JSON.stringify({ engineTag, engineData: btoa("archive") });
  expect(await answerTo("POST", "/engines", { ...json, ...headers }, body, revised)).toMatchObject([status, engine]);
});

it("what is not an EngineMessage is not uploaded to memory, and nothing is done for a call that was aborted", async () => {
  expect(await answerTo("POST", "/engines", json, "[]")).toMatchObject([
    400,
    { message: "the body is not an EngineMessage" },
  ]);
  const { fetch, requests } = memoryServer();
  await expect(fetch(`${base}/engines`, { method: "GET", headers: {}, signal: AbortSignal.abort() })).rejects.toThrow(
    "aborted",
  );
  expect(requests).toEqual([]);
  expect((await fetch("https://archives.memory.invalid/a@1.0", { method: "GET", headers: {} })).status).toBe(404);
});

it.each([{ engines: {} }, { answer: 1 }, { other: 1 }])("memoryServer does not take %j", (options) => {
  expect(() => memoryServer(options as never)).toThrow(TypeError);
});
