// Changing field numbers, false digests, replicas that differ.
import { createEngineClient, type EngineEvent, type VerificationOptions } from "@bytenite-engines/core/promise";
import { startRegistry, type EngineInit, type FieldNumbers } from "@bytenite-engines/registry/testing";
import { startProxy, type RunningProxy } from "@bytenite-engines/test-kit";
import { seeded } from "@bytenite-engines/test-kit/random";
import { expect, test } from "vitest";
import { startFront } from "../src/ForeignServers.ts";
import { randomEngines } from "../src/Numberings.ts";

/** Two servers with the same engines, one with our numbers and one with two of them in other places. */
const startPair = async (numbers: Readonly<Record<string, number>>) => {
  const users = [{ name: "alice", token: "t", engines: randomEngines(seeded(3), true) }];
  const fieldNumbers: FieldNumbers = { "bytenite.engine.Engine": numbers };
  const [ours, other] = await Promise.all([
    startRegistry({ users, schemaDigest: false }),
    startRegistry({ users, schemaDigest: false, fieldNumbers }),
  ]);
  return { ours, other, stop: () => Promise.all([ours.stop(), other.stop()]) };
};

const swapped = { name: 10, entrypoint: 2 };
const moved = { name: 50 };

const clientOf = (url: string, protobufVerification: VerificationOptions = {}) => {
  const events: Array<EngineEvent> = [];
  const client = createEngineClient({
    baseUrl: url,
    token: "t",
    protobufVerification,
    onEvent: (event) => events.push(event),
  });
  return { client, drifts: () => events.filter(({ type }) => type === "drift").length };
};

/** Address for clients: the front itself, or a worker in front of it. */
const places: ReadonlyArray<readonly [string, (front: RunningProxy) => Promise<RunningProxy>]> = [
  ["directly", ({ url }) => Promise.resolve({ url, stop: () => Promise.resolve() })],
  ["through the worker", ({ url }) => startProxy(url)],
];

test.for(places)(
  "numbers that are swapped between two calls are noticed by a sample, and JSON is read (%s)",
  async ([, meet]) => {
    const { ours, other, stop } = await startPair(swapped);
    for (const registry of [ours, other]) {
      await registry.publish("alice", { name: "later", version: "9.9", entrypoint: "later.py" });
    }
    let current = ours;
    const front = await startFront(() => ({ baseUrl: current.url }));
    const met = await meet(front);
    const { client, drifts } = clientOf(met.url, { sampleEvery: 5, responsesPerExtraRequest: 1 });
    for (let call = 0; call < 3; call++) expect((await client.get("full@3.7")).name).toBe("full");
    expect((await client.withResponse.get("full@3.7")).format).toBe("protobuf");
    current = other;
    let wrong = 0;
    for (let call = 1; call <= 30; call++) if ((await client.get("later@9.9")).name !== "later") wrong = call;
    expect(wrong).toBeLessThan(5);
    expect(drifts()).toBe(1);
    await met.stop();
    await Promise.all([front.stop(), stop()]);
  },
);

test.for(places)(
  "a digest header that lies is caught before a value is wrong, where the bytes show it (%s)",
  async ([, meet]) => {
    const { other, stop } = await startPair(moved);
    const honest = await startRegistry({
      users: [{ name: "alice", token: "t", engines: randomEngines(seeded(3), true) }],
    });
    const answer = await fetch(`${honest.url}/engines/full@3.7`, {
      headers: { authorization: "t", accept: "application/x-protobuf" },
    });
    const digest = answer.headers.get("bytenite-schema-digest") ?? "";
    const front = await startFront(({ accept }) => ({
      baseUrl: other.url,
      headers: accept.includes("protobuf") ? { "bytenite-schema-digest": digest } : {},
    }));
    const met = await meet(front);
    const { client, drifts } = clientOf(met.url);
    for (let call = 1; call <= 10; call++) expect((await client.get("full@3.7")).name).toBe("full");
    expect(drifts()).toBe(1);
    await met.stop();
    await Promise.all([front.stop(), stop(), honest.stop()]);
  },
);

const described = (engine: EngineInit): EngineInit => Object.assign({}, engine, { description: "other" });

test("replicas with other data for each form are answered in JSON, and verify nothing", async () => {
  const { ours, stop } = await startPair(swapped);
  const other = await startRegistry({
    users: [{ name: "alice", token: "t", engines: randomEngines(seeded(4), true).map(described) }],
  });
  const front = await startFront(({ accept }) => ({ baseUrl: accept.includes("json") ? other.url : ours.url }));
  const { client, drifts } = clientOf(front.url, { responsesPerExtraRequest: 1 });
  for (let call = 0; call < 10; call++) {
    const { data, format } = await client.withResponse.get("full@3.7");
    expect([data.description, format]).toEqual(["other", "json"]);
  }
  expect(drifts()).toBe(0);
  await Promise.all([front.stop(), stop(), other.stop()]);
});

test.for([503, 406, 403])(
  "JSON that is refused with %s is the call's failure, and nothing unverified is handed out",
  async (status) => {
    const { other, stop } = await startPair(swapped);
    const front = await startFront(({ accept }) => ({
      baseUrl: other.url,
      ...(accept.includes("json") ? { status } : {}),
    }));
    const client = createEngineClient({
      baseUrl: front.url,
      token: "t",
      retry: { baseDelayMs: 1, maxAttempts: 2 },
    });
    await expect(client.get("full@3.7")).rejects.toMatchObject({ status });
    await Promise.all([front.stop(), stop()]);
  },
);
