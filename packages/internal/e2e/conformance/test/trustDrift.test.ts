// Servers that change or lie: field numbers that move between two calls, a digest header that is not true, replicas that differ.
import { createEngineClient, type EngineEvent } from "@bytenite-engines/core/promise";
import { calibration, type Calibration } from "@bytenite-engines/core/trust";
import { startRegistry, type EngineInit, type FieldNumbers } from "@bytenite-engines/registry/testing";
import { expect, test } from "vitest";
import { startFront, type Front } from "../src/Front.ts";
import { chanceOf, randomEngines } from "../src/Numberings.ts";
import { startProxy, type RunningProxy } from "@bytenite-engines/test-kit";

/** Two servers with the same engines, one with our numbers and one with two of them swapped. */
const swappedNumbers: FieldNumbers = { "bytenite.engine.Engine": { name: 10, entrypoint: 2 } };
const startPair = async () => {
  const users = [{ name: "alice", token: "t", engines: randomEngines(chanceOf(3), true) }];
  const [ours, swapped] = await Promise.all([
    startRegistry({ users, schemaDigest: false }),
    startRegistry({ users, schemaDigest: false, fieldNumbers: swappedNumbers }),
  ]);
  return { ours, swapped, stop: () => Promise.all([ours.stop(), swapped.stop()]) };
};

const clientOf = (url: string, sampleEvery: number, account: Calibration = calibration()) => {
  const events: Array<EngineEvent> = [];
  const client = createEngineClient({
    baseUrl: url,
    token: "t",
    trust: { calibration: account, sampleEvery },
    onEvent: (event) => events.push(event),
  });
  return { client, drifts: () => events.filter(({ type }) => type === "drift").length };
};

test("a schema that changes between two calls is noticed: event, JSON, and protobuf again", async () => {
  const { ours, swapped, stop } = await startPair();
  let current = ours;
  const front = await startFront(() => ({ baseUrl: current.url }));
  const { client, drifts } = clientOf(front.url, 500);
  for (let call = 0; call < 3; call++) expect((await client.get("full@3.7")).name).toBe("full");
  current = swapped;
  // What the client has read before tells it at once that the texts have moved.
  for (let call = 0; call < 30; call++) expect((await client.get("full@3.7")).name).toBe("full");
  expect(drifts()).toBe(1);
  expect((await client.withResponse.get("full@3.7")).format).toBe("protobuf");
  await Promise.all([front.stop(), stop()]);
});

/** Where a client meets a front: itself, or a worker before it. */
const places: ReadonlyArray<readonly [string, (front: Front) => Promise<RunningProxy>]> = [
  ["directly", ({ url }) => Promise.resolve({ url, stop: () => Promise.resolve() })],
  ["through the worker", ({ url }) => startProxy(url)],
];

test.for(places)(
  "a schema that changes and shows nothing that was read before is noticed by a sample (%s)",
  async ([, meet]) => {
    const { ours, swapped, stop } = await startPair();
    for (const registry of [ours, swapped]) {
      await registry.publish("alice", { name: "later", version: "9.9", entrypoint: "later.py" });
    }
    let current = ours;
    const front = await startFront(() => ({ baseUrl: current.url }));
    const met = await meet(front);
    const { client, drifts } = clientOf(met.url, 5);
    for (let call = 0; call < 3; call++) expect((await client.get("full@3.7")).name).toBe("full");
    current = swapped;
    let wrong = 0;
    for (let call = 1; call <= 30; call++) if ((await client.get("later@9.9")).name !== "later") wrong = call;
    expect(wrong).toBeLessThan(5);
    expect(drifts()).toBe(1);
    await met.stop();
    await Promise.all([front.stop(), stop()]);
  },
);

test("numbers swapped between two fields with equal values are told apart only when the values differ", async () => {
  const { ours, swapped, stop } = await startPair();
  for (const registry of [ours, swapped]) {
    await registry.publish("alice", { name: "same", version: "1.0", entrypoint: "same", status: "active" });
    const { client, drifts } = clientOf(registry.url, 500);
    for (let call = 0; call < 3; call++) {
      const { data, format } = await client.withResponse.get("same@1.0");
      expect([data.name, data.entrypoint, format]).toEqual(["same", "same", "json"]);
    }
    for (const format of ["json", "protobuf"]) {
      const answer = await client.withResponse.get("full@3.7");
      expect([answer.data.name, answer.data.entrypoint, answer.format]).toEqual(["full", "start.py", format]);
    }
    expect((await client.withResponse.get("same@1.0")).format).toBe("protobuf");
    expect(drifts()).toBe(0);
  }
  await stop();
});

test.for(places)("a digest header that lies is caught by a sample (%s)", async ([, meet]) => {
  const { swapped, stop } = await startPair();
  const digests = await startRegistry({
    users: [{ name: "alice", token: "t", engines: randomEngines(chanceOf(3), true) }],
  });
  const honest = await fetch(`${digests.url}/engines/full@3.7`, {
    headers: { authorization: "t", accept: "application/x-protobuf" },
  });
  const digest = honest.headers.get("bytenite-schema-digest") ?? "";
  const front = await startFront(({ accept }) => ({
    baseUrl: swapped.url,
    headers: accept.includes("protobuf") ? { "bytenite-schema-digest": digest } : {},
  }));
  const met = await meet(front);
  const { client, drifts } = clientOf(met.url, 10);
  let wrong = 0;
  for (let call = 1; call <= 40; call++) if ((await client.get("full@3.7")).name !== "full") wrong = call;
  expect(wrong).toBe(9);
  expect(drifts()).toBe(1);
  expect((await client.withResponse.get("full@3.7")).format).toBe("protobuf");
  await met.stop();
  await Promise.all([front.stop(), stop(), digests.stop()]);
});

const described = (engine: EngineInit): EngineInit => Object.assign({}, engine, { description: "other" });

test("replicas with other data for each form are answered in JSON, and teach nothing", async () => {
  const { ours, stop } = await startPair();
  const other = await startRegistry({
    users: [
      {
        name: "alice",
        token: "t",
        engines: randomEngines(chanceOf(4), true).map(described),
      },
    ],
  });
  const front = await startFront(({ accept }) => ({ baseUrl: accept.includes("json") ? other.url : ours.url }));
  const account = calibration();
  const { client, drifts } = clientOf(front.url, 500, account);
  for (let call = 0; call < 10; call++) expect((await client.get("full@3.7")).description).toBe("other");
  expect(drifts()).toBe(0);
  expect(Object.keys(account.profile(new URL(front.url).origin).messages)).toEqual([]);
  await Promise.all([front.stop(), stop(), other.stop()]);
});

test.for([503, 406, 403])(
  "a JSON witness that is refused with %s is the call's failure, and nothing unconfirmed is handed out",
  async (status) => {
    const { swapped, stop } = await startPair();
    const front = await startFront(({ accept }) => ({
      baseUrl: swapped.url,
      ...(accept.includes("json") ? { status } : {}),
    }));
    const client = createEngineClient({
      baseUrl: front.url,
      token: "t",
      retry: { baseDelayMs: 1, maxAttempts: 2 },
      trust: { calibration: calibration() },
    });
    await expect(client.get("full@3.7")).rejects.toMatchObject({ status });
    await Promise.all([front.stop(), stop()]);
  },
);
