// The built Worker on workerd in front of a registry.
import { decode } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { adminSecret, cacheResult, startStack } from "./served.ts";

const json = { accept: "application/json" };
const protobuf = { accept: "application/x-protobuf" };

test("the second answer is a hit, in either form, with the same data", async () => {
  await using stack = await startStack();
  const { get, registry } = stack;
  const first = await get(registry.tokens["alice"], "/engines", json);
  const second = await get(registry.tokens["alice"], "/engines", protobuf);
  expect([cacheResult(first), cacheResult(second)]).toEqual(["fwd=uri-miss", "hit"]);
  const direct = await fetch(`${registry.url}/engines`, {
    headers: { authorization: registry.tokens["alice"] ?? "", ...json },
  });
  const bytes = new Uint8Array(await first.arrayBuffer());
  expect(bytes).toEqual(new Uint8Array(await direct.arrayBuffer()));
  expect(decode(EngineListResponseSchema, new Uint8Array(await second.arrayBuffer()), "protobuf")).toEqual(
    decode(EngineListResponseSchema, bytes, "json"),
  );
  expect(first.headers.get("content-length")).toBe(`${bytes.byteLength}`);
});

test("each user sees their own engines, and nobody sees any without a token", async () => {
  await using stack = await startStack();
  const { get, registry } = stack;
  const [alice, bob, again] = [
    await get(registry.tokens["alice"], "/engines", json),
    await get(registry.tokens["bob"], "/engines", json),
    await get(registry.tokens["alice"], "/engines", json),
  ];
  expect([alice, bob, again].map(cacheResult)).toEqual(["fwd=uri-miss", "fwd=uri-miss", "hit"]);
  const [ofAlice, ofBob] = [await alice.text(), await bob.text()];
  expect(ofAlice).toBe(await again.text());
  expect(ofBob).not.toContain("zipper");
  expect(ofAlice).toContain("zipper");
  expect((await get(undefined, "/engines", json)).status).toBe(401);
  expect((await get("unknown", "/engines", json)).status).toBe(401);
});

test("what the registry changes is seen after a purge, and by who asks for it", async () => {
  await using stack = await startStack();
  const { get, registry, url } = stack;
  const description = async (headers: Record<string, string> = {}): Promise<string> => {
    const response = await get(registry.tokens["alice"], "/engines/zipper@0.1", { ...protobuf, ...headers });
    return decode(EngineSchema, new Uint8Array(await response.arrayBuffer()), "protobuf").description;
  };
  const before = await description();
  await registry.publish("alice", { name: "zipper", version: "0.1", type: "assembler", description: "second" });
  expect(await description()).toBe(before);
  expect(await description({ "cache-control": "no-cache" })).toBe("second");
  await registry.publish("alice", { name: "zipper", version: "0.1", type: "assembler", description: "third" });
  expect(await description()).toBe("second");
  const purge = await fetch(`${url}/-/purge?tag=zipper`, { method: "POST", headers: { authorization: adminSecret } });
  expect([purge.status, await purge.json()]).toEqual([
    200,
    { purged: { hard: false, name: "zipper" }, reach: expect.stringContaining("within 5 seconds in its data centre") },
  ]);
  expect(await description()).toBe("third");
});

test("each refusal of its own has its status and its gRPC code", async () => {
  await using stack = await startStack();
  const { url, registry } = stack;
  const token = registry.tokens["alice"] ?? "";
  const list = "/v1/dev/engines";
  type Row = readonly [method: string, path: string, fields: Record<string, string>, status: number, code: number];
  const rows: ReadonlyArray<Row> = [
    ["GET", `${list}?pagination.limit=%`, {}, 400, 3],
    ["GET", list, { authorization: "two tokens here" }, 401, 16],
    ["GET", "/elsewhere", {}, 404, 5],
    ["POST", "/-/health", { authorization: adminSecret }, 405, 12],
    ["GET", list, { accept: "text/html" }, 406, 3],
    ["GET", `${list}?${"x".repeat(20_000)}`, {}, 414, 3],
    ["GET", list, { "x-http-method-override": "DELETE" }, 400, 3],
    ["GET", list, { "cache-control": "only-if-cached" }, 504, 4],
    ["GET", "/-/metrics", { authorization: "wrong" }, 401, 16],
    ["GET", "/-/nothing", { authorization: adminSecret }, 404, 5],
  ];
  const answers = await Promise.all(
    rows.map(async ([method, path, fields]): Promise<Row> => {
      const response = await fetch(`${url}${path}`, { method, headers: { authorization: token, ...fields } });
      const { code } = (await response.json()) as { readonly code: number };
      return [method, path, fields, response.status, code];
    }),
  );
  expect(answers).toEqual(rows);
  expect(registry.requests).toEqual([]);
});

test("a thousand requests at once make one request to the registry, and a thousand same answers", async () => {
  await using stack = await startStack({}, { faults: [{ fault: { latencyMs: 300 } }] });
  const { get, registry } = stack;
  const answers = await Promise.all(
    Array.from({ length: 1_000 }, async () => (await get(registry.tokens["alice"], "/engines", json)).text()),
  );
  expect(new Set(answers).size).toBe(1);
  expect(registry.requests).toHaveLength(1);
});

test("different tokens are never collapsed together", async () => {
  await using stack = await startStack({}, { faults: [{ fault: { latencyMs: 1_000 } }] });
  const { get, registry } = stack;
  const tokens = [registry.tokens["alice"], registry.tokens["bob"], "unknown"];
  const answers = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const response = await get(tokens[index % 3], "/engines", json);
      return `${index % 3} ${response.status} ${await response.text()}`;
    }),
  );
  expect(new Set(answers).size).toBe(3);
  expect(registry.requests).toHaveLength(3);
});

test("a streamed response gives its slot back, however many one user asks for", async () => {
  await using stack = await startStack();
  const { registry, url } = stack;
  const statuses = new Set<number>();
  for (let index = 0; index < 70; index++) {
    const headers = { authorization: registry.tokens["alice"] ?? "" };
    const response = await fetch(`${url}/v1/dev/engines/missing@0.1`, { method: "DELETE", headers });
    await response.arrayBuffer();
    statuses.add(response.status);
  }
  expect([...statuses]).toEqual([404]);
});

test("a leader whose exchange fails takes no follower down", async () => {
  // Three attempts of the leader are torn; the requests that followed it get the good answer of the next one.
  await using stack = await startStack(
    {},
    { faults: [{ times: 3, fault: { latencyMs: 50, reset: "before-headers" } }] },
  );
  const { get, registry } = stack;
  const statuses = await Promise.all(
    Array.from({ length: 50 }, async () => (await get(registry.tokens["alice"], "/engines", json)).status),
  );
  expect(statuses.filter((status) => status === 200)).toHaveLength(49);
  // With the probe that the failure leads to.
  expect(registry.requests).toHaveLength(5);
});

test("a leader that hangs holds followers no longer than the deadline, and poisons nothing", async () => {
  await using stack = await startStack(
    { ATTEMPT_TIMEOUT_MS: "300", DEADLINE_MS: "500" },
    { faults: [{ on: { endpoint: "list" }, times: 2, fault: { silent: true } }] },
  );
  const { get, registry } = stack;
  const statuses = await Promise.all(
    Array.from({ length: 20 }, async () => (await get(registry.tokens["alice"], "/engines", json)).status),
  );
  expect(statuses.filter((status) => status === 200).length).toBeGreaterThanOrEqual(19);
  expect(cacheResult(await get(registry.tokens["alice"], "/engines", json))).toBe("hit");
});

test("an outage is covered by stale answers, with at most a few probes", async () => {
  await using stack = await startStack({ LIST_FRESH_SECONDS: "0", LIST_STALE_WHILE_REVALIDATE_SECONDS: "0" });
  const { get, registry } = stack;
  expect((await get(registry.tokens["alice"], "/engines", json)).status).toBe(200);
  registry.requests.length = 0;
  registry.faults.add({ fault: { status: 503 } });
  for (let count = 0; count < 200; count++) {
    const response = await get(registry.tokens["alice"], "/engines", json);
    expect([response.status, response.headers.get("cache-status")]).toEqual([
      200,
      expect.stringContaining("detail=stale-if-error"),
    ]);
    await response.arrayBuffer();
  }
  expect(registry.requests.length).toBeLessThan(12);
  registry.faults.clear();
});

test("metrics count what was done, for who knows the secret", async () => {
  await using stack = await startStack();
  const { get, registry, url } = stack;
  for (let count = 0; count < 3; count++) await (await get(registry.tokens["alice"], "/engines", json)).arrayBuffer();
  expect((await fetch(`${url}/-/metrics`)).status).toBe(401);
  expect((await fetch(`${url}/-/metrics`, { headers: { authorization: `${adminSecret}x` } })).status).toBe(401);
  const response = await fetch(`${url}/-/metrics`, { headers: { authorization: `Bearer ${adminSecret}` } });
  const text = await response.text();
  expect(text).toContain('bytenite_edge_requests_total{endpoint="list",result="miss",status="200"} 1\n');
  expect(text).toContain('bytenite_edge_requests_total{endpoint="list",result="hit",status="200"} 2\n');
  expect(text).toContain('bytenite_edge_upstream_requests_total{outcome="200"} 1\n');
  expect(text).toContain("bytenite_edge_memory_entries 1\n");
  expect(text).not.toContain(registry.tokens["alice"]);
  const closed = await startStack({ ADMIN_SECRET: "" });
  expect((await fetch(`${closed.url}/-/metrics`)).status).toBe(404);
  await closed[Symbol.asyncDispose]();
});
