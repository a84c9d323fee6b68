// Unreadable 200 responses: passed on, never stored.
import { expect, test } from "vitest";
import { cacheResult } from "./edge.ts";
import { json, protobuf, revisionOf, stageProxy } from "./stage.ts";

const stage = stageProxy();

/** A success with this body, in the form that was asked for, with all that would make a good answer storable. */
const lost = (body: string) => (headers: Headers) =>
  new Response(body, {
    headers: { "content-type": headers.get("accept") ?? "", "cache-control": "max-age=500", etag: '"lost"' },
  });

const textOf = async (response: Response): Promise<string> => new TextDecoder().decode(await response.arrayBuffer());

const bodies: ReadonlyArray<[string, string]> = [
  ["nothing", ""],
  ["half of an answer", '{"name":"zip'],
  ["a page", "<h1>We are back soon</h1>"],
];
const paths = ["/engines", "/engines/zipper", "/engines/zipper/status"];

test.each(bodies)("%s is passed on as it came, to be kept by nobody, and asked for again", async (_what, body) => {
  stage.answer = lost(body);
  for (const path of paths) {
    for (const form of [json, protobuf]) {
      const before = stage.asked.length;
      for (let count = 0; count < 2; count++) {
        const response = await stage.edge.get("alice", path, form);
        expect([response.status, await textOf(response), cacheResult(response)]).toEqual([200, body, "fwd=uri-miss"]);
        expect(response.headers.get("content-type")).toBe(form.accept);
        expect(response.headers.get("cache-control")).toBe("private, no-store");
        await stage.edge.settle();
      }
      expect(stage.asked).toHaveLength(before + 2);
      const elsewhere = await (await stage.newEdge()).get("alice", path, form);
      expect(cacheResult(elsewhere)).toBe("fwd=uri-miss");
    }
  }
});

test.each(bodies)(
  "%s, of a validation, leaves what is stored, and the next one has its chance after a back-off",
  async (_what, body) => {
    await stage.edge.get("alice", "/engines/zipper", json);
    stage.answer = lost(body);
    const own = await stage.edge.get("alice", "/engines/zipper", { ...json, "cache-control": "no-cache" });
    expect([own.status, await textOf(own)]).toEqual([200, body]);
    await stage.edge.settle();
    const kept = await stage.edge.get("alice", "/engines/zipper", json);
    expect([cacheResult(kept), await revisionOf(kept)]).toEqual(["hit", 1]);
    stage.clock.ms += 61_000;
    for (let count = 0; count < 2; count++) {
      const stale = await stage.edge.get("alice", "/engines/zipper", json);
      expect([cacheResult(stale), await revisionOf(stale)]).toEqual(["hit", 1]);
      await stage.edge.settle();
    }
    expect(stage.asked).toHaveLength(3);
    stage.answer = (headers) => stage.engineFor(headers);
    stage.clock.ms += 10_000;
    await stage.edge.get("alice", "/engines/zipper", json);
    await stage.edge.settle();
    expect(await revisionOf(await stage.edge.get("alice", "/engines/zipper", json))).toBe(2);
  },
);

test("an empty response is a response: past the time in which stale ones are served it is passed on", async () => {
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 300_000;
  stage.answer = lost("");
  const response = await stage.edge.get("alice", "/engines/zipper", json);
  expect([response.status, await textOf(response)]).toEqual([200, ""]);
  expect(response.headers.get("cache-status")).toBe("bytenite-edge; fwd=stale");
  await stage.edge.settle();
  stage.answer = () => new Response(null, { status: 503 });
  expect(await revisionOf(await stage.edge.get("alice", "/engines/zipper", json))).toBe(1);
});

test("many who wait for one answer all get what came of it, and do not ask for nothing again", async () => {
  const held = Promise.withResolvers<void>();
  stage.answer = async (headers) => {
    await held.promise;
    return lost("")(headers);
  };
  const waiting = Array.from({ length: 20 }, () => stage.edge.get("alice", "/engines/zipper", json));
  await expect.poll(() => stage.asked.length).toBeGreaterThan(0);
  held.resolve();
  const texts = await Promise.all(waiting.map(async (response) => textOf(await response)));
  expect(new Set(texts)).toEqual(new Set([""]));
  expect(stage.asked).toHaveLength(1);
});
