import { create } from "@bufbuild/protobuf";
import { expect, test } from "vitest";
import { createEngineClient, type ClientOptions } from "../src/promise.ts";
import { endpoints } from "../src/wire.ts";
import { encodeJson } from "../src/WireJson.ts";
import { json, startServer } from "./LocalServer.ts";

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

test("a token given as a header is blotted out of what the server says, too", async () => {
  await using server = await startServer((request, response) =>
    json(response, 403, { code: 7, message: `no entry with ${request.headers.authorization}` }),
  );
  const client = clientOf(server.baseUrl, { headers: { Authorization: "header-token-0123456789" } });
  await expect(client.list()).rejects.toMatchObject({ serverMessage: "no entry with <redacted>" });
});
