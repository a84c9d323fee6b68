import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { foreignServer } from "../../test/trust/ForeignServer.ts";
import { origin, readOnce } from "../../test/trust/Reading.ts";
import { schemaDigests } from "../gen/schemaDigests.ts";
import { readTrusted, type FormedAnswer } from "./TrustedAnswer.ts";
import type { TrustNews } from "./Verdict.ts";
import { makeTrust } from "./WireTrust.ts";

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

const engine = (init: MessageInitShape<typeof EngineSchema>) => create(EngineSchema, init);

test("our digest is believed at once", async () => {
  const digest = schemaDigests[EngineSchema.typeName] ?? "";
  const { message, asked } = await readOnce(makeTrust(), EngineSchema, ours, zipper, { digest });
  expect(asked).toEqual(["protobuf"]);
  expect(message).toEqual(zipper);
});

test("without a digest the JSON is handed out once, and protobuf from then on", async () => {
  const trust = makeTrust();
  const first = await readOnce(trust, EngineSchema, ours, zipper);
  expect(first.asked).toEqual(["protobuf", "json"]);
  expect(first.news.map(({ type }) => type)).toContain("trust");
  const second = await readOnce(trust, EngineSchema, ours, zipper);
  expect(second.asked).toEqual(["protobuf"]);
  expect(second.message).toEqual(zipper);
});

test("a field that was never witnessed is witnessed when it comes", async () => {
  const trust = makeTrust();
  await readOnce(trust, EngineSchema, ours, zipper);
  const withOwner = engine({ ...zipper, owner: "alice" });
  expect((await readOnce(trust, EngineSchema, ours, withOwner)).asked).toEqual(["protobuf", "json"]);
  expect((await readOnce(trust, EngineSchema, ours, withOwner)).asked).toEqual(["protobuf"]);
});

test("two fields that were equal whenever they were seen stay unconfirmed", async () => {
  const trust = makeTrust();
  const same = engine({ ...zipper, description: "zipper" });
  await readOnce(trust, EngineSchema, swapped, same);
  // The server's numbers of the two are swapped; a value under the wrong name would show here.
  const { message } = await readOnce(trust, EngineSchema, swapped, zipper);
  expect(message).toEqual(zipper);
});

test("another numbering is answered from JSON, with one request in the long run", async () => {
  const trust = makeTrust();
  let requests = 0;
  for (let call = 0; call < 100; call++) {
    const { message, asked } = await readOnce(trust, EngineSchema, swapped, zipper);
    expect(message).toEqual(zipper);
    requests += asked.length;
  }
  expect(requests).toBeLessThan(130);
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
    news.push(...(await readOnce(trust, EngineSchema, swapped, zipper, { digest })).news);
  expect(news.filter(({ type }) => type === "drift")).toHaveLength(1);
  for (let call = 0; call < 30; call++) {
    const { message } = await readOnce(trust, EngineSchema, swapped, zipper, { digest });
    expect(message).toEqual(zipper);
  }
});

test("a server that sends our digest and speaks our numbers is never blamed by a sample", async () => {
  const trust = makeTrust({ sampleEvery: 2 });
  const digest = schemaDigests[EngineSchema.typeName] ?? "";
  for (let call = 0; call < 10; call++) {
    const { message, asked, news } = await readOnce(trust, EngineSchema, ours, zipper, { digest });
    expect(message).toEqual(zipper);
    expect(news).toEqual([]);
    expect(asked.length).toBe(call % 2 === 0 ? 1 : 2);
  }
});
