// Workers Cache between the two entrypoints: what it is asked, what it may keep, and that nothing rests on it.
import { create } from "@bufbuild/protobuf";
import { encode, rpcCodeOfHttp, rpcCodes, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { EngineSchema } from "@bytenite-engines/proto";
import { beforeEach, expect, test } from "vitest";
import { notesReadEveryMs } from "../src/EdgeCache.ts";
import { adminSecret, cacheResult, edgeOrigin, startEdge, type Clock, type Edge, type Upstream } from "./edge.ts";
import { startLayer, type Layer } from "./layer.ts";

const on = { WORKERS_CACHE: "on" };

let asked: Array<{ readonly token: string; readonly headers: Headers }>;
let status: number;
let fields: Record<string, string>;
let clock: Clock;
let layer: Layer;
let opened = 0;

const upstream: Upstream = async (_url, init) => {
  const headers = new Headers(init.headers);
  const token = headers.get("authorization") ?? "";
  asked.push({ token, headers });
  if (status !== 200) return Response.json({ code: rpcCodes[rpcCodeOfHttp(status)], message: "no" }, { status });
  const engine = create(EngineSchema, { name: "zipper", owner: token, revision: asked.length });
  const format = headers.get("accept") === "application/json" ? "json" : "protobuf";
  return new Response(encode(EngineSchema, engine, format), {
    headers: {
      "content-type": format === "json" ? "application/json" : "application/x-protobuf",
      [schemaDigestHeader]: schemaDigests[EngineSchema.typeName] ?? "",
      ...fields,
    },
  });
};

/** An isolate; each in a data centre of its own, unless it is given one. */
const newEdge = async (variables: Record<string, string> = on, centre?: Cache): Promise<Edge> => {
  opened += 1;
  const store = centre ?? (await caches.open(`layer-${opened}`));
  return startEdge(upstream, clock, store, variables, undefined, layer.of);
};

const ask = async (edge: Edge, token: string, headers: Record<string, string> = {}) => {
  const response = await edge.get(token, "/engines/zipper", { accept: "application/json", ...headers });
  const body = (await response.json()) as { readonly owner?: string; readonly revision?: number };
  await edge.settle();
  return { status: response.status, owner: body.owner, revision: body.revision, headers: response.headers };
};

beforeEach(() => {
  asked = [];
  status = 200;
  fields = {};
  clock = { ms: 1_700_000_000_000 };
  layer = startLayer(clock);
});

test("it is off unless it is switched on: the cached entrypoint is never called", async () => {
  const edge = await newEdge({});
  await ask(edge, "alice");
  await ask(edge, "alice", { "cache-control": "no-cache" });
  expect(layer.calls).toEqual([]);
});

test("an answer that one data centre fetched is a hit of the layer in the next one, with its true age", async () => {
  const first = await ask(await newEdge(), "alice");
  clock.ms += 7_000;
  const second = await ask(await newEdge(), "alice");
  expect([first.revision, second.revision, asked.length]).toEqual([1, 1, 1]);
  expect(layer.calls.map(({ cached }) => cached)).toEqual([false, true]);
  expect(second.headers.get("cache-status")).toBe("workers-cache; hit, bytenite-edge; fwd=uri-miss; ttl=53; stored");
  expect(second.headers.get("server-timing")).not.toContain("upstream");
});

test("the layer is told the digest alone, and a lifetime; clients see neither that nor anything of it", async () => {
  const { headers } = await ask(await newEdge(), "alice");
  const [call] = layer.calls;
  expect(Object.keys(call?.props ?? {})).toEqual(["owner"]);
  expect(JSON.stringify(call)).not.toContain("alice");
  expect(call?.control).toBe("public, max-age=60, stale-while-revalidate=0, stale-if-error=0");
  expect(headers.get("cache-control")).toBe("private, max-age=60");
  for (const name of ["cdn-cache-control", "cloudflare-cdn-cache-control"]) expect(headers.get(name)).toBeNull();
  for (const [, value] of headers) expect(value).not.toMatch(/public|s-maxage|must-revalidate/);
  expect([...headers].join("\n")).not.toContain(call?.props.owner);
});

test("what the upstream allows shared caches is not what the layer is told", async () => {
  fields = { "cache-control": "public, s-maxage=600, max-age=5, must-revalidate" };
  const { headers } = await ask(await newEdge(), "alice");
  expect(layer.calls[0]?.control).toBe("public, max-age=5, stale-while-revalidate=0, stale-if-error=0");
  expect(headers.get("cache-control")).toBe("private, max-age=5, must-revalidate");
});

test("tokens do not meet in it: by the key, and where the key is wrong, by the seal", async () => {
  for (const fault of ["none", "ignores props"] as const) {
    layer = startLayer(clock);
    layer.fault = fault;
    const edges = [await newEdge(), await newEdge()] as const;
    expect((await ask(edges[0], "alice")).owner).toBe("alice");
    expect((await ask(edges[1], "bob")).owner).toBe("bob");
    expect(layer.calls.at(-1)?.cached).toBe(fault === "ignores props");
    const text = layer.kept().map((bytes) => new TextDecoder("latin1").decode(bytes));
    expect(text.join("\n")).not.toMatch(/alice|bob|zipper/);
  }
});

test("props of one user with the token of another are refused, and not kept", async () => {
  const edge = await newEdge();
  await ask(edge, "alice");
  const entrypoint = layer.of(edge.rooms).SealedExchange?.({ props: layer.calls[0]?.props ?? { owner: "" } });
  const request = new Request("https://e.invalid/json/engines/other", { headers: { authorization: "bob" } });
  const response = await entrypoint?.fetch(request);
  expect([response?.status, response?.headers.get("cache-control"), asked.length]).toEqual([400, "no-store", 1]);
});

test.each([400, 401, 403, 404, 429, 500, 503])("a %i is never kept, and reaches the client", async (failing) => {
  status = failing;
  for (let count = 0; count < 2; count++) expect((await ask(await newEdge(), "alice")).status).toBe(failing);
  expect(layer.calls.every(({ cached, control }) => !cached && control === "no-store")).toBe(true);
  expect(layer.kept()).toEqual([]);
});

test("what the upstream wants kept nowhere is not kept, nor what belongs to a token that ends", async () => {
  const exp = clock.ms / 1_000 + 0.5;
  fields = { "cache-control": "no-store" };
  await ask(await newEdge(), "alice");
  fields = {};
  await ask(await newEdge(), `e30.${btoa(JSON.stringify({ exp })).replaceAll("=", "")}.c2ln`);
  expect(layer.calls.map(({ control }) => control)).toEqual(["no-store", "no-store"]);
});

test("a request that asks for something newer goes past it", async () => {
  await ask(await newEdge(), "alice");
  for (const control of ["no-cache", "no-store", "max-age=5", "min-fresh=70"]) {
    expect((await ask(await newEdge(), "alice", { "cache-control": control })).revision).toBe(asked.length);
  }
  expect([layer.calls.length, asked.length]).toEqual([1, 5]);
});

test("a purge and a 401 reach past it in their data centre", async () => {
  const centre = await caches.open("purged");
  const edge = await newEdge(on, centre);
  await ask(edge, "alice");
  const purge = `${edgeOrigin}/-/purge?all=true`;
  await edge.send(new Request(purge, { method: "POST", headers: { authorization: adminSecret } }));
  clock.ms += 1;
  expect((await ask(edge, "alice")).revision).toBe(2);
  status = 401;
  expect((await ask(edge, "alice", { "cache-control": "no-cache" })).status).toBe(401);
  // The layer still has what it kept; another isolate of the data centre knows better.
  clock.ms += notesReadEveryMs + 1;
  expect((await ask(await newEdge(on, centre), "alice")).status).toBe(401);
});

test("an entry that it should have forgotten is not used", async () => {
  await ask(await newEdge(), "alice");
  layer.fault = "never forgets";
  clock.ms += 61_000;
  expect((await ask(await newEdge(), "alice")).revision).toBe(2);
});

test("where it is broken, or not there, everything works without it", async () => {
  layer.fault = "is broken";
  expect((await ask(await newEdge(), "alice")).owner).toBe("alice");
  const without = startEdge(upstream, clock, undefined, on);
  expect((await ask(without, "alice")).owner).toBe("alice");
  expect(cacheResult(await without.get("alice", "/engines/zipper"))).toBe("hit");
});

test("stale answers are served by the proxy's own rules when the upstream fails behind it", async () => {
  const edge = await newEdge();
  await ask(edge, "alice");
  clock.ms += 200_000;
  status = 503;
  expect((await ask(edge, "alice")).headers.get("cache-status")).toContain("detail=stale-if-error");
});

test("an upstream that cannot be reached is told as it is without the layer, and not asked a second time for it", async () => {
  const refusing = new Error("refused");
  const edges = [on, {}].map((variables) =>
    startEdge(() => Promise.reject(refusing), clock, undefined, variables, undefined, layer.of),
  );
  const answers = [];
  for (const edge of edges) {
    const response = await edge.get("alice", "/engines/zipper", { accept: "application/json" });
    answers.push([response.status, response.headers.get("retry-after"), await response.json()]);
  }
  expect(answers[0]).toEqual(answers[1]);
  expect(answers[0]?.[0]).toBe(503);
  expect(layer.calls.map(({ cached, control }) => [cached, control])).toEqual([[false, "no-store"]]);
});
