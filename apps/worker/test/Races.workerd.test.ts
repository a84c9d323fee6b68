// Slow responses after newer ones.
import { expect, test } from "vitest";
import { adminSecret, cacheResult, edgeOrigin } from "./edge.ts";
import { failing, json, protobuf, revisionOf, stageProxy } from "./stage.ts";

const stage = stageProxy();
const path = "/engines/zipper";
const noCache = { ...json, "cache-control": "no-cache" };

/** Lets the next answer of the upstream wait, with what is true now; those after it are answered at once. */
const holdNext = (): (() => void) => {
  const held = Promise.withResolvers<void>();
  stage.answer = async (headers) => {
    const old = stage.engineFor(headers);
    stage.answer = (later) => stage.engineFor(later);
    await held.promise;
    return old;
  };
  return held.resolve;
};

const askedOnce = (count: number) => expect.poll(() => stage.asked.length).toBe(count);

test("a slow validation does not replace what a later request was answered", async () => {
  await stage.edge.get("alice", path, json);
  stage.clock.ms += 61_000;
  const release = holdNext();
  expect(cacheResult(await stage.edge.get("alice", path, json))).toBe("hit");
  await askedOnce(2);
  stage.clock.ms += 100;
  const newer = await revisionOf(await stage.edge.get("alice", path, noCache));
  release();
  await stage.edge.settle();
  const after = await stage.edge.get("alice", path, json);
  expect([cacheResult(after), await revisionOf(after)]).toEqual(["hit", newer]);
});

test("a retried request is ordered by its last attempt", async () => {
  const held = Promise.withResolvers<Response>();
  stage.answer = () => held.promise;
  const retried = stage.edge.get("alice", path, json);
  await askedOnce(1);
  stage.answer = (headers) => stage.engineFor(headers);
  expect((await stage.edge.get("alice", path, noCache)).status).toBe(200);
  stage.answer = failing(404);
  held.resolve(failing(503)());
  expect((await retried).status).toBe(404);
  await stage.edge.settle();
  expect((await stage.edge.get("alice", path, json)).status).toBe(404);
});

test.each([
  ["the same form", json],
  ["the other form", protobuf],
])("a slow answer does not bring back what a later one says is gone: %s", async (_what, form) => {
  const release = holdNext();
  const slow = stage.edge.get("alice", path, form);
  await askedOnce(1);
  stage.clock.ms += 100;
  stage.answer = failing(404);
  expect((await stage.edge.get("alice", path, noCache)).status).toBe(404);
  release();
  const late = await slow;
  expect([late.status, late.headers.get("cache-status")]).toEqual([200, "bytenite-edge; fwd=uri-miss"]);
  await stage.edge.settle();
  expect((await stage.edge.get("alice", path, form)).status).toBe(404);
});

test("a slow 404 does not drop what a later request was answered", async () => {
  const held = Promise.withResolvers<void>();
  stage.answer = async () => {
    stage.answer = (later) => stage.engineFor(later);
    await held.promise;
    return failing(404)();
  };
  const slow = stage.edge.get("alice", path, json);
  await askedOnce(1);
  stage.clock.ms += 100;
  await stage.edge.get("alice", path, noCache);
  held.resolve();
  expect((await slow).status).toBe(404);
  await stage.edge.settle();
  expect(cacheResult(await stage.edge.get("alice", path, json))).toBe("hit");
});

test.each(["no-cache", "max-age=0"])("%s is not answered with what was asked for before it", async (control) => {
  const release = holdNext();
  const slow = stage.edge.get("alice", path, json);
  await askedOnce(1);
  stage.clock.ms += 100;
  const own = stage.edge.get("alice", path, { ...json, "cache-control": control });
  await askedOnce(2);
  release();
  expect([await revisionOf(await slow), await revisionOf(await own)]).toEqual([1, 2]);
  await stage.edge.settle();
  expect(await revisionOf(await stage.edge.get("alice", path, json))).toBe(2);
});

test("a stale response in place of a failure states its age", async () => {
  await stage.edge.get("alice", path, json);
  stage.clock.ms += 300_000;
  stage.answer = failing(503);
  const stale = await stage.edge.get("alice", path, json);
  expect(stale.headers.get("cache-status")).toContain("detail=stale-if-error");
  expect(stale.headers.get("age")).toBe("300");
});

test("a purge of a name takes the lists, which may hold it", async () => {
  await stage.edge.get("alice", "/engines", json);
  stage.clock.ms += 1;
  const purge = new Request(`${edgeOrigin}/-/purge?tag=zipper`, {
    method: "POST",
    headers: { authorization: `Bearer ${adminSecret}` },
  });
  expect((await stage.edge.send(purge)).status).toBe(200);
  expect(cacheResult(await stage.edge.get("alice", "/engines", json))).toBe("fwd=stale");
});
