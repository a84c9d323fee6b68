// Errors of the upstream and their effect on stored responses.
import { expect, test } from "vitest";
import { failing, json, protobuf, stageProxy } from "./stage.ts";

const stage = stageProxy();

test.each([400, 401, 403, 404, 410, 429, 501])("%i comes through, whatever is stored", async (status) => {
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 300_000;
  stage.answer = failing(status);
  const response = await stage.edge.get("alice", "/engines/zipper", json);
  expect(response.status).toBe(status);
  expect(await response.text()).toContain("down");
  expect(response.headers.get("cache-control")).toBe("private, no-store");
});

/** A body that gives its first bytes and then fails, or nothing more. */
const broken = (end: "fails" | "hangs") =>
  new ReadableStream<Uint8Array>({
    start: (controller) => {
      controller.enqueue(new TextEncoder().encode("{"));
      if (end === "fails") controller.error(new Error("cut"));
    },
  });

test.each([
  [401, "fails"],
  [403, "fails"],
  [404, "fails"],
  [401, "hangs"],
] as const)("%i comes through although its body %s", async (status, end) => {
  stage.edge = await stage.newEdge({ ATTEMPT_TIMEOUT_MS: "200" });
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 300_000;
  stage.answer = () => new Response(broken(end), { status, headers: { "content-type": "application/json" } });
  const response = await stage.edge.get("alice", "/engines/zipper", json);
  expect([response.status, await response.text(), response.headers.get("content-type")]).toEqual([status, "", null]);
  await stage.edge.settle();
  stage.answer = failing(503);
  expect((await stage.edge.get("alice", "/engines/zipper", json)).status).toBe(503);
});

test.each([
  [65_536, true],
  [65_537, false],
])("a 404 with a body of %i bytes comes through with it: %s", async (bytes, isPassed) => {
  const text = JSON.stringify("x".repeat(bytes - 2));
  const headers = { "content-type": "application/json", "content-language": "en" };
  stage.answer = () => new Response(new Blob([text]).stream(), { status: 404, headers });
  const response = await stage.edge.get("alice", "/engines/zipper", json);
  expect([response.status, response.headers.get("content-language")]).toEqual([404, "en"]);
  expect((await response.text()).length).toBe(isPassed ? bytes : 0);
});

test.each([
  ["/engines", 10_000, 30_000],
  ["/engines/zipper", 60_000, 120_000],
  ["/engines/zipper/status", 2_000, 2_000],
])(
  "a revoked token still gets stored answers of %s for %i ms, or once within %i ms more",
  async (path, fresh, stale) => {
    const statusAfter = async (ms: number): Promise<number> => {
      stage.clock.ms += ms;
      const { status } = await stage.edge.get("alice", path, json);
      await stage.edge.settle();
      return status;
    };
    expect(await statusAfter(0)).toBe(200);
    stage.answer = failing(401);
    expect(await statusAfter(fresh - 1)).toBe(200);
    // Stale, and validated behind the answer: that says 401.
    expect(await statusAfter(1)).toBe(200);
    expect(await statusAfter(0)).toBe(401);
    // Nobody asks until the last moment at which it may be served stale.
    stage.edge = await stage.newEdge();
    stage.answer = (headers) => stage.engineFor(headers);
    stage.clock.ms += 1;
    expect(await statusAfter(0)).toBe(200);
    stage.answer = failing(401);
    expect(await statusAfter(fresh + stale - 1)).toBe(200);
    expect(await statusAfter(0)).toBe(401);
    stage.clock.ms += 1;
    stage.answer = (headers) => stage.engineFor(headers);
    expect(await statusAfter(0)).toBe(200);
    stage.answer = failing(401);
    expect(await statusAfter(fresh + stale)).toBe(401);
  },
);

test("a way to a login page is not an outage: what is stale does not hide it", async () => {
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 300_000;
  stage.answer = () => new Response(null, { status: 302, headers: { location: "https://login.example/" } });
  const response = await stage.edge.get("alice", "/engines/zipper", json);
  expect(response.status).toBe(502);
  expect(await response.text()).toContain("redirected");
});

test("what was found before a wait is not served after it where the token was turned away, or expired, meanwhile", async () => {
  const expiring = `e30.${btoa(JSON.stringify({ exp: stage.clock.ms / 1000 + 310 })).replaceAll("=", "")}.c2ln`;
  for (const token of ["alice", expiring]) await stage.edge.get(token, "/engines/zipper", json);
  stage.clock.ms += 300_000;
  const held = Promise.withResolvers<void>();
  stage.answer = async (_headers, url) => {
    if (url.endsWith("/other")) return failing(401)();
    await held.promise;
    return failing(503)();
  };
  const waiting = ["alice", expiring].map((token) => stage.edge.get(token, "/engines/zipper", json));
  await expect.poll(() => stage.asked.length).toBe(4);
  expect((await stage.edge.get("alice", "/engines/other", json)).status).toBe(401);
  stage.clock.ms += 20_000;
  held.resolve();
  expect((await Promise.all(waiting)).map(({ status }) => status)).toEqual([503, 503]);
});

test("after a 404 behind a stale answer the answer is gone", async () => {
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 61_000;
  stage.answer = failing(404);
  expect((await stage.edge.get("alice", "/engines/zipper", json)).status).toBe(200);
  await stage.edge.settle();
  expect((await stage.edge.get("alice", "/engines/zipper", json)).status).toBe(404);
  expect((await stage.edge.get("alice", "/engines/zipper", protobuf)).status).toBe(404);
});
