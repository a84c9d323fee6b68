// Field numbers that are not ours, end to end: client against registry, and client through the worker against registry.
import type { DescMessage } from "@bufbuild/protobuf";
import { createEngineClient, type EngineEvent, type PromiseEngineClient } from "@bytenite-engines/core/promise";
import { calibration, type Calibration } from "@bytenite-engines/core/trust";
import { encodeJson, endpoints, type EndpointName } from "@bytenite-engines/core/wire";
import {
  startRegistry,
  type EngineInit,
  type FieldNumbers,
  type TestRegistry,
} from "@bytenite-engines/registry/testing";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { startFront, type Front, type Routed } from "../src/Front.ts";
import { chanceOf, contractMessages, randomEngines, randomNumbers, shuffled, type Chance } from "../src/Numberings.ts";
import { startProxy, type RunningProxy } from "../src/World.ts";

/** Random numberings per door; TRUST_NUMBERINGS tries more. */
const numberings = Number(process.env["TRUST_NUMBERINGS"] ?? 12);

vi.setConfig({ testTimeout: 30_000 + numberings * 5_000 });

/** Each random server has a token of its own, by which the front finds it behind the one worker. */
const servers = new Map<string, TestRegistry>();
let front: Front;
let proxy: RunningProxy;

beforeAll(async () => {
  front = await startFront(({ token }): Routed => ({ baseUrl: servers.get(token)?.url ?? "" }));
  proxy = await startProxy(front.url);
});
afterAll(async () => {
  await proxy?.stop();
  await front?.stop();
});

const startForeign = (seed: number, isFull: boolean): Promise<TestRegistry> => {
  const chance = chanceOf(seed);
  return startRegistry({
    fieldNumbers: randomNumbers(chance),
    schemaDigest: false,
    users: [{ name: "alice", token: `t-${seed}`, engines: randomEngines(chance, isFull) }],
  });
};

/** A call, its name for messages, and what it answered. */
interface Called {
  readonly json: string;
  readonly format: string;
  readonly attempts: number;
}
type Call = readonly [name: string, call: (client: PromiseEngineClient) => Promise<Called>];

const called = (
  endpoint: EndpointName,
  { data, format, attempts }: { data: unknown; format: string; attempts: number },
): Called => ({
  json: JSON.stringify(encodeJson(endpoints[endpoint].response as DescMessage, data as never)),
  format,
  attempts,
});

const callsFor = (tags: ReadonlyArray<string>): ReadonlyArray<Call> => [
  ...[0, 2, 4].map((offset): Call => [
    `list from ${offset}`,
    async (client) => called("list", await client.withResponse.list({ limit: 2, offset })),
  ]),
  ...tags.flatMap((tag): ReadonlyArray<Call> => [
    [`get ${tag}`, async (client) => called("get", await client.withResponse.get(tag))],
    [`status ${tag}`, async (client) => called("status", await client.withResponse.status(tag))],
  ]),
];

const tagsOf = async (client: PromiseEngineClient): Promise<ReadonlyArray<string>> => {
  const tags: Array<string> = [];
  for await (const { name, version } of client.listAll()) tags.push(`${name}@${version}`);
  return tags;
};

/** All calls in a random order, each held against the JSON; how many came as protobuf, and the requests it took. */
const round = async (
  client: PromiseEngineClient,
  truth: ReadonlyMap<string, string>,
  calls: ReadonlyArray<Call>,
  chance: Chance,
) => {
  let protobuf = 0;
  let requests = 0;
  for (const [name, call] of shuffled(chance, calls)) {
    const { json, format, attempts } = await call(client);
    expect([name, json]).toEqual([name, truth.get(name)]);
    if (format === "protobuf") protobuf += 1;
    requests += attempts;
  }
  return { protobuf, requests };
};

const doors: ReadonlyArray<readonly [string, (registry: TestRegistry) => string]> = [
  ["against the registry", (registry: TestRegistry) => registry.url],
  ["through the worker", () => proxy.url],
];

test.for(doors)(
  "no value is wrong for any of many numberings, and protobuf is regained (%s)",
  async ([door, urlOf]) => {
    const sum = { calls: 0, first: 0, protobuf: 0, requests: 0 };
    for (let seed = 1; seed <= numberings; seed++) {
      const isFull = seed % 3 !== 0;
      const chance = chanceOf(seed * 1000);
      await using registry = await startForeign(seed, isFull);
      const token = `t-${seed}`;
      servers.set(token, registry);
      const truthful = createEngineClient({ baseUrl: registry.url, token, format: "json" });
      const calls = callsFor(await tagsOf(truthful));
      const truth = new Map<string, string>();
      for (const [name, call] of calls) truth.set(name, (await call(truthful)).json);
      const client = createEngineClient({ baseUrl: urlOf(registry), token, trust: { calibration: calibration() } });
      const first = await round(client, truth, calls, chance);
      await round(client, truth, calls, chance);
      const last = await round(client, truth, calls, chance);
      // With one engine that has everything, everything is known by now: one request per call, all protobuf.
      const all = { protobuf: calls.length, requests: calls.length };
      expect([seed, isFull ? last : all]).toEqual([seed, all]);
      sum.calls += calls.length;
      sum.first += first.requests;
      sum.protobuf += last.protobuf;
      sum.requests += last.requests;
      servers.delete(token);
    }
    console.info(
      `${numberings} numberings ${door}: ${sum.calls} calls took ${sum.first} requests in the first round and ` +
        `${sum.requests} in the third, ${sum.protobuf} of which came as protobuf`,
    );
    expect(sum.requests).toBeLessThan(sum.calls * 1.1);
  },
);

test("a client without calibration is right against any numbering, too, and asks once per call in the long run", async () => {
  await using registry = await startForeign(7, true);
  const truthful = createEngineClient({ baseUrl: registry.url, token: "t-7", format: "json" });
  const calls = callsFor(await tagsOf(truthful));
  const truth = new Map<string, string>();
  for (const [name, call] of calls) truth.set(name, (await call(truthful)).json);
  const client = createEngineClient({ baseUrl: registry.url, token: "t-7" });
  for (let repeat = 0; repeat < 3; repeat++) await round(client, truth, calls, chanceOf(repeat));
  registry.requests.length = 0;
  await round(client, truth, calls, chanceOf(9));
  expect(registry.requests.length).toBeLessThan(calls.length * 1.3);
});

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

/** Every number of every message is one that our contract does not have. */
const strangeNumbers: FieldNumbers = Object.fromEntries(
  contractMessages.map(({ typeName, fields }) => [
    typeName,
    Object.fromEntries(fields.map(({ name, number }) => [name, number + 1000])),
  ]),
);

test.for(doors)("protobuf with every field as an unknown one is never handed out empty (%s)", async ([, urlOf]) => {
  const users = [{ name: "alice", token: "t-strange", engines: randomEngines(chanceOf(5), true) }];
  await using registry = await startRegistry({ users, schemaDigest: false, fieldNumbers: strangeNumbers });
  servers.set("t-strange", registry);
  const baseUrl = urlOf(registry);
  const truthful = createEngineClient({ baseUrl: registry.url, token: "t-strange", format: "json" });
  const calls = callsFor(await tagsOf(truthful));
  const truth = new Map<string, string>();
  for (const [name, call] of calls) truth.set(name, (await call(truthful)).json);
  // With calibration, its numbers are worked out like any others: protobuf, one request per call, nothing left unknown.
  const unknown: Array<EngineEvent> = [];
  const calibrated = createEngineClient({
    baseUrl,
    token: "t-strange",
    trust: { calibration: calibration() },
    onEvent: (event) => event.type === "unknown-fields" && unknown.push(event),
  });
  for (let repeat = 0; repeat < 2; repeat++) await round(calibrated, truth, calls, chanceOf(repeat));
  const { protobuf, requests } = await round(calibrated, truth, calls, chanceOf(2));
  expect({ protobuf, requests }).toEqual({ protobuf: calls.length, requests: calls.length });
  expect(unknown).toEqual([]);
  // Without, they are only unknown fields, and the JSON is the answer for good.
  const plain = createEngineClient({ baseUrl, token: "t-strange" });
  for (let repeat = 0; repeat < 3; repeat++) {
    expect((await round(plain, truth, calls, chanceOf(repeat))).protobuf).toBe(0);
  }
  servers.delete("t-strange");
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
