// Misspelled options, error stacks and other stumbling blocks of new users.
import { expect, expectTypeOf, test } from "vitest";
import { memoryServer } from "../src/MemoryServer.ts";
import { apiKey } from "../src/ApiKey.ts";
import { breaker } from "../src/FailureRateBreaker.ts";
import { toDate, toJson } from "../src/json.ts";
import { hedging } from "../src/LatencyHedging.ts";
import { nodeFetch, optionsFromEnv } from "../src/node.ts";
import {
  createEngineClient,
  EngineError,
  type ClientOptions,
  type Engine,
  type EngineEvent,
  type EngineListResponse,
  type EngineMessage,
  type EngineStatus,
} from "../src/promise.ts";
import { createServiceClient } from "../src/service.ts";
import { Kitchen } from "./gen/kitchen/v1/kitchen_pb.ts";

const engines = ["a", "b", "c"].map((name) => ({ name, version: "1.0" }));
const baseUrl = "http://127.0.0.1:4010/v1/dev";
const { fetch } = memoryServer({ engines });

const failure = (call: Promise<unknown>): Promise<EngineError> =>
  call.then(
    () => Promise.reject(new Error("it succeeded")),
    (error: unknown) => {
      if (error instanceof EngineError) return error;
      throw error;
    },
  );

test.for<[options: object, said: RegExp]>([
  [{ tokn: "t" }, /there is no option "tokn"; did you mean "token"\?/],
  [{ baseURL: "http://x" }, /"baseURL"; did you mean "baseUrl"\?/],
  [{ timeout: 5 }, /"timeout"; did you mean "attemptTimeoutMs"\?/],
  [{ retry: { maxAttempt: 5 } }, /"retry.maxAttempt"; did you mean "maxAttempts"\?/],
  [{ limits: { maxBodybytes: 5 } }, /"limits.maxBodybytes"; did you mean "maxBodyBytes"\?/],
  [{ protobufVerification: { samplEvery: 5 } }, /"protobufVerification.samplEvery"; did you mean "sampleEvery"\?/],
  [{ somethingElse: 1 }, /there is no option "somethingElse"; known are baseUrl, /],
  [{ fetch: 5 }, /^fetch must be a function, not a number$/],
  [{ token: 5 }, /^token must be text or a function, not a number$/],
  [{ token: "" }, /^token is empty$/],
  [{ token: "a\nb" }, /^token has characters that no HTTP header can carry$/],
  [{ onEvent: "log" }, /^onEvent must be a function, not a string$/],
  [{ hedging: true }, /^hedging must be an object that hedging\(\.\.\.\) gives/],
  [{ hedging: {} }, /^hedging must be an object that hedging\(\.\.\.\) gives$/],
  [{ breaker: {} }, /^breaker must be an object that breaker\(\.\.\.\) gives$/],
  [{ headers: [["a", "b"]] }, /^headers must be an object of names and values$/],
  [
    { protobufVerification: { fieldNumbers: 5 } },
    /^protobufVerification\.fieldNumbers must be an array of what fieldNumbers\(\.\.\.\) gives$/,
  ],
  [
    { protobufVerification: { fieldNumbers: [{}] } },
    /^protobufVerification\.fieldNumbers must be an array of what fieldNumbers\(\.\.\.\) gives$/,
  ],
  [{ protobufVerification: { memory: {} } }, /^protobufVerification\.memory must have the functions get and set$/],
])("%j is refused by name: of a client by an exception, of a call by a rejection", async ([options, said]) => {
  expect(() => createEngineClient(options as ClientOptions)).toThrow(TypeError);
  expect(() => createEngineClient(options as ClientOptions)).toThrow(said);
  if ("protobufVerification" in options) return;
  const client = createEngineClient({ baseUrl, fetch });
  const kitchen = createServiceClient(Kitchen, { baseUrl, fetch });
  const calls = [client.get("a", options), client.list({}, options), kitchen.find({}, options)];
  for (const call of calls) {
    const error = await failure(call);
    expect(error).toMatchObject({ reason: { _tag: "InvalidArgument" }, attempts: 0 });
    expect(error.serverMessage).toMatch(said);
  }
});

test("options and parameters of a call that are null, or another call's, are refused by name", async () => {
  const client = createEngineClient({ baseUrl, fetch });
  const kitchen = createServiceClient(Kitchen, { baseUrl, fetch });
  for (const call of [
    () => client.get("a", null as never),
    () => client.get("a", [] as never),
    () => client.list([] as never),
    () => client.list(null as never),
    () => client.list({ limt: 5 } as never),
    () => client.get("a", { tag: "b" } as never),
    () => client.activate("a", { ifRevison: 1 } as never),
    () => kitchen.find({}, null as never),
    () => kitchen.find({}, [] as never),
    () => kitchen.find({}, 5 as never),
  ]) {
    const error = await failure(call());
    expect(error.reason._tag).toBe("InvalidArgument");
  }
  expect((await failure(client.list({ limt: 5 } as never))).serverMessage).toContain('did you mean "limit"?');
});

const archive = new Uint8Array(3);

test.for<[said: RegExp, call: (client: ReturnType<typeof createEngineClient>) => Promise<unknown>]>([
  [/^signal must be an AbortSignal$/, (client) => client.get("a", { signal: new AbortController() as never })],
  [/^signal must be an AbortSignal$/, (client) => client.list({}, { signal: 5 as never })],
  [/^the archive must be a Uint8Array/, (client) => client.upload(undefined as never)],
  [/^the archive must be a Uint8Array/, (client) => client.upload(5 as never, { tag: "a@1.0" })],
  [/^the archive must be a Uint8Array/, (client) => client.upload("text" as never)],
  [/^tag must be text, not a number$/, (client) => client.upload(archive, { tag: 5 as never })],
  [/^engineId must be text, not a number$/, (client) => client.upload(archive, { engineId: 5 as never })],
  [/^activate must be true or false, not a string$/, (client) => client.upload(archive, { activate: "no" as never })],
  [/^engineId must be text, not a number$/, (client) => client.activate("a", { engineId: 5 as never })],
])("an argument of a wrong type is refused by name: %s", async ([said, call]) => {
  const error = await failure(call(createEngineClient({ baseUrl, fetch })));
  expect(error).toMatchObject({ reason: { _tag: "InvalidArgument" }, attempts: 0 });
  expect(error.serverMessage).toMatch(said);
});

test.for([null, undefined, 5, {}, { token: 5 }])(
  "a token function that returns %j is an error that says so",
  async (given) => {
    const error = await failure(createEngineClient({ baseUrl, fetch, token: () => given as never }).get("a"));
    expect(error.reason._tag).toBe("CredentialsFailed");
    expect(error.message).toContain("Could not get a token: token must be text");
  },
);

const askedHere = async (client: ReturnType<typeof createEngineClient>) => await client.get("absent");

test("the stack of an error names who called", async () => {
  const error = await askedHere(createEngineClient({ baseUrl, fetch })).catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(EngineError);
  expect((error as Error).stack).toMatch(
    /^EngineError: Not found.*\n(?: {4}at .*\n)* {4}at .*askedHere .*Adopting\.test\.ts/,
  );
});

test("attempts and requests are counted apart", async () => {
  const answers = [401, 503, 200];
  const server = memoryServer({
    engines,
    answer: (_request, count) =>
      answers[count - 1] === 200 ? undefined : new Response("{}", { status: answers[count - 1] ?? 500 }),
  });
  const events: Array<EngineEvent> = [];
  const client = createEngineClient({
    baseUrl,
    fetch: server.fetch,
    token: () => "t",
    retry: { baseDelayMs: 0 },
    onEvent: (event) => void events.push(event),
  });
  expect(await client.withResponse.get("a")).toMatchObject({ attempts: 2, requests: 3 });
  expect(events.flatMap((event) => (event.type === "response" ? [[event.attempt, event.request]] : []))).toEqual([
    [1, 1],
    [1, 2],
    [2, 3],
  ]);
});

const reply = (status: number, headers: Record<string, string> = {}, body = "{}") =>
  memoryServer({ engines, answer: () => new Response(body, { status, headers }) }).fetch;

test.for<[stopped: string, options: ClientOptions]>([
  ["final", { fetch: reply(403) }],
  ["attempts", { fetch: reply(503), retry: { maxAttempts: 2, baseDelayMs: 0 } }],
  ["hint-too-long", { fetch: reply(503, { "retry-after": "3600" }) }],
  ["deadline", { fetch: reply(503, { "retry-after": "50" }) }],
  ["budget", { fetch: reply(503), retryBudget: 0, retry: { baseDelayMs: 0 } }],
  ["corrupt-twice", { fetch: reply(200, {}, "<html>"), retry: { baseDelayMs: 0 } }],
])("why retrying ended is on the error and in an event: %s", async ([stopped, options]) => {
  const events: Array<EngineEvent> = [];
  const client = createEngineClient({ baseUrl, ...options, onEvent: (event) => void events.push(event) });
  const error = await failure(client.get("a"));
  expect(error.retryStopped).toBe(stopped);
  expect(events.filter(({ type }) => type === "failure")).toMatchObject([
    { retryStopped: stopped, reason: error.reason._tag, attempts: error.attempts, requests: error.requests },
  ]);
});

test("a POST that may have been carried out says so", async () => {
  const client = createEngineClient({ baseUrl, fetch: reply(500) });
  expect((await failure(client.upload(new Uint8Array(3)))).retryStopped).toBe("not-repeatable");
});

test("a list can be had page by page", async () => {
  const client = createEngineClient({ baseUrl, fetch });
  const pages: Array<ReadonlyArray<string>> = [];
  for await (const { engines } of client.listPages({ limit: 2 })) pages.push(engines.map(({ name }) => name));
  expect(pages).toEqual([["a", "b"], ["c"]]);
});

test("an option that is undefined is one that is left out", async () => {
  const none = undefined;
  const { fetch } = memoryServer({ engines, answer: none });
  const client = createEngineClient({
    fetch,
    token: apiKey(() => "key", { url: none }),
    retry: { maxAttempts: none },
    limits: { maxPages: none },
    hedging: hedging({ delayMs: none, percentile: none, minSamples: none }),
    breaker: breaker({ windowMs: none, minimumRequests: none, failureRate: none, openMs: none }),
  });
  const options = { token: () => ({ token: "t", expiresAtMs: none }) };
  expect((await client.list({ pagination: { limit: none, offset: none } }, options)).engines).toHaveLength(
    engines.length,
  );
  expect(nodeFetch({ idleTimeoutMs: none, maxConnections: none, tls: none, proxyEnv: none })).toBeTypeOf("function");
});

test("an engine as JSON, with its times as text and as dates", async () => {
  const createdAt = { seconds: 1_744_280_000n, nanos: 250_000_000 };
  const client = createEngineClient({
    baseUrl,
    fetch: memoryServer({ engines: [{ name: "a", version: "1.0", createdAt, revision: 3 }] }).fetch,
  });
  const engine = await client.get("a");
  expect(() => JSON.stringify(engine)).toThrow(TypeError);
  expect(JSON.parse(JSON.stringify(toJson(engine)))).toMatchObject({
    name: "a",
    revision: 3,
    createdAt: "2025-04-10T10:13:20.250Z",
    updatedAt: null,
  });
  expect(toJson(await client.list())).toMatchObject({ engines: [{ name: "a" }], pagination: { total: 1 } });
  expect(toJson(await client.status("a"))).toMatchObject({ engineTag: "a@1.0" });
  expect(() => toJson({ $typeName: "other.v1.Message" } as never)).toThrow("toJson takes messages of the engines API");
  expect(engine.createdAt && toDate(engine.createdAt).toISOString()).toBe("2025-04-10T10:13:20.250Z");
  expect(toDate(engine.updatedAt)).toBeUndefined();
  expect(toDate({ seconds: 1n, nanos: 1_999_999 }).getTime()).toBe(1_001);
  expect(toDate({ seconds: -1n, nanos: 500_000_000 }).toISOString()).toBe("1969-12-31T23:59:59.500Z");
});

test("the types of a status suggest those that are known, and take others", () => {
  expectTypeOf<Extract<Engine["status"], "active" | "inactive">>().toEqualTypeOf<"active" | "inactive">();
  expectTypeOf<Extract<EngineMessage["engineStatus"], "active" | "inactive">>().toEqualTypeOf<"active" | "inactive">();
  expectTypeOf<Extract<EngineListResponse["engines"][number]["status"], "active" | "inactive">>().toEqualTypeOf<
    "active" | "inactive"
  >();
  expectTypeOf<"archived">().toExtend<EngineStatus>();
});

test("the received body is next to the data", async () => {
  const { body, format } = await createEngineClient({ baseUrl, fetch, format: "json" }).withResponse.get("a");
  expect([format, JSON.parse(new TextDecoder().decode(body))]).toMatchObject(["json", { name: "a" }]);
});

test("address and token come from the environment where a program asks for that", () => {
  const env = { BYTENITE_TOKEN: "t", BYTENITE_BASE_URL: "http://127.0.0.1:1/v1", OTHER: "x" };
  expect(optionsFromEnv(env)).toEqual({ token: "t", baseUrl: "http://127.0.0.1:1/v1" });
  expect(optionsFromEnv({ BYTENITE_TOKEN: "" })).toEqual({});
});
