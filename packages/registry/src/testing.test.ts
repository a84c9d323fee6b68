import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import { decode, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { freePort } from "@bytenite-engines/test-kit/ports";
import { expect, test } from "vitest";
import { startRegistry } from "./testing.ts";
import { get, rawExchange, struck } from "../test/struck.ts";

test("a registry starts on a free port with the trial users and ends by itself at the end of the block", async () => {
  let url: string;
  {
    await using registry = await startRegistry();
    url = registry.url;
    expect(registry.tokens).toEqual({ alice: "local-alice", bob: "local-bob" });
    expect((await get(registry, "/engines/zipper@0.1")).status).toBe(200);
  }
  await expect(fetch(url)).rejects.toThrow("fetch failed");
});

test("a registry starts on the port that is given", async () => {
  const port = await freePort();
  await using registry = await startRegistry({ port });
  expect(registry.origin).toBe(`http://127.0.0.1:${port}`);
});

test("a fault of an endpoint strikes every method of its path but those of another endpoint", async () => {
  const faults = [{ on: { endpoint: "get" as const }, fault: { status: 502 } }];
  await using registry = await startRegistry({ faults });
  const statuses = ["GET", "HEAD", "PUT", "DELETE"].map(async (method) => {
    const url = `${registry.url}/engines/zipper`;
    return (await fetch(url, { method, headers: { Authorization: "local-alice" } })).status;
  });
  expect(await Promise.all(statuses)).toEqual([502, 502, 502, 400]);
});

test("requests are written down with what they carried and how they ended", async () => {
  await using registry = await startRegistry();
  await (await get(registry, "/engines?pagination.limit=2", { "X-Trace": "abc" })).text();
  expect(registry.requests).toMatchObject([
    {
      method: "GET",
      path: "/v1/dev/engines",
      headers: { authorization: "local-alice", "x-trace": "abc" },
      status: 200,
      outcome: "answered",
    },
  ]);
  expect(registry.requests[0]?.query.get("pagination.limit")).toBe("2");
});

test("a client that goes away is written down as aborted", async () => {
  await using registry = await struck({ silent: true });
  const leaving = new AbortController();
  const call = fetch(`${registry.url}/engines`, { signal: leaving.signal });
  await expect.poll(() => registry.requests.length).toBe(1);
  leaving.abort();
  await expect(call).rejects.toThrow("abort");
  await expect.poll(() => registry.requests[0]?.outcome).toBe("aborted");
});

test("engines and users of one's own can be seeded, published and changed", async () => {
  await using registry = await startRegistry({
    users: [{ name: "carol", token: "token-of-carol", engines: [{ name: "one", version: "1.0" }] }],
  });
  const headers = { Authorization: registry.tokens["carol"] ?? "" };
  expect(await (await get(registry, "/engines/one", headers)).json()).toMatchObject({
    status: "inactive",
    revision: 1,
  });
  await registry.publish("carol", { name: "one", version: "1.0", description: "again" });
  registry.change("carol", "one", "activate");
  const answer = await (await get(registry, "/engines/one", headers)).json();
  expect(answer).toMatchObject({ status: "active", revision: 2, description: "again", userName: "carol" });
  registry.change("carol", "one", "delete");
  expect((await get(registry, "/engines/one", headers)).status).toBe(404);
});

test("an answer that a fault has torn is written down as torn", async () => {
  await using registry = await struck({ reset: "in-body" });
  await rawExchange(registry);
  expect(registry.requests[0]?.outcome).toBe("faulted");
});

test("a server that only has JSON is imitated, whole or by a fault", async () => {
  for (const options of [{ jsonOnly: true }, { faults: [{ fault: { jsonOnly: true } }] }]) {
    await using registry = await startRegistry(options);
    const answer = await get(registry, "/engines/zipper", { Accept: "application/x-protobuf" });
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toMatchObject({ name: "zipper" });
  }
});

test("another numbering changes the bytes and the digest, never the JSON", async () => {
  const fieldNumbers = { "bytenite.engine.Engine": { description: 8, hash: 7 } };
  for (const options of [{ fieldNumbers }, { faults: [{ fault: { fieldNumbers } }] }]) {
    await using registry = await startRegistry(options);
    const binary = await get(registry, "/engines/zipper", { Accept: "application/x-protobuf" });
    const wrong = decode(EngineSchema, new Uint8Array(await binary.arrayBuffer()), "protobuf");
    const json = await (await get(registry, "/engines/zipper")).json();
    const right = fromJson(EngineSchema, json as JsonValue);
    expect([wrong.description, wrong.hash]).toEqual([right.hash, right.description]);
    const digest = binary.headers.get(schemaDigestHeader);
    expect(digest).toMatch(/^sha-256=:.+:$/);
    expect(digest).not.toBe(schemaDigests["bytenite.engine.Engine"]);
    const list = await get(registry, "/engines", { Accept: "application/x-protobuf" });
    expect(list.status).toBe(200);
  }
});

test("a rule is for an endpoint, a token or a user, after some and for some requests", async () => {
  await using registry = await startRegistry({
    faults: [
      { on: { endpoint: "status" }, fault: { status: 500 } },
      { on: { user: "bob" }, fault: { status: 503 } },
      { on: { token: "local-alice", endpoint: "list" }, skip: 1, times: 1, fault: { status: 429 } },
    ],
  });
  const status = async (path: string, token: string): Promise<number> =>
    (await get(registry, path, { Authorization: token })).status;
  expect(await status("/engines/zipper/status", "local-alice")).toBe(500);
  expect(await status("/engines/zipper", "local-alice")).toBe(200);
  expect(await status("/engines/zipper", "Bearer local-bob")).toBe(503);
  expect([
    await status("/engines", "local-alice"),
    await status("/engines", "local-alice"),
    await status("/engines", "local-alice"),
  ]).toEqual([200, 429, 200]);
  expect(registry.faults.list()[2]).toMatchObject({ seen: 3, struck: 1 });
});

/** The statuses of a hundred calls, three in ten of which fail. */
const hundredCalls = async (seed: number): Promise<ReadonlyArray<number>> => {
  await using registry = await startRegistry({ seed, faults: [{ probability: 0.3, fault: { status: 500 } }] });
  const statuses: Array<number> = [];
  for (let call = 0; call < 100; call++) statuses.push((await get(registry, "/engines/zipper/status")).status);
  return statuses;
};

test("chance is the same for the same seed, and about as likely as it says", async () => {
  const first = await hundredCalls(7);
  expect(await hundredCalls(7)).toEqual(first);
  expect(await hundredCalls(8)).not.toEqual(first);
  const failed = first.filter((status) => status === 500).length;
  expect(failed).toBeGreaterThan(15);
  expect(failed).toBeLessThan(45);
});

test("rules can be added, taken away and cleared while it runs", async () => {
  await using registry = await startRegistry();
  const remove = registry.faults.add({ fault: { status: 500 } });
  expect((await get(registry, "/engines")).status).toBe(500);
  remove();
  expect((await get(registry, "/engines")).status).toBe(200);
  registry.faults.set([{ fault: { status: 502 } }, { fault: { latencyMs: { uniform: [0, 5] } } }]);
  expect((await get(registry, "/engines")).status).toBe(502);
  registry.faults.clear();
  expect((await get(registry, "/engines")).status).toBe(200);
});

test("too many calls of a user are refused with the time to wait, and only that user's", async () => {
  await using registry = await startRegistry({ rateLimit: { perSecond: 0.01, burst: 2 } });
  expect((await get(registry, "/engines")).status).toBe(200);
  expect((await get(registry, "/engines")).status).toBe(200);
  const refused = await get(registry, "/engines");
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(90);
  expect(await refused.json()).toMatchObject({ code: 8, details: [{ retryDelay: expect.stringMatching(/s$/) }] });
  expect((await get(registry, "/engines", { Authorization: "local-bob" })).status).toBe(200);
});

test("exchanges of API keys count as calls of their user", async () => {
  await using registry = await startRegistry({
    users: [{ name: "carol", apiKey: "key-of-carol" }],
    rateLimit: { perSecond: 0.01, burst: 2 },
  });
  const answers = [];
  for (let call = 0; call < 3; call++) {
    const body = JSON.stringify({ apiKey: "key-of-carol" });
    answers.push(await fetch(`${registry.origin}/v1/auth/access_token`, { method: "POST", body }));
  }
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 429]);
  expect(Number(answers[2]?.headers.get("retry-after"))).toBeGreaterThan(90);
  expect(await answers[2]?.json()).toMatchObject({ code: 8, details: [{ retryDelay: expect.stringMatching(/s$/) }] });
});

test("an API key is exchanged for a signed token that opens the API", async () => {
  await using registry = await startRegistry({ users: [{ name: "carol", apiKey: "key-of-carol" }] });
  const exchange = (apiKey: string): Promise<Response> =>
    fetch(`${registry.origin}/v1/auth/access_token`, { method: "POST", body: JSON.stringify({ apiKey }) });
  const answer = (await (await exchange("key-of-carol")).json()) as { token: string; expiresIn: string };
  expect(answer.expiresIn).toBe("3600");
  expect(answer.token.split(".")).toHaveLength(3);
  expect((await get(registry, "/engines", { Authorization: answer.token })).status).toBe(200);
  expect((await get(registry, "/engines", { Authorization: `${answer.token.slice(0, -4)}AAAA` })).status).toBe(401);
  expect((await get(registry, "/engines", { Authorization: "key-of-carol" })).status).toBe(401);
  expect((await exchange("local-carol")).status).toBe(401);
  expect((await exchange("")).status).toBe(400);
});
