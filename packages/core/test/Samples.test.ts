// Samples of verified responses, and failures of their second request.
import type { IncomingMessage, ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { fromBinary } from "@bufbuild/protobuf";
import type { FieldNumbers } from "../src/infer/index.ts";
import { createEngineClient, type ClientOptions } from "../src/promise.ts";
import { hedging } from "../src/LatencyHedging.ts";
import { encode, endpoints } from "../src/wire.ts";
import { startServer } from "@bytenite-engines/test-kit/ports";
import { zipper } from "./verify/Samples.ts";

const schema = endpoints.get.response;

type Answer = (response: ServerResponse) => void;

const isJson = ({ headers }: IncomingMessage): boolean => headers.accept === "application/json";

/** A server of our numbers: protobuf is right, JSON is what each test makes of it. */
const serverWith = (json: Answer) =>
  startServer((request, response) => {
    if (isJson(request)) return json(response);
    response.writeHead(200, { "content-type": "application/x-protobuf" });
    response.end(encode(schema, zipper, "protobuf"));
  });

const right: Answer = (response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(encode(schema, zipper, "json"));
};
const silent: Answer = () => {};
const halfway: Answer = (response) => {
  response.writeHead(200, { "content-type": "application/json" });
  response.write("{");
};
const status =
  (code: number): Answer =>
  (response) => {
    response.writeHead(code);
    response.end("no");
  };

/** Field numbers by a profile. */
const numbersOf = (baseUrl: string): FieldNumbers => ({
  origin: new URL(baseUrl).origin,
  areOther: false,
  read: (_schema, bytes) => fromBinary(schema, bytes) as never,
});

const clientOf = (baseUrl: string, options: ClientOptions = {}) =>
  createEngineClient({
    baseUrl,
    token: "t",
    attemptTimeoutMs: 400,
    retry: { maxAttempts: 1 },
    protobufVerification: { sampleEvery: 1, responsesPerExtraRequest: 1, fieldNumbers: [numbersOf(baseUrl)] },
    ...options,
  });

test.for<[name: string, json: Answer]>([
  ["does not come", silent],
  ["stops halfway", halfway],
  ["is refused", status(403)],
  ["is not acceptable", status(406)],
  ["is out of order", status(503)],
  ["wants another token", status(401)],
  ["is cut off", (response) => response.destroy()],
  ["is none", (response) => response.writeHead(200, { "content-type": "application/json" }).end("[")],
])("a sample whose JSON %s leaves what was verified", async ([, json]) => {
  await using server = await serverWith(json);
  const client = clientOf(server.baseUrl);
  for (let call = 0; call < 2; call++) {
    const { data, format } = await client.withResponse.get("zipper@0.1");
    expect([data.name, format]).toEqual(["zipper", "protobuf"]);
  }
  expect(server.requests.filter(isJson)).toHaveLength(2);
});

test("nor does the deadline of the call, or a hedged pair, lose what was verified", async () => {
  await using server = await serverWith(silent);
  for (const options of [
    { attemptTimeoutMs: Infinity, deadlineMs: 400 },
    { hedging: hedging({ delayMs: 0 }) },
    { token: () => Promise.resolve("t") },
  ]) {
    const client = clientOf(server.baseUrl, options);
    expect((await client.get("zipper@0.1")).name).toBe("zipper");
  }
});

test("the request that came too late is ended", async () => {
  const ended = Promise.withResolvers<boolean>();
  await using server = await serverWith((response) => response.once("close", () => ended.resolve(true)));
  const client = clientOf(server.baseUrl);
  await client.get("zipper@0.1");
  expect(await ended.promise).toBe(true);
});

test("without anything to hand out the time of the attempt is what it was", async () => {
  await using server = await serverWith(silent);
  const client = clientOf(server.baseUrl, { protobufVerification: {} });
  await expect(client.get("zipper@0.1")).rejects.toMatchObject({ reason: { _tag: "TimedOut", scope: "attempt" } });
});

test("who aborts a call during a sample gets no data, and ends its request", async () => {
  const controller = new AbortController();
  const ended = Promise.withResolvers<boolean>();
  await using server = await serverWith((response) => {
    response.once("close", () => ended.resolve(true));
    controller.abort(new Error("enough"));
  });
  const client = clientOf(server.baseUrl, { attemptTimeoutMs: 10_000 });
  await expect(client.get("zipper@0.1", { signal: controller.signal })).rejects.toThrow("enough");
  expect(await ended.promise).toBe(true);
});

test("JSON that comes in time is handed out", async () => {
  await using server = await serverWith(right);
  const client = clientOf(server.baseUrl, { attemptTimeoutMs: 10_000 });
  expect((await client.withResponse.get("zipper@0.1")).format).toBe("json");
});
