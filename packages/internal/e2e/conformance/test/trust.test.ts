// Foreign field numbers, from client to registry and through the proxy.
import { createEngineClient, type EngineEvent } from "@bytenite-engines/core/promise";
import { FieldNumberInference, fieldNumbers } from "@bytenite-engines/core/infer";
import { startRegistry, type FieldNumbers } from "@bytenite-engines/registry/testing";
import { seeded } from "@bytenite-engines/test-kit/random";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startForeignRegistry, startForeignServers, ways, type ForeignServers } from "../src/ForeignServers.ts";
import { contractMessages, randomEngines, shuffled } from "../src/Numberings.ts";
import { round, trueCalls } from "../src/Round.ts";
import { tryClient } from "../src/trust/ClientCaller.ts";
import { tallyOf, type Part } from "../src/trust/Tally.ts";

/** Random numberings for each way; `pnpm trust` tries more. */
const numberings = 12;

vi.setConfig({ testTimeout: 90_000 });

let servers: ForeignServers;

beforeAll(async () => {
  servers = await startForeignServers();
});
afterAll(() => servers?.stop());

test.for(ways)("no value is wrong for any of many numberings, and profiles bring protobuf back (%s)", async (way) => {
  const parts: Array<Part> = [];
  while (parts.length < numberings) parts.push(await tryClient(servers, way, parts.length + 1));
  const { wrong, incomplete, calls, requests } = tallyOf("client", way, parts);
  expect(wrong).toEqual([]);
  // With one engine that has everything, everything is known: one request per call, all protobuf.
  expect(incomplete).toEqual([]);
  // One client and origin for each numbering, and one request more for each.
  expect(requests.plain).toBeLessThanOrEqual(calls * 2 + numberings);
});

test("calls that are under way at the same time are answered right, for few requests more", async () => {
  for (const [seed, sampleEvery] of [500, 7].entries()) {
    await using registry = await startForeignRegistry(seed, true);
    const token = `t-${seed}`;
    const calls = await trueCalls(registry.url, token);
    const client = createEngineClient({
      baseUrl: registry.url,
      token,
      dedupe: false,
      protobufVerification: { sampleEvery },
    });
    registry.requests.length = 0;
    for (let repeat = 0; repeat < 3; repeat++) {
      const crowd = shuffled(seeded(repeat), [...calls, ...calls, ...calls]);
      const answers = await Promise.all(crowd.map(async ([, call]) => (await call(client)).json));
      expect(answers).toEqual(crowd.map(([, , truth]) => truth));
    }
    expect(registry.requests.length).toBeLessThanOrEqual(calls.length * 9 + 2);
  }
});

/** Every number of every message is one that our contract does not have. */
const strangeNumbers: FieldNumbers = Object.fromEntries(
  contractMessages.map(({ typeName, fields }) => [
    typeName,
    Object.fromEntries(fields.map(({ name, number }) => [name, number + 1000])),
  ]),
);

test.for(ways)("protobuf with every field as an unknown one is never handed out empty (%s)", async (way) => {
  const token = "t-strange";
  const users = [{ name: "alice", token, engines: randomEngines(seeded(5), true) }];
  await using registry = await startRegistry({ users, schemaDigest: false, fieldNumbers: strangeNumbers });
  const baseUrl = servers.urlBy(way, token, registry);
  const calls = await trueCalls(registry.url, token);
  // Without a profile they are only unknown fields, and the JSON is the answer for good.
  const plain = createEngineClient({ baseUrl, token });
  for (let repeat = 0; repeat < 3; repeat++)
    expect(await round(plain, calls, seeded(repeat))).toMatchObject({ wrong: [], protobuf: 0 });
  // With one: protobuf, one request per call, nothing left unknown.
  const inference = new FieldNumberInference();
  const inferring = createEngineClient({ baseUrl, token, format: "json", middleware: [inference.middleware] });
  await round(inferring, calls, seeded(3));
  const unknown: Array<EngineEvent> = [];
  const client = createEngineClient({
    baseUrl,
    token,
    protobufVerification: {
      fieldNumbers: [fieldNumbers(inference.profile(new URL(baseUrl).origin, Date.now()))],
      responsesPerExtraRequest: 1,
    },
    onEvent: (event) => event.type === "unknown-fields" && unknown.push(event),
  });
  await client.list();
  const all = { wrong: [], protobuf: calls.length, regained: calls.length, requests: calls.length };
  expect(await round(client, calls, seeded(2))).toEqual(all);
  expect(unknown).toEqual([]);
});
