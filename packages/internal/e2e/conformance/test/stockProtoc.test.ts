// Responses of the proxy, decoded by `protoc`.
import { spawnSync } from "node:child_process";
import type { DescMessage } from "@bufbuild/protobuf";
import { encodeJson, endpoints, type EndpointName } from "@bytenite-engines/core/wire";
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { exchange, type Answered } from "../src/Exchange.ts";
import { fromText, protocDecode } from "../src/TextFormat.ts";
import { startProxy, type RunningProxy } from "@bytenite-engines/test-kit";
import { seedsOf, startTableRegistry } from "../src/World.ts";
import { tokenOf } from "../src/Engines.ts";

let trial: TestRegistry;
let trialProxy: RunningProxy;
let table: TestRegistry;
let tableProxy: RunningProxy;

beforeAll(async () => {
  [trial, table] = await Promise.all([startRegistry(), startTableRegistry()]);
  [trialProxy, tableProxy] = await Promise.all([startProxy(trial.url), startProxy(table.url)]);
});

afterAll(async () => {
  await Promise.all([trialProxy?.stop(), tableProxy?.stop()]);
  await Promise.all([trial?.stop(), table?.stop()]);
});

const ask = (url: string, target: string, authorization: string, accept: string): Promise<Answered> =>
  exchange(url, target, { authorization, accept });

// A protoc without the well-known types cannot read our proto files either.
const probe = ["--decode=google.protobuf.Timestamp", "google/protobuf/timestamp.proto"];
const withoutProtoc = spawnSync("protoc", probe, { input: "" }).status !== 0;

test.skipIf(withoutProtoc).for<[endpoint: EndpointName, target: string, user: "alice" | "bob"]>([
  ["list", "/engines", "alice"],
  ["list", "/engines", "bob"],
  ["list", "/engines?isPublic=true&pagination.limit=2", "bob"],
  ["get", "/engines/zipper@0.1", "alice"],
  ["get", "/engines/word-count", "bob"],
  ["get", "/engines/frame-splitter@1", "bob"],
  ["status", "/engines/fanout-urls/status", "alice"],
])("protoc reads from the worker what the JSON says: %s %s of %s", async ([endpoint, target, user]) => {
  const schema: DescMessage = endpoints[endpoint].response;
  const token = trial.tokens[user] ?? "";
  const binary = await ask(trialProxy.url, target, token, "application/x-protobuf");
  const json = await ask(trialProxy.url, target, token, "application/json");
  expect([binary.status, binary.headers["content-type"]]).toEqual([200, "application/x-protobuf"]);
  const text = await protocDecode(schema, binary.body);
  expect(encodeJson(schema, fromText(schema, text))).toEqual(JSON.parse(json.body.toString()));
});

test.skipIf(withoutProtoc)("protoc reads awkward text, floats and times as the table has them", async () => {
  const seeds = await seedsOf(table);
  for (const tag of seeds.tags("alice")) {
    const schema: DescMessage = endpoints.get.response;
    const { body } = await ask(tableProxy.url, `/engines/${tag}`, tokenOf("alice"), "application/x-protobuf");
    const message = fromText(schema, await protocDecode(schema, body));
    expect(encodeJson(schema, message)).toEqual(seeds.engine("alice", tag));
  }
});

test("the worker's second answer is a hit, byte for byte the first", async () => {
  const target = "/engines?pagination.limit=3";
  const first = await ask(trialProxy.url, target, "local-alice", "application/x-protobuf");
  const asked = trial.requests.length;
  const second = await ask(trialProxy.url, target, "local-alice", "application/x-protobuf");
  expect(String(first.headers["cache-status"])).toMatch(/;\s*fwd=/);
  expect(String(second.headers["cache-status"])).toMatch(/;\s*hit\b/);
  expect(second.body.equals(first.body)).toBe(true);
  expect(Number(second.headers["age"])).toBeGreaterThanOrEqual(0);
  expect(trial.requests.length).toBe(asked);
});

test("another user's token sees that user's engines only, though the first one's are cached", async () => {
  const names = async (token: string): Promise<ReadonlyArray<string>> => {
    const { body } = await ask(trialProxy.url, "/engines", token, "application/json");
    const { engines } = JSON.parse(body.toString()) as { engines: ReadonlyArray<{ userName: string }> };
    return [...new Set(engines.map(({ userName }) => userName))];
  };
  expect(await names("local-alice")).toEqual(["alice"]);
  expect(await names("local-bob")).toEqual(["bob"]);
  expect(await names("local-alice")).toEqual(["alice"]);
  const refused = await ask(trialProxy.url, "/engines", "local-eve", "application/json");
  expect([refused.status, refused.headers["cache-status"]?.includes("hit") ?? false]).toEqual([401, false]);
});
