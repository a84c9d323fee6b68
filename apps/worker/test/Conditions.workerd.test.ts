// What conditions, ranges and directives make of an answer, at their boundaries.
import { expect, test } from "vitest";
import { edgeOrigin } from "./edge.ts";
import { json, stageProxy } from "./stage.ts";

const stage = stageProxy();

test("a 304 has no field about a content that it does not have", async () => {
  stage.answer = (headers) => stage.engineFor(headers, { etag: '"1"', "content-language": "en" });
  const whole = await stage.edge.get("alice", "/engines/zipper", json);
  expect([whole.status, whole.headers.get("content-type")]).toEqual([200, "application/json"]);
  const etag = whole.headers.get("etag") ?? "";
  const same = await stage.edge.get("alice", "/engines/zipper", { ...json, "if-none-match": etag });
  expect([same.status, same.headers.get("etag"), same.headers.get("content-type")]).toEqual([304, etag, null]);
});

test("a condition counts for a GET that is answered 200, and for nothing else", async () => {
  const condition = { authorization: "alice", "if-none-match": '"1"' };
  stage.answer = () => Response.json({ code: 5 }, { status: 404, headers: { etag: '"1"' } });
  const missing = new Request(`${edgeOrigin}/v1/dev/projects/x`, { headers: condition });
  expect((await stage.edge.send(missing)).status).toBe(404);
  stage.answer = () => Response.json({}, { headers: { etag: '"1"' } });
  const write = new Request(`${edgeOrigin}/v1/dev/projects/x`, { method: "POST", body: "{}", headers: condition });
  expect((await stage.edge.send(write)).status).toBe(200);
});

test("a part of a stored answer has its own length", async () => {
  stage.answer = () => new Response("0123456789", { headers: { etag: '"1"', "cache-control": "max-age=60" } });
  await (await stage.edge.get("alice", "/projects/file")).text();
  await stage.edge.settle();
  for (const [range, part, text] of [
    ["bytes=0-0", "bytes 0-0/10", "0"],
    ["bytes=2-4", "bytes 2-4/10", "234"],
    ["bytes=8-", "bytes 8-9/10", "89"],
    ["bytes=-1", "bytes 9-9/10", "9"],
  ] as const) {
    const { status, headers, body } = await stage.edge.get("alice", "/projects/file", { range });
    expect([status, headers.get("content-range"), headers.get("content-length")]).toEqual([
      206,
      part,
      `${text.length}`,
    ]);
    expect(await new Response(body).text()).toBe(text);
  }
  const beyond = await stage.edge.get("alice", "/projects/file", { range: "bytes=10-" });
  expect([beyond.status, beyond.headers.get("content-range")]).toEqual([416, "bytes */10"]);
  expect(stage.asked).toHaveLength(1);
});

test.each<[string, string, number]>([
  ["/engines/zipper", "max-age=5", 1],
  ["/engines/zipper", "no-cache", 2],
  ["/engines/zipper", "max-age=0", 2],
  ["/engines/zipper", "no-store", 2],
  ["/projects/zipper", "max-age=5", 2],
])("two requests at once for %s with Cache-Control: %s need %i of the upstream", async (path, directive, count) => {
  const gate = Promise.withResolvers<void>();
  stage.answer = async (headers) => {
    await gate.promise;
    return stage.engineFor(headers);
  };
  const both = [0, 1].map(() => stage.edge.get("alice", path, { "cache-control": directive }));
  // Both have decided before the first one is answered.
  for (let turns = 0; turns < 100; turns++) await new Promise((resolve) => void setTimeout(resolve));
  gate.resolve();
  expect((await Promise.all(both)).map(({ status }) => status)).toEqual([200, 200]);
  expect(stage.asked).toHaveLength(count);
});

test.each([
  [400, 400],
  [499, 499],
  [500, 502],
  [503, 502],
])("a %i whose body breaks off is answered %i: the status of a 4xx says enough", async (status, expected) => {
  stage.answer = () => {
    const body = new ReadableStream({ pull: (controller) => controller.error(new Error("cut")) });
    return new Response(body, { status, headers: { "content-type": "application/json" } });
  };
  const response = await stage.edge.get("alice", "/engines/zipper", json);
  expect(response.status).toBe(expected);
});
