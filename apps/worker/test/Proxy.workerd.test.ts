// Cache hits by token, format and conditional request.
import { schemaDigestHeader } from "@bytenite-engines/core/wire";
import { expect, test } from "vitest";
import { handle } from "../src/Flow.ts";
import { cacheResult, edgeOrigin } from "./edge.ts";
import { engineDigest, engineOf, json, protobuf, revisionOf, stageProxy } from "./stage.ts";

const stage = stageProxy();

test("a second request is a hit, with its age, and byte for byte the same", async () => {
  // Seconds of the age do not begin with those of the clock.
  stage.clock.ms += 300;
  const first = await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 7_000;
  const second = await stage.edge.get("alice", "/engines/zipper", json);
  expect([cacheResult(first), cacheResult(second)]).toEqual(["fwd=uri-miss", "hit"]);
  expect(second.headers.get("cache-status")).toBe("bytenite-edge; hit; ttl=53");
  expect([first.headers.get("age"), second.headers.get("age")]).toEqual([null, "7"]);
  expect(second.headers.get("cache-control")).toBe("private, max-age=60");
  expect(second.headers.get("vary")).toBe("Accept, Authorization");
  expect(await second.text()).toBe(await first.text());
  // The head of a hit is used again within a second of its age only. The second hit read the purges; later ones take the short way.
  for (const [laterMs, age] of [
    [3_000, "10"],
    [1_000, "11"],
    [999, "11"],
    [1, "12"],
  ] as const) {
    stage.clock.ms += laterMs;
    expect((await stage.edge.get("alice", "/engines/zipper", json)).headers.get("age")).toBe(age);
  }
  expect(stage.asked).toHaveLength(1);
  // What is in memory waits for nothing.
  const request = new Request(`${edgeOrigin}/v1/dev/engines/zipper`, { headers: { authorization: "alice", ...json } });
  expect(handle(request, stage.edge.isolate, { waitUntil: () => {} })).toBeInstanceOf(Response);
});

test("another token asks for itself, and the token goes upstream as it came", async () => {
  await stage.edge.get("alice", "/engines/zipper");
  const bob = await stage.edge.get("Bearer bob", "/engines/zipper");
  expect((await engineOf(bob)).owner).toBe("Bearer bob");
  expect(cacheResult(bob)).toBe("fwd=uri-miss");
});

test("one object answers both forms, each with its own strong tag", async () => {
  const asJson = await stage.edge.get("alice", "/engines/zipper", json);
  const asProtobuf = await stage.edge.get("alice", "/engines/zipper", protobuf);
  const again = await stage.edge.get("alice", "/engines/zipper", { accept: "application/protobuf" });
  expect(stage.asked).toHaveLength(1);
  expect([cacheResult(asProtobuf), cacheResult(again)]).toEqual(["hit", "hit"]);
  expect(asProtobuf.headers.get("content-type")).toBe("application/x-protobuf");
  expect(again.headers.get("content-type")).toBe("application/protobuf");
  expect(asProtobuf.headers.get("etag")).toMatch(/^"p[\w-]{22}"$/);
  expect(asJson.headers.get("etag")).toMatch(/^"j[\w-]{22}"$/);
  expect(asProtobuf.headers.get(schemaDigestHeader)).toBe(engineDigest);
  expect(await engineOf(asProtobuf)).toEqual(await engineOf(asJson));
});

test("both forms grow old together and are fetched together", async () => {
  await stage.edge.get("alice", "/engines/zipper", json);
  await stage.edge.get("alice", "/engines/zipper", protobuf);
  stage.clock.ms += 200_000;
  const asProtobuf = await stage.edge.get("alice", "/engines/zipper", protobuf);
  expect(await revisionOf(asProtobuf)).toBe(2);
  expect(await revisionOf(await stage.edge.get("alice", "/engines/zipper", json))).toBe(2);
  expect(stage.asked).toHaveLength(2);
});

test("a field that the upstream adds tomorrow reaches clients today, in both forms", async () => {
  stage.answer = (headers) =>
    headers.get("accept") === "application/json"
      ? Response.json({ name: "zipper", tomorrow: "new" }, { headers: { [schemaDigestHeader]: engineDigest } })
      : new Response(new Uint8Array([0x12, 1, 0x7a, 0xfa, 0x7f, 1, 0x78]), {
          headers: { "content-type": "application/x-protobuf", [schemaDigestHeader]: engineDigest },
        });
  for (let round = 0; round < 2; round++) {
    expect(await (await stage.edge.get("alice", "/engines/zipper", json)).text()).toContain('"tomorrow":"new"');
    const bytes = new Uint8Array(await (await stage.edge.get("alice", "/engines/zipper", protobuf)).arrayBuffer());
    expect(bytes.slice(-4)).toEqual(new Uint8Array([0xfa, 0x7f, 1, 0x78]));
  }
  expect(stage.asked.map(({ headers }) => headers.get("accept"))).toEqual([
    "application/json",
    "application/x-protobuf",
  ]);
});

test("without our schema's digest each form is fetched by itself, as it came", async () => {
  stage.answer = (headers) => stage.engineFor(headers, { [schemaDigestHeader]: "sha-256=:AAAA:" });
  await stage.edge.get("alice", "/engines/zipper", json);
  await stage.edge.get("alice", "/engines/zipper", protobuf);
  const hits = [
    await stage.edge.get("alice", "/engines/zipper", json),
    await stage.edge.get("alice", "/engines/zipper", protobuf),
  ];
  expect(hits.map(cacheResult)).toEqual(["hit", "hit"]);
  expect(await Promise.all(hits.map(revisionOf))).toEqual([1, 2]);
  expect(stage.asked).toHaveLength(2);
});

test("a server that has JSON only is cached for those who asked for protobuf", async () => {
  stage.answer = (headers) => {
    headers.set("accept", "application/json");
    return stage.engineFor(headers, { [schemaDigestHeader]: "" });
  };
  await stage.edge.get("alice", "/engines/zipper", protobuf);
  const second = await stage.edge.get("alice", "/engines/zipper", protobuf);
  expect(cacheResult(second)).toBe("hit");
  expect(second.headers.get("content-type")).toBe("application/json");
});

test("a client's condition is answered 304, for the form that it has", async () => {
  const first = await stage.edge.get("alice", "/engines/zipper", json);
  const etag = first.headers.get("etag") ?? "";
  const same = await stage.edge.get("alice", "/engines/zipper", { ...json, "if-none-match": `"x", ${etag}` });
  expect([same.status, same.headers.get("etag"), await same.text()]).toEqual([304, etag, ""]);
  expect(same.headers.get("content-length")).toBeNull();
  expect((await stage.edge.get("alice", "/engines/zipper", { ...protobuf, "if-none-match": etag })).status).toBe(200);
  // Also where the upstream had to be stage.asked.
  stage.answer = (headers) => {
    stage.version = 0;
    return stage.engineFor(headers);
  };
  const fetched = await stage.edge.get("alice", "/engines/zipper", {
    ...json,
    "if-none-match": etag,
    "cache-control": "no-cache",
  });
  expect([fetched.status, cacheResult(fetched)]).toEqual([304, "fwd=request"]);
  expect(stage.asked.at(-1)?.headers.get("if-none-match")).toBeNull();
});

test("an upstream that answers 304 makes the stored answer fresh again", async () => {
  stage.answer = (headers) =>
    headers.get("if-none-match") === '"up"'
      ? new Response(null, { status: 304, headers: { "cache-control": "max-age=500", "x-new": "1" } })
      : stage.engineFor(headers, { etag: '"up"', "cache-control": "max-age=5" });
  const first = await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 200_000;
  const validated = await stage.edge.get("alice", "/engines/zipper", json);
  expect(validated.headers.get("cache-status")).toBe("bytenite-edge; fwd=stale; fwd-status=304; ttl=500; stored");
  expect(validated.headers.get("etag")).toBe(first.headers.get("etag"));
  expect([validated.headers.get("x-new"), validated.headers.get("cache-control")]).toEqual([
    "1",
    "private, max-age=500",
  ]);
  expect(await revisionOf(validated)).toBe(1);
  stage.clock.ms += 400_000;
  expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", json))).toBe("hit");
});

test("HEAD is a GET without content, from the same entry", async () => {
  const full = await stage.edge.get("alice", "/engines/zipper", json);
  const head = await stage.edge.send(
    new Request("https://edge.example/v1/dev/engines/zipper", {
      method: "HEAD",
      headers: { authorization: "alice", ...json },
    }),
  );
  expect([head.status, cacheResult(head), head.body]).toEqual([200, "hit", null]);
  for (const name of ["etag", "content-type"]) expect(head.headers.get(name)).toBe(full.headers.get(name));
  expect(head.headers.get("content-length")).toBe(`${(await full.arrayBuffer()).byteLength}`);
});

test("the data centre's cache serves an isolate that never asked, and needs no memory", async () => {
  await stage.edge.get("alice", "/engines/zipper", json);
  await stage.edge.settle();
  const other = await stage.newEdge({ MEMORY_ENTRIES: "0" });
  const hits = [
    await other.get("alice", "/engines/zipper", json),
    await other.get("alice", "/engines/zipper", protobuf),
  ];
  expect(hits.map(cacheResult)).toEqual(["hit", "hit"]);
  expect(await Promise.all(hits.map(revisionOf))).toEqual([1, 1]);
  expect(cacheResult(await other.get("bob", "/engines/zipper", json))).toBe("fwd=uri-miss");
});

test("an answer that was confirmed takes the place of the one before, whatever it varies by", async () => {
  stage.answer = (headers) =>
    headers.has("if-none-match")
      ? new Response(null, { status: 304, headers: { etag: '"up"', vary: "Accept, Authorization" } })
      : stage.engineFor(headers, { etag: '"up"', vary: "Accept, Authorization" });
  await stage.edge.get("alice", "/engines/zipper", json);
  const bytes = stage.edge.isolate.store.memory.size();
  for (let count = 0; count < 3; count++) {
    stage.clock.ms += 200_000;
    expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", json))).toBe("fwd=stale");
  }
  expect(stage.edge.isolate.store.memory.size()).toBe(bytes);
});
