import { expect, it } from "@effect/vitest";
import * as Cause from "effect/Cause";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Stream from "effect/Stream";
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
