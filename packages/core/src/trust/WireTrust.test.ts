// Trust as a client uses it, against servers of all numberings. More than 200 lines: they share those servers.
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FieldDescriptorProto_Type } from "@bufbuild/protobuf/wkt";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { foreignServer } from "../../test/trust/ForeignServer.ts";
import { origin, readOnce } from "../../test/trust/Reading.ts";
import { schemaDigests } from "../gen/schemaDigests.ts";
import { calibration } from "./Calibration.ts";
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

test("a pair that did not fit keeps later answers from being believed until one fits", () => {
  const trust = makeTrust({ sampleEvery: 3 });
  const answer = { digest: schemaDigests[EngineSchema.typeName] ?? "", bytes: ours.protobuf(EngineSchema, zipper) };
  expect(trust.decide(origin, EngineSchema, answer).kind).toBe("believed");
  expect(trust.witness(origin, EngineSchema, { ...answer, json: engine({ name: "other" }) }).fits).toBe(false);
  expect(trust.decide(origin, EngineSchema, answer)).toMatchObject({ kind: "witness", reason: "doubted" });
  expect(trust.witness(origin, EngineSchema, { ...answer, json: zipper }).fits).toBe(true);
  expect(trust.decide(origin, EngineSchema, answer).kind).toBe("believed");
});

test("a resource that changes all the time is never blamed", async () => {
  const trust = makeTrust({ sampleEvery: 1 });
  const digest = schemaDigests[EngineSchema.typeName] ?? "";
  const news: Array<TrustNews> = [];
  let revision = 0;
  for (let call = 0; call < 5; call++) {
    const { message } = await readTrusted({
      trust,
      origin,
      schema: EngineSchema,
      prefers: "auto",
      onNews: (item) => news.push(item),
      ask: (format): Promise<FormedAnswer<typeof EngineSchema>> => {
        revision += 1;
        const now = engine({ ...zipper, revision });
        return Promise.resolve(
          format === "json" ? { format, message: now } : { format, digest, bytes: ours.protobuf(EngineSchema, now) },
        );
      },
    });
    expect(message.name).toBe("zipper");
  }
  expect(news).toEqual([]);
});

test("what a cache holds on to is read past it before anybody is blamed", async () => {
  const trust = makeTrust({ sampleEvery: 1 });
  const digest = schemaDigests[EngineSchema.typeName] ?? "";
  const news: Array<TrustNews> = [];
  const asked: Array<string> = [];
  const old = engine({ ...zipper, revision: 2 });
  const { message } = await readTrusted({
    trust,
    origin,
    schema: EngineSchema,
    prefers: "auto",
    onNews: (item) => news.push(item),
    ask: (format, fresh): Promise<FormedAnswer<typeof EngineSchema>> => {
      asked.push(`${format}${fresh ? ", fresh" : ""}`);
      // Only the JSON is held, and it is the old one.
      return Promise.resolve(
        format === "json"
          ? { format, message: fresh ? zipper : old }
          : { format, digest, bytes: ours.protobuf(EngineSchema, zipper) },
      );
    },
  });
  expect(message).toEqual(old);
  expect(asked).toEqual(["protobuf", "json", "protobuf, fresh", "json, fresh"]);
  expect(news).toEqual([]);
  expect(trust.asks(origin, EngineSchema)).toBe("protobuf");
});

test("two messages inside one another's place, with the same values under other numbers, are not taken for each other", async () => {
  const crossed = foreignServer({
    "bytenite.engine.Engine": { platform_config: 17, device_requirements: 16 },
    "bytenite.common.PlatformConfig": { container: 3, username: 1 },
    "bytenite.common.DeviceRequirements": { gpu: 1, min_cpu: 3 },
  });
  const trust = makeTrust();
  const twin = engine({ name: "twin", platformConfig: { container: "x" }, deviceRequirements: { gpu: ["x"] } });
  const other = engine({ name: "other", platformConfig: { container: "python" }, deviceRequirements: { gpu: ["t4"] } });
  for (const sent of [twin, other, twin, other]) {
    expect((await readOnce(trust, EngineSchema, crossed, sent, { prefers: "protobuf" })).message).toEqual(sent);
  }
});

const hiding = (value: number) =>
  foreignServer(
    { "bytenite.engine.Engine": { revision: 30 } },
    {
      "bytenite.engine.Engine": [
        { no: 11, wireType: WireType.Varint, data: new BinaryWriter().uint32(value).finish() },
      ],
    },
    { "bytenite.engine.Engine": { revision: FieldDescriptorProto_Type.SINT32 } },
  );

test("a number of ours that a field of the server's own has is not confirmed beside an unknown one", async () => {
  const trust = makeTrust();
  const revised = engine({ name: "a", revision: 2 });
  const bare = engine({ name: "b" });
  await readOnce(trust, EngineSchema, hiding(2), revised, { prefers: "protobuf" });
  expect((await readOnce(trust, EngineSchema, hiding(7), bare, { prefers: "protobuf" })).message).toEqual(bare);
});

test.for([undefined, calibration()])("a page of 10,000 engines is witnessed in bounded work", async (account) => {
  const many = create(EngineListResponseSchema, {
    engines: Array.from({ length: 10_000 }, (_, index) => engine({ ...zipper, name: `engine-${index}` })),
    pagination: { total: 20_000, offset: 7, hasNext: true },
  });
  const trust = makeTrust({ calibration: account });
  await readOnce(trust, EngineListResponseSchema, ours, many);
  expect((await readOnce(trust, EngineListResponseSchema, ours, many)).message).toEqual(many);
});

test("an answer of more different numbers than any message has is not worked out", async () => {
  const numbers = Array.from({ length: 1000 }, (_, index) => ({
    no: index + 100,
    wireType: WireType.Varint,
    data: new Uint8Array([1]),
  }));
  const account = calibration();
  const server = foreignServer({}, { "bytenite.engine.Engine": numbers });
  expect((await readOnce(makeTrust({ calibration: account }), EngineSchema, server, zipper)).message).toEqual(zipper);
  expect(account.profile(origin).messages).toEqual({});
});

test("a number that is always written out as zero, and could be any unseen field's, costs less and less", async () => {
  const server = foreignServer(
    {},
    { "bytenite.engine.Engine": [{ no: 18, wireType: WireType.Varint, data: new Uint8Array([0]) }] },
  );
  const trust = makeTrust({ calibration: calibration() });
  let requests = 0;
  for (let call = 0; call < 100; call++) {
    const { message, asked } = await readOnce(trust, EngineSchema, server, zipper);
    expect(message).toEqual(zipper);
    requests += asked.length;
  }
  expect(requests).toBeLessThan(115);
});
