import { execFile } from "node:child_process";
import { inspect, promisify } from "node:util";
import * as Effect from "effect/Effect";
import * as Option from "effect/Option";
import * as Tracer from "effect/Tracer";
import { expect, test } from "vitest";
import { apiKey } from "../src/ApiKey.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import { EngineClient, type EngineClientOptions } from "../src/index.ts";
import { createEngineClient } from "../src/promise.ts";
import { json, startServer } from "@bytenite-engines/test-kit/ports";

const secret = "secret-token-0123456789";

/** Runs one `get` inside a span of the caller's, and gives the spans that it made. */
const traced = async (
  options: EngineClientOptions,
  {
    hasCaller = true,
    traceId,
    given = new Promise<void>(() => {}),
  }: { hasCaller?: boolean; traceId?: string; given?: Promise<void> } = {},
): Promise<ReadonlyArray<Tracer.Span>> => {
  const spans: Array<Tracer.Span> = [];
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options);
      if (traceId !== undefined) Object.defineProperty(span, "traceId", { value: traceId });
      spans.push(span);
      return span;
    },
  });
  await Effect.gen(function* () {
    const client = yield* EngineClient;
    return yield* Effect.exit(
      Effect.raceFirst(
        client.get("zipper@0.1"),
        Effect.promise(() => given),
      ),
    );
  }).pipe(
    (called) => (hasCaller ? Effect.withSpan(called, "caller") : called),
    Effect.provide(EngineClient.layer({ token: secret, format: "json", retry: { baseDelayMs: 0 }, ...options })),
    Effect.provideService(Tracer.Tracer, tracer),
    Effect.runPromise,
  );
  return spans;
};

test("a call is a span, each attempt one below it, by the conventions of HTTP clients", async () => {
  await using server = await startServer((_request, response, count) =>
    count === 1 ? json(response, 503, {}) : json(response, 200, { id: "1" }),
  );
  const [caller, call, first, second] = await traced({ baseUrl: server.baseUrl });
  expect(call).toMatchObject({ name: "EngineClient.get" });
  expect(call?.attributes.get("url.template")).toBe("/engines/{engine_tag}");
  expect(Option.getOrThrow(call?.parent ?? Option.none())).toBe(caller);
  expect(first).toMatchObject({ name: "GET /engines/{engine_tag}", kind: "client" });
  expect(Object.fromEntries(first?.attributes ?? [])).toMatchObject({
    "http.request.method": "GET",
    "http.response.status_code": 503,
    "error.type": "Unavailable",
    "url.template": "/engines/{engine_tag}",
    "url.full": `${server.baseUrl}/engines/zipper@0.1`,
    "server.address": "127.0.0.1",
    "server.port": Number(new URL(server.baseUrl).port),
  });
  expect(first?.attributes.has("http.request.resend_count")).toBe(false);
  expect(Object.fromEntries(second?.attributes ?? [])).toMatchObject({
    "http.request.resend_count": 1,
    "http.response.status_code": 200,
  });
  expect(server.requests.map(({ headers }) => headers["traceparent"])).toEqual(
    [first, second].map((span) => `00-${caller?.traceId}-${span?.spanId}-01`),
  );
});

test("calls in spans of their own share a request", async () => {
  const { fetch, requests } = memoryServer({ engines: [{ name: "zipper", version: "0.1" }] });
  const get = Effect.flatMap(EngineClient, (client) => client.get("zipper@0.1"));
  await Effect.all([get, get], { concurrency: 2 }).pipe(
    Effect.withSpan("caller"),
    Effect.provide(EngineClient.layer({ fetch })),
    Effect.runPromise,
  );
  expect(requests.map(({ headers }) => headers.get("traceparent"))).toEqual([expect.stringMatching(/^00-/)]);
});

test("a span has a port also where the URL has none", async () => {
  const [, , attempt] = await traced({ baseUrl: "https://api.example/v1/dev", fetch: memoryServer().fetch });
  expect(attempt?.attributes.get("server.port")).toBe(443);
});

test("an attempt without an answer does not carry the status of the one before", async () => {
  await using server = await startServer((_request, response, count) =>
    count === 1 ? json(response, 503, {}) : response.destroy(),
  );
  const [, , first, second] = await traced({ baseUrl: server.baseUrl, retry: { baseDelayMs: 0, maxAttempts: 2 } });
  expect(first?.attributes.get("http.response.status_code")).toBe(503);
  expect(second?.attributes.get("error.type")).toBe("Unreachable");
  expect(second?.attributes.has("http.response.status_code")).toBe(false);
});

test("an attempt that the caller gives up is cancelled", async () => {
  const sent = Promise.withResolvers<void>();
  const fetch = () => {
    sent.resolve();
    return new Promise<never>(() => {});
  };
  const [, , attempt] = await traced({ fetch }, { given: sent.promise });
  expect(attempt?.attributes.get("error.type")).toBe("cancelled");
});

test("no attribute of a span holds the token", async () => {
  await using server = await startServer((_request, response) => json(response, 401, { code: 16, message: secret }));
  const spans = await traced({ baseUrl: server.baseUrl });
  expect(spans).toHaveLength(3);
  expect(inspect(spans, { depth: 12 })).not.toContain(secret);
});

test("traceparent is not sent when switched off, nor without a tracer, a caller's span or an id that it can carry", async () => {
  await using server = await startServer((_request, response) => json(response, 200, { id: "1" }));
  await traced({ baseUrl: server.baseUrl, propagateTrace: false });
  await createEngineClient({ baseUrl: server.baseUrl, format: "json" }).get("zipper@0.1");
  const alone = await traced({ baseUrl: server.baseUrl }, { hasCaller: false });
  expect(alone.map(({ name }) => name)).toEqual(["EngineClient.get", "GET /engines/{engine_tag}"]);
  await traced({ baseUrl: server.baseUrl }, { traceId: "7" });
  await traced({ baseUrl: server.baseUrl }, { traceId: `${"a".repeat(32)}\r\n` });
  expect(server.requests.map(({ headers }) => headers["traceparent"])).toEqual(Array.from({ length: 5 }));
});

test("within a caller's span, spans are made without a tracer of one's own too", async () => {
  await using server = await startServer((_request, response) => json(response, 200, { id: "1" }));
  const { traceId } = await Effect.gen(function* () {
    yield* (yield* EngineClient).get("zipper@0.1");
    return yield* Effect.currentSpan;
  }).pipe(
    Effect.withSpan("caller"),
    Effect.provide(EngineClient.layer({ baseUrl: server.baseUrl, format: "json" })),
    Effect.runPromise,
  );
  expect(server.requests[0]?.headers["traceparent"]).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-01$`));
});

test("the OTLP example sends its spans and metrics to a collector", async () => {
  const bodies = new Map<string, string>();
  await using collector = await startServer((request, response) => {
    const chunks: Array<Buffer> = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      bodies.set(request.url ?? "", Buffer.concat(chunks).toString());
      json(response, 200, {});
    });
  });
  const url = new URL(collector.baseUrl).origin;
  const example = new URL("../examples/otlp.ts", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [example, url]);
  expect(stdout).toBe("zipper@0.1 is active\n");
  expect(bodies.get("/v1/traces")).toContain("EngineClient.get");
  expect(bodies.get("/v1/metrics")).toContain("http.client.request.duration");
  expect([...bodies.values()].join()).not.toContain("a-token");
});

test("the exchange of an API key is a span below the attempt that needs it", async () => {
  await using server = await startServer((request, response) =>
    request.method === "POST"
      ? json(response, 200, { token: "t", expiresIn: "3600" })
      : json(response, 200, { id: "1" }),
  );
  const [, call, attempt, exchange] = await traced({ baseUrl: server.baseUrl, token: apiKey(secret) });
  expect([call?.name, attempt?.name, exchange?.name]).toEqual([
    "EngineClient.get",
    "GET /engines/{engine_tag}",
    "POST",
  ]);
  expect(exchange).toMatchObject({ kind: "client" });
  expect(Option.getOrThrow(exchange?.parent ?? Option.none())).toBe(attempt);
  expect(Object.fromEntries(exchange?.attributes ?? [])).toMatchObject({
    "http.request.method": "POST",
    "url.full": `${new URL(server.baseUrl).origin}/v1/auth/access_token`,
  });
  expect(inspect(exchange, { depth: 5 })).not.toContain(secret);
});
