// Invalid responses, and responses that vary by unknown fields.
import { expect, test } from "vitest";
import { cacheResult } from "./edge.ts";
import { json, protobuf, revisionOf, stageProxy } from "./stage.ts";

const stage = stageProxy();

/** An answer with a status that `Response` would not take. */
const withStatus = (status: number): Response =>
  new Proxy(new Response("{}"), {
    get: (response, name) => {
      const value: unknown = name === "status" ? status : Reflect.get(response, name, response);
      return typeof value === "function" ? value.bind(response) : value;
    },
  });

test.each<[string, () => Response]>([
  ["a 304 that nobody asked for", () => new Response(null, { status: 304, headers: { etag: '"x"' } })],
  [
    "a part that nobody asked for",
    () => new Response("{", { status: 206, headers: { "content-range": "bytes 0-0/9" } }),
  ],
  ["a status that there is not", () => withStatus(999)],
])("%s is not an answer, and does not touch what is stored", async (_what, answer) => {
  stage.answer = answer;
  const first = await stage.edge.get("alice", "/engines/zipper", json);
  expect(first.status).toBe(502);
  expect(await first.text()).toContain("unusable");
  stage.answer = (headers) => stage.engineFor(headers);
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.answer = answer;
  const own = await stage.edge.get("alice", "/engines/zipper", { ...json, "cache-control": "no-cache" });
  expect(own.status).toBe(502);
  await stage.edge.settle();
  expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", json))).toBe("hit");
});

test("a 304 for another entity tag confirms nothing: the answer is asked for anew", async () => {
  stage.answer = (headers) => stage.engineFor(headers, { etag: '"one"' });
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 300_000;
  stage.answer = (headers) =>
    headers.has("if-none-match")
      ? new Response(null, { status: 304, headers: { etag: '"two"' } })
      : stage.engineFor(headers, { etag: '"two"' });
  const validated = await stage.edge.get("alice", "/engines/zipper", json);
  expect([validated.status, await revisionOf(validated)]).toEqual([200, 2]);
  expect(stage.asked.map(({ headers }) => headers.get("if-none-match"))).toEqual([null, '"one"', null]);
});

test.each(["User-Agent", "Accept, traceparent", "X-Request-Id"])(
  "an answer that varies by %s, which goes upstream and is not in the key, is kept for nobody",
  async (vary) => {
    stage.answer = (headers) => stage.engineFor(headers, { vary });
    await stage.edge.get("alice", "/engines/zipper", { ...json, "user-agent": "one" });
    const second = await stage.edge.get("alice", "/engines/zipper", { ...json, "user-agent": "two" });
    expect([cacheResult(second), await revisionOf(second)]).toEqual(["fwd=uri-miss", 2]);
  },
);

test("one that varies by what never goes upstream is kept", async () => {
  stage.answer = (headers) => stage.engineFor(headers, { vary: "Accept-Encoding, Origin, Cookie" });
  await stage.edge.get("alice", "/engines/zipper", json);
  expect(cacheResult(await stage.edge.get("alice", "/engines/zipper", json))).toBe("hit");
});

test("a field that no-cache names is not used again before the answer is validated", async () => {
  stage.answer = (headers) =>
    stage.engineFor(headers, { "cache-control": 'max-age=60, no-cache="x-quota"', "x-quota": `${stage.version}` });
  const first = await stage.edge.get("alice", "/engines/zipper", json);
  const second = await stage.edge.get("alice", "/engines/zipper", json);
  expect([first, second].map((response) => response.headers.get("x-quota"))).toEqual(["0", null]);
  expect(first.headers.get("cache-control")).toBe('private, max-age=60, no-cache="x-quota"');
});

test.each(["zstd", "GZIP"])(
  "a coding that the runtime does not take off stays named, and is kept by nobody: %s",
  async (coding) => {
    stage.answer = () =>
      new Response("{}", { headers: { "content-type": "application/json", "content-encoding": coding } });
    for (let count = 0; count < 2; count++) {
      const response = await stage.edge.get("alice", "/engines/zipper", json);
      expect([cacheResult(response), response.headers.get("content-encoding")]).toEqual(["fwd=uri-miss", coding]);
      expect(response.headers.get("cache-control")).toBe("private, no-store");
    }
  },
);

test("digests go along with the bytes that they are of, and with no others", async () => {
  const digests = { "content-digest": "sha-256=:AAAA:", "repr-digest": "sha-256=:AAAA:" };
  stage.answer = (headers) => stage.engineFor(headers, digests);
  const asItCame = await stage.edge.get("alice", "/engines/zipper", json);
  const transcoded = await stage.edge.get("alice", "/engines/zipper", protobuf);
  expect(stage.asked).toHaveLength(1);
  stage.answer = (headers) => stage.engineFor(headers, { ...digests, "content-encoding": "gzip" });
  const decoded = await stage.edge.get("alice", "/engines/other", json);
  for (const name of Object.keys(digests)) {
    expect([asItCame, transcoded, decoded].map(({ headers }) => headers.has(name))).toEqual([true, false, false]);
  }
});

test("an answer without Date gets the time when it came, and none promises parts", async () => {
  stage.answer = (headers) => stage.engineFor(headers, { "accept-ranges": "bytes" });
  const at = new Date(stage.clock.ms).toUTCString();
  await stage.edge.get("alice", "/engines/zipper", json);
  stage.clock.ms += 5_000;
  const hit = await stage.edge.get("alice", "/engines/zipper", json);
  expect([cacheResult(hit), hit.headers.get("date"), hit.headers.get("age")]).toEqual(["hit", at, "5"]);
  expect(hit.headers.has("accept-ranges")).toBe(false);
});
