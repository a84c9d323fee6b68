// Wire cases through core and plain HTTP, in both formats.
import { EngineClient } from "@bytenite-engines/core";
import { createEngineClient as createJsonClient } from "@bytenite-engines/core/json";
import { createEngineClient, type Engine } from "@bytenite-engines/core/promise";
import type { Format } from "@bytenite-engines/core/wire";
import type { TestRegistry } from "@bytenite-engines/registry/testing";
import * as Effect from "effect/Effect";
import * as Stream from "effect/Stream";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Seeds } from "../src/Case.ts";
import { acceptCases } from "../src/cases/negotiation.ts";
import { wireCases } from "../src/Cases.ts";
import { coreClient, httpClient, jsonClient, type TestClient } from "../src/TestClient.ts";
import { tokenOf } from "../src/Engines.ts";
import { exchange } from "../src/Exchange.ts";
import { startProxy, type RunningProxy } from "@bytenite-engines/test-kit";
import { seedsOf, startTableRegistry } from "../src/World.ts";

let registry: TestRegistry;
let proxy: RunningProxy;
let seeds: Seeds;

beforeAll(async () => {
  registry = await startTableRegistry();
  seeds = await seedsOf(registry);
  proxy = await startProxy(registry.url);
});

afterAll(async () => {
  await proxy?.stop();
  await registry?.stop();
});

const forms: ReadonlyArray<Format> = ["protobuf", "json"];

const formClients: ReadonlyArray<readonly [name: string, open: () => TestClient]> = forms.flatMap((form) => [
  [`core against the registry, ${form}`, () => coreClient("registry", registry.url, form, false)] as const,
  [`core through the worker, ${form}`, () => coreClient("worker", proxy.url, form, true)] as const,
  [`plain HTTP to the registry, ${form}`, () => httpClient("registry", registry.url, form, false)] as const,
  [`plain HTTP to the worker, ${form}`, () => httpClient("worker", proxy.url, form, true)] as const,
]);

const testClients = [
  ...formClients,
  ["core's JSON entry against the registry", () => jsonClient("registry", registry.url, false)] as const,
];

describe.for(testClients)("%s", ([name, open]) => {
  const sayable = wireCases.filter(({ call, target }) => (name.startsWith("core") ? call : target) !== undefined);
  test.for(sayable)("answers $name", async (wireCase) => {
    const testClient = open();
    const outcome = await testClient.send(wireCase);
    const expected = testClient.isProxy ? (wireCase.expectedOfProxy ?? wireCase.expected) : wireCase.expected;
    expect(outcome).toEqual(testClient.expects(expected, seeds));
  });
});

const servers = [
  ["the registry", () => registry.url],
  ["the worker", () => proxy.url],
] as const;

const targets = ["/engines?pagination.limit=1", "/engines/full@1.2", "/engines/full@1.2/status", "/engines/nothing"];

describe.for(servers)("plain HTTP to %s", ([, url]) => {
  test.for(acceptCases)("answers Accept: %s with %s", async ([accept, mediaType]) => {
    for (const target of targets) {
      const headers = { authorization: tokenOf("alice"), ...(accept === undefined ? {} : { accept }) };
      const answered = await exchange(url(), target, headers);
      const missing = target.endsWith("nothing");
      expect({ target, status: answered.status }).toEqual({
        target,
        status: mediaType === undefined ? 406 : missing ? 404 : 200,
      });
      expect(answered.headers.vary?.toLowerCase()).toContain("accept");
      expect(answered.headers["content-type"]).toBe(mediaType ?? "application/json");
      // A refusal says what is offered instead (RFC 9110, 15.5.7).
      expect(answered.body.toString().includes("application/x-protobuf")).toBe(mediaType === undefined);
    }
  });
});

const tagOf = ({ name, version }: Engine): string => `${name}@${version}`;

describe.for(servers)("all pages of %s", ([, url]) => {
  const options = () => ({ baseUrl: url(), token: tokenOf("alice") });

  test.for([1, 4, 17, 18, 1000])(
    "come in order through the promise entry and the JSON entry, %i engines at a time",
    async (limit) => {
      const tags: Array<string> = [];
      for await (const engine of createEngineClient(options()).listAll({ limit })) tags.push(tagOf(engine));
      const inJson: Array<string> = [];
      for await (const engine of createJsonClient(options()).listAll({ limit })) inJson.push(tagOf(engine));
      expect([tags, inJson]).toEqual([seeds.tags("alice"), seeds.tags("alice")]);
    },
  );

  test("come in order through Effect, as many as are taken", async () => {
    const program = Effect.gen(function* () {
      const client = yield* EngineClient;
      const all = yield* Stream.runCollect(client.listAll({ limit: 4 }));
      const five = yield* Stream.runCollect(Stream.take(client.listAll({ limit: 2 }), 5));
      return { all: [...all].map(tagOf), five: [...five].map(tagOf) };
    });
    const { all, five } = await Effect.runPromise(Effect.provide(program, EngineClient.layer(options())));
    expect(all).toEqual(seeds.tags("alice"));
    expect(five).toEqual(seeds.tags("alice").slice(0, 5));
  });
});

test("every owner has an id of its own, and every row a name of its own", () => {
  const ids = [seeds.engine("alice", "full@1.2")["owner"], seeds.engine("bob", "plain@0.1")["owner"]];
  expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/);
  expect(ids[0]).not.toBe(ids[1]);
  expect(new Set(wireCases.map(({ name }) => name)).size).toBe(wireCases.length);
});
