import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { foreignServer, type ForeignServer } from "../../test/trust/ForeignServer.ts";
import { schemaDigests } from "../gen/schemaDigests.ts";
import { readTrusted, type FormedAnswer } from "./TrustedAnswer.ts";
import type { Trust, TrustNews } from "./Verdict.ts";
import { makeTrust } from "./WireTrust.ts";

const origin = "https://engines.example";
const ours = foreignServer({});
const swapped = foreignServer({ "bytenite.engine.Engine": { name: 7, description: 2 } });

const zipper = create(EngineSchema, {
  id: "018f2e9c-8f3a-7cc1-b5a8-1f0d8a5d2a11",
  name: "zipper",
  version: "0.1",
  description: "Zips what comes",
  revision: 3,
  createdAt: { seconds: 1_700_000_000n, nanos: 1 },
  updatedAt: { seconds: 1_700_000_100n },
  platformConfig: { container: "python:latest", privateImage: true },
  deviceRequirements: { minCpu: 2, minMemory: 4, gpu: ["tesla t4"] },
});

/** Reads once, and tells which forms were asked for. */
const reading = async <D extends DescMessage>(
  trust: Trust,
  schema: D,
  server: ForeignServer,
  message: MessageShape<D>,
  { digest = null, json = message }: { digest?: string | null; json?: MessageShape<D> } = {},
) => {
  const asked: Array<string> = [];
  const news: Array<TrustNews> = [];
  const { message: read } = await readTrusted({
    trust,
    origin,
    schema,
    prefers: "auto",
    onNews: (item) => news.push(item),
    ask: (format): Promise<FormedAnswer<D>> => {
      asked.push(format);
      return Promise.resolve(
        format === "json"
          ? { format, message: server.json(schema, json) }
          : { format, digest, bytes: server.protobuf(schema, message) },
      );
    },
  });
  return { read, asked, news };
};

const engine = (init: MessageInitShape<typeof EngineSchema>) => create(EngineSchema, init);

test("our digest is believed at once", async () => {
  const digest = schemaDigests[EngineSchema.typeName] ?? "";
  const { read, asked } = await reading(makeTrust(), EngineSchema, ours, zipper, { digest });
  expect(asked).toEqual(["protobuf"]);
  expect(read).toEqual(zipper);
});

test("without a digest the JSON is handed out once, and protobuf from then on", async () => {
  const trust = makeTrust();
  const first = await reading(trust, EngineSchema, ours, zipper);
  expect(first.asked).toEqual(["protobuf", "json"]);
  expect(first.news.map(({ type }) => type)).toContain("trust");
  const second = await reading(trust, EngineSchema, ours, zipper);
  expect(second.asked).toEqual(["protobuf"]);
  expect(second.read).toEqual(zipper);
});

test("a field that was never witnessed is witnessed when it comes", async () => {
  const trust = makeTrust();
  await reading(trust, EngineSchema, ours, zipper);
  const withOwner = engine({ ...zipper, owner: "alice" });
  expect((await reading(trust, EngineSchema, ours, withOwner)).asked).toEqual(["protobuf", "json"]);
  expect((await reading(trust, EngineSchema, ours, withOwner)).asked).toEqual(["protobuf"]);
});

test("two fields that were equal whenever they were seen stay unconfirmed", async () => {
  const trust = makeTrust();
  const same = engine({ ...zipper, description: "zipper" });
  await reading(trust, EngineSchema, swapped, same);
  // The server's numbers of the two are swapped; a value under the wrong name would show here.
  const { read } = await reading(trust, EngineSchema, swapped, zipper);
  expect(read).toEqual(zipper);
});

test("another numbering is answered from JSON, with one request in the long run", async () => {
  const trust = makeTrust();
  let requests = 0;
  for (let call = 0; call < 100; call++) {
    const { read, asked } = await reading(trust, EngineSchema, swapped, zipper);
    expect(read).toEqual(zipper);
    requests += asked.length;
  }
  expect(requests).toBeLessThan(110);
});

test("a resource that changed between the two readings is read again, and nobody is blamed", async () => {
  const trust = makeTrust();
  const old = create(EngineMessageSchema, { engineId: "1", engineTag: "zipper@0.1", engineStatus: "inactive" });
  const now = create(EngineMessageSchema, { ...old, engineStatus: "active" });
  let protobufs = [old, now];
  const asked: Array<string> = [];
  const news: Array<TrustNews> = [];
  const read = () =>
    readTrusted({
      trust,
      origin,
      schema: EngineMessageSchema,
      prefers: "auto",
      onNews: (item) => news.push(item),
      ask: (format): Promise<FormedAnswer<typeof EngineMessageSchema>> => {
        asked.push(format);
        if (format === "json") return Promise.resolve({ format, message: now });
        const [next = now, ...rest] = protobufs;
        protobufs = rest;
        return Promise.resolve({ format, digest: null, bytes: ours.protobuf(EngineMessageSchema, next) });
      },
    });
  expect((await read()).message).toEqual(now);
  expect(asked).toEqual(["protobuf", "json", "protobuf"]);
  expect(news.every(({ type }) => type === "trust")).toBe(true);
  expect((await read()).message).toEqual(now);
  expect(asked).toHaveLength(4);
});

test("a digest header that lies is caught by sampling, and not read any more", async () => {
  const trust = makeTrust({ sampleEvery: 10 });
  const digest = schemaDigests[EngineSchema.typeName] ?? "";
  const news: Array<TrustNews> = [];
  for (let call = 0; call < 10; call++)
    news.push(...(await reading(trust, EngineSchema, swapped, zipper, { digest })).news);
  expect(news.filter(({ type }) => type === "drift")).toHaveLength(1);
  for (let call = 0; call < 30; call++) {
    const { read } = await reading(trust, EngineSchema, swapped, zipper, { digest });
    expect(read).toEqual(zipper);
  }
});

test("a server that sends our digest and speaks our numbers is never blamed by a sample", async () => {
  const trust = makeTrust({ sampleEvery: 2 });
  const digest = schemaDigests[EngineSchema.typeName] ?? "";
  for (let call = 0; call < 10; call++) {
    const { read, asked, news } = await reading(trust, EngineSchema, ours, zipper, { digest });
    expect(read).toEqual(zipper);
    expect(news).toEqual([]);
    expect(asked.length).toBe(call % 2 === 0 ? 1 : 2);
  }
});
