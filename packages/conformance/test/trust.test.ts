// Field numbers that are not ours, end to end: client against registry, and client through the worker against registry.
import { createEngineClient, type EngineEvent } from "@bytenite-engines/core/promise";
import { calibration } from "@bytenite-engines/core/trust";
import { startRegistry, type FieldNumbers } from "@bytenite-engines/registry/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startForeignRegistry, startForeignServers, ways, type ForeignServers } from "../src/ForeignServers.ts";
import { chanceOf, contractMessages, randomEngines } from "../src/Numberings.ts";
import { round, trueCalls } from "../src/Round.ts";

/** Random numberings for each way; TRUST_NUMBERINGS tries more. */
const numberings = Number(process.env["TRUST_NUMBERINGS"] ?? 12);

vi.setConfig({ testTimeout: 30_000 + numberings * 5_000 });

let servers: ForeignServers;

beforeAll(async () => {
  servers = await startForeignServers();
});
afterAll(() => servers?.stop());

test.for(ways)("no value is wrong for any of many numberings, and protobuf is regained (%s)", async (way) => {
  const sum = { calls: 0, first: 0, protobuf: 0, requests: 0 };
  for (let seed = 1; seed <= numberings; seed++) {
    const isFull = seed % 3 !== 0;
    const chance = chanceOf(seed * 1000);
    await using registry = await startForeignRegistry(seed, isFull);
    const token = `t-${seed}`;
    const calls = await trueCalls(registry.url, token);
    const baseUrl = servers.urlBy(way, token, registry);
    const client = createEngineClient({ baseUrl, token, trust: { calibration: calibration() } });
    const first = await round(client, calls, chance);
    const second = await round(client, calls, chance);
    const last = await round(client, calls, chance);
    expect([seed, ...first.wrong, ...second.wrong, ...last.wrong]).toEqual([seed]);
    // With one engine that has everything, everything is known by now: one request per call, all protobuf.
    const all = { wrong: [], protobuf: calls.length, requests: calls.length };
    expect([seed, isFull ? last : all]).toEqual([seed, all]);
    sum.calls += calls.length;
    sum.first += first.requests;
    sum.protobuf += last.protobuf;
    sum.requests += last.requests;
  }
  console.info(
    `${numberings} numberings ${way}: ${sum.calls} calls took ${sum.first} requests in the first round and ` +
      `${sum.requests} in the third, ${sum.protobuf} of which came as protobuf`,
  );
  expect(sum.requests).toBeLessThan(sum.calls * 1.1);
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
  const all = { wrong: [], protobuf: calls.length, requests: calls.length };
  expect(await round(calibrated, calls, chanceOf(2))).toEqual(all);
  expect(unknown).toEqual([]);
  // Without, they are only unknown fields, and the JSON is the answer for good.
  const plain = createEngineClient({ baseUrl, token });
  for (let repeat = 0; repeat < 3; repeat++) {
    expect(await round(plain, calls, chanceOf(repeat))).toMatchObject({ wrong: [], protobuf: 0 });
  }
});
