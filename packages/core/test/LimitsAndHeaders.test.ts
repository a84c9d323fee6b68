import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { createRawClient } from "../src/exchange.ts";
import { schemaDigests } from "../src/gen/schemaDigests.ts";
import {
  createEngineClient,
  type ClientOptions,
  type EngineError,
  type Fetch,
  type PromiseEngineClient,
} from "../src/promise.ts";
import { endpoints } from "../src/wire.ts";
import { encodeJson } from "../src/Encoding.ts";
import { json, startServer } from "@bytenite-engines/test-kit/ports";

const schema = endpoints.list.response;

/** A server whose list never ends, a few engines on each page. */
const endless = (enginesPerPage: number) =>
  startServer((_request, response) => {
    const engines = Array.from({ length: enginesPerPage }, () => ({ name: "a" }));
    json(response, 200, encodeJson(schema, create(schema, { engines, pagination: { hasNext: true } })));
  });

const clientOf = (baseUrl: string, options: ClientOptions) =>
  createEngineClient({ baseUrl, format: "json", ...options });

test("a list that never ends is given up after maxPages", async () => {
  await using server = await endless(2);
  const seen: Array<string> = [];
  const read = async (): Promise<void> => {
    const client = clientOf(server.baseUrl, { limits: { maxPages: 3 } });
    for await (const { name } of client.listAll()) seen.push(name);
  };
  await expect(read()).rejects.toMatchObject({ reason: { _tag: "TooLarge", limit: "maxPages", value: 3 } });
  expect(seen.length).toBe(6);
  expect(server.requests.length).toBe(3);
});

test("whoever stops reading a list asks for no further page", async () => {
  await using server = await endless(2);
  for await (const { name } of clientOf(server.baseUrl, {}).listAll()) if (name === "a") break;
  expect(server.requests.length).toBe(1);
});

test("a page with more engines than maxEnginesPerPage is refused, and not asked for again", async () => {
  await using server = await endless(4);
  const client = clientOf(server.baseUrl, { limits: { maxEnginesPerPage: 3 } });
  await expect(client.list()).rejects.toMatchObject({
    reason: { _tag: "TooLarge", limit: "maxEnginesPerPage", value: 3 },
  });
  expect((await client.list({}, { limits: { maxEnginesPerPage: 4 } })).engines.length).toBe(4);
  expect(server.requests.length).toBe(2);
});

test("what the client sends itself cannot be doubled by headers of another case", async () => {
  await using server = await endless(1);
  const client = clientOf(server.baseUrl, {
    token: "real-token",
    headers: { Accept: "text/html", AUTHORIZATION: "another-token", "X-Team": "a" },
  });
  await client.list({}, { headers: { "x-team": "b" } });
  const { headers } = server.requests[0] ?? { headers: {} };
  expect(headers).toMatchObject({ accept: "application/json", authorization: "real-token", "x-team": "b" });
});

test("a token given as a header is redacted in the server's message, too", async () => {
  await using server = await startServer((request, response) =>
    json(response, 403, { code: 7, message: `no entry with ${request.headers.authorization}` }),
  );
  const client = clientOf(server.baseUrl, { headers: { Authorization: "header-token-0123456789" } });
  await expect(client.list()).rejects.toMatchObject({ serverMessage: "no entry with <redacted>" });
});

test.for(["Authorization", "AUTHORIZATION", "authorization"])(
  "%s of a middleware takes the place of the client's token",
  async (name) => {
    await using server = await endless(1);
    const client = clientOf(server.baseUrl, {
      token: "client-token",
      middleware: [(request, next) => next({ ...request, headers: { ...request.headers, [name]: "other-token" } })],
    });
    await client.list();
    const [request] = server.requests;
    expect(request?.rawHeaders.filter((text) => text.toLowerCase() === "authorization")).toHaveLength(1);
    expect(request?.headers.authorization).toBe("other-token");
  },
);

test("an exchanger takes header names in any case", async () => {
  await using server = await endless(1);
  const headers = { Accept: "application/json", Authorization: "exchanged-token" };
  await createRawClient().send({ url: `${server.baseUrl}/engines`, headers, endpoint: "list" });
  expect(server.requests[0]?.headers).toMatchObject({ accept: "application/json", authorization: "exchanged-token" });
  expect(server.requests[0]?.rawHeaders.filter((text) => text.toLowerCase() === "accept")).toHaveLength(1);
});

test("no credential of the client's headers goes to another origin with a call", async () => {
  await using home = await endless(1);
  await using abroad = await endless(1);
  const headers = { Authorization: "a-token", Cookie: "session=1", "X-Api-Key": "a-key", "X-Team": "engines" };
  const client = clientOf(home.baseUrl, { headers });
  await client.list({}, { baseUrl: abroad.baseUrl });
  expect(abroad.requests[0]?.headers).toMatchObject({ "x-team": "engines" });
  expect(Object.keys(abroad.requests[0]?.headers ?? {})).not.toContain("authorization");
  expect(Object.keys(abroad.requests[0]?.headers ?? {})).not.toContain("cookie");
  expect(Object.keys(abroad.requests[0]?.headers ?? {})).not.toContain("x-api-key");
});

test.for<[digest: string | undefined, ends: string]>([
  [schemaDigests["bytenite.developer.EngineListResponse"], "0 engines"],
  ["another-digest", "Undecodable"],
  [undefined, "Undecodable"],
])("no bytes of protobuf under the digest %s are %s", async ([digest, ends]) => {
  await using server = await startServer((_request, response) => {
    response.writeHead(200, {
      "content-type": "application/x-protobuf",
      "content-length": 0,
      ...(digest === undefined ? {} : { "bytenite-schema-digest": digest }),
    });
    response.end();
  });
  const client = createEngineClient({ baseUrl: server.baseUrl, retry: { maxAttempts: 1 } });
  const outcome = client.list().then(
    ({ engines }) => `${engines.length} engines`,
    (error: EngineError) => error.reason._tag,
  );
  expect(await outcome).toBe(ends);
});

/** Calls with parameters that no request can carry. */
const wrong: Readonly<Record<string, (client: PromiseEngineClient) => Promise<unknown>>> = {
  "a negative limit": (client) => client.list({ limit: -1 }),
  "half a limit": (client) => client.list({ limit: 0.5 }),
  "a limit that is text": (client) => client.list({ limit: "5" as never }),
  "an offset past uint32": (client) => client.list({ pagination: { offset: 4_294_967_296 } }),
  "an invalid offset": (client) => client.list({ offset: Number.NaN }),
  "an invalid orderBy": (client) => client.list({ orderBy: 5 as never }),
  "an isPublic that is text": (client) => client.list({ isPublic: "yes" as never }),
  "no tag": (client) => client.get(undefined as never),
  "a tag that is a number": (client) => client.status(5 as never),
  "an empty tag": (client) => client.get(""),
  "an invalid id": (client) => client.get("a", { engineId: {} as never }),
  "data that is text": (client) => client.get("a", { engineData: "abc" as never }),
  "a list of all with a negative limit": async (client) => {
    for await (const engine of client.listAll({ limit: -1 })) throw new Error(engine.name);
  },
};

test.for(Object.entries(wrong))("%s is an EngineError, and nothing is sent", async ([, call]) => {
  await using server = await endless(1);
  const error: unknown = await call(clientOf(server.baseUrl, {})).catch((cause: unknown) => cause);
  expect(error).toMatchObject({ _tag: "EngineError", reason: { _tag: "InvalidArgument" }, attempts: 0 });
  expect(server.requests.length).toBe(0);
});

test("a body that comes byte by byte is read, and bounded as sent", async () => {
  const answer = Buffer.from('{"engines":[{"name":"a"}]}');
  const { baseUrl } = { baseUrl: "http://memory.example/v1/dev" };
  const fetch: Fetch = async () =>
    new Response(
      new ReadableStream({
        start: (controller) => {
          for (const byte of answer) controller.enqueue(Uint8Array.of(byte));
          controller.close();
        },
      }),
      { headers: { "content-type": "application/json", "content-length": "1" } },
    );
  expect((await clientOf(baseUrl, { fetch }).list()).engines.map(({ name }) => name)).toEqual(["a"]);
  const limited = clientOf(baseUrl, { fetch, limits: { maxBodyBytes: 5 } });
  await expect(limited.list()).rejects.toMatchObject({ reason: { _tag: "TooLarge", limit: "maxBodyBytes" } });
});

test.each([
  [{}, "the body broke off"],
  [{ code: "ECONNRESET" }, "the body broke off (ECONNRESET)"],
])("a body that ends with the error %j is undecodable, with its code if it has one", async (fields, problem) => {
  const body = new ReadableStream({ pull: (controller) => controller.error(Object.assign(new Error("x"), fields)) });
  const fetch: Fetch = async () => new Response(body, { headers: { "content-type": "application/json" } });
  const client = clientOf("https://a.example/v1/dev", { fetch, retry: { maxAttempts: 1 } });
  await expect(client.get("zipper")).rejects.toMatchObject({ reason: { _tag: "Undecodable", problem } });
});

test.for([undefined, null, 5, {}, { status: 200 }, { status: 200, headers: {} }])(
  "a fetch and a middleware that resolve with %j are named, once",
  async (given) => {
    let calls = 0;
    const wrong = async () => (calls++, given) as never;
    const baseUrl = "https://a.example/v1/dev";
    await expect(clientOf(baseUrl, { fetch: wrong }).get("zipper")).rejects.toThrow(
      /^fetch must resolve with a standard Response, with status and headers, not /,
    );
    await expect(clientOf(baseUrl, { fetch: redirecting, middleware: [wrong] }).get("zipper")).rejects.toThrow(
      /^a middleware must resolve with what next\(request\) resolves with, with status and headers, not /,
    );
    expect(calls).toBe(2);
  },
);

test("a deadline of 0 sends nothing, and says so", async () => {
  let calls = 0;
  const fetch: Fetch = (...request) => (calls++, redirecting(...request));
  const error: unknown = await clientOf("https://a.example/v1/dev", { fetch, deadlineMs: 0 })
    .get("zipper")
    .catch((cause: unknown) => cause);
  expect(error).toMatchObject({ reason: { _tag: "TimedOut", scope: "deadline" }, attempts: 0, requests: 0 });
  expect(calls).toBe(0);
});

/** Redirects once within the origin. */
const redirecting: Fetch = async (url) =>
  url.endsWith("/moved")
    ? new Response('{"name":"zipper"}', { headers: { "content-type": "application/json" } })
    : new Response(null, { status: 302, headers: { location: "/moved" } });

test("a redirect within the origin is followed", async () => {
  const { name } = await clientOf("https://a.example/v1/dev", { fetch: redirecting }).get("zipper");
  expect(name).toBe("zipper");
});

test.for([
  [200, "a"],
  [299, "a"],
  [300, "Rejected"],
  [304, "Rejected"],
] as const)("an answer with the status %i is %s: a message from 200 to 299", async ([status, expected]) => {
  const fetch = () => Promise.resolve(new Response(status === 304 ? null : '{"name":"a"}', { status }));
  const answer = createEngineClient({ fetch, format: "json", retry: { maxAttempts: 1 } }).get("a");
  const outcome = await answer.then(({ name }) => name).catch((error: EngineError) => error.reason._tag);
  expect(outcome).toBe(expected);
});
