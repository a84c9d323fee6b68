// Field numbers that are not ours, end to end: client against registry, and client through the worker against registry.
import { createEngineClient, type EngineEvent } from "@bytenite-engines/core/promise";
import { calibration } from "@bytenite-engines/core/trust";
import { startRegistry, type FieldNumbers } from "@bytenite-engines/registry/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startForeignRegistry, startForeignServers, ways, type ForeignServers } from "../src/ForeignServers.ts";
import { chanceOf, contractMessages, randomEngines, shuffled } from "../src/Numberings.ts";
import { round, trueCalls } from "../src/Round.ts";
import { tryClient } from "../src/trust/ClientDoor.ts";
import { tallyOf, type Part } from "../src/trust/Tally.ts";

/** Random numberings for each way; `pnpm trust` tries more. */
const numberings = 12;

vi.setConfig({ testTimeout: 90_000 });

let servers: ForeignServers;

beforeAll(async () => {
  servers = await startForeignServers();
});
afterAll(() => servers?.stop());

test.for(ways)("no value is wrong for any of many numberings, and protobuf is regained (%s)", async (way) => {
  const parts: Array<Part> = [];
  while (parts.length < numberings) parts.push(await tryClient(servers, way, parts.length + 1));
  const { wrong, incomplete, calls, requests } = tallyOf("client", way, parts);
  expect(wrong).toEqual([]);
  // With one engine that has everything, everything is known by the third round: one request per call, all protobuf.
  expect(incomplete).toEqual([]);
  expect(requests.last).toBeLessThan(calls * 1.1);
});

test("calls that are under way at the same time while the numbers are worked out are answered right, too", async () => {
  for (const [seed, numbers] of [calibration(), undefined, calibration(), undefined].entries()) {
    await using registry = await startForeignRegistry(seed, true);
    const token = `t-${seed}`;
    const calls = await trueCalls(registry.url, token);
    const trust = { calibration: numbers, sampleEvery: 7 };
    const client = createEngineClient({ baseUrl: registry.url, token, share: false, trust });
    for (let repeat = 0; repeat < 3; repeat++) {
      const crowd = shuffled(chanceOf(repeat), [...calls, ...calls, ...calls]);
      const answers = await Promise.all(crowd.map(async ([, call]) => (await call(client)).json));
      expect(answers).toEqual(crowd.map(([, , truth]) => truth));
    }
  }
});

test("a client without calibration is right against any numbering, too, and asks once per call in the long run", async () => {
  await using registry = await startForeignRegistry(7, true);
  const calls = await trueCalls(registry.url, "t-7");
  const client = createEngineClient({ baseUrl: registry.url, token: "t-7" });
  for (let repeat = 0; repeat < 3; repeat++) expect((await round(client, calls, chanceOf(repeat))).wrong).toEqual([]);
  registry.requests.length = 0;
  expect((await round(client, calls, chanceOf(9))).wrong).toEqual([]);
  expect(registry.requests.length).toBeLessThan(calls.length * 1.3);
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
  const users = [{ name: "alice", token, engines: randomEngines(chanceOf(5), true) }];
  await using registry = await startRegistry({ users, schemaDigest: false, fieldNumbers: strangeNumbers });
  const baseUrl = servers.urlBy(way, token, registry);
  const calls = await trueCalls(registry.url, token);
  // With calibration, its numbers are worked out like any others: protobuf, one request per call, nothing left unknown.
  const unknown: Array<EngineEvent> = [];
  const calibrated = createEngineClient({
    baseUrl,
    token,
    trust: { calibration: calibration() },
    onEvent: (event) => event.type === "unknown-fields" && unknown.push(event),
  });
  for (let repeat = 0; repeat < 2; repeat++) {
    expect((await round(calibrated, calls, chanceOf(repeat))).wrong).toEqual([]);
  }
  const all = { wrong: [], protobuf: calls.length, regained: calls.length, requests: calls.length };
  expect(await round(calibrated, calls, chanceOf(2))).toEqual(all);
  expect(unknown).toEqual([]);
  // Without, they are only unknown fields, and the JSON is the answer for good.
  const plain = createEngineClient({ baseUrl, token });
  for (let repeat = 0; repeat < 3; repeat++) {
    expect(await round(plain, calls, chanceOf(repeat))).toMatchObject({ wrong: [], protobuf: 0 });
  }
});
