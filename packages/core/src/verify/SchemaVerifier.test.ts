// Requests and results of verification, with real clients and servers.
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FieldDescriptorProto_Type as Type, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test, vi } from "vitest";
import { memoryServer } from "../MemoryServer.ts";
import { readMessage } from "../MessageReader.ts";
import { createEngineClient, type ClientOptions, type EngineEvent } from "../promise.ts";
import { schemaDigests } from "../gen/schemaDigests.ts";
import { defaultReadLimits, LimitExceeded } from "../ReadLimits.ts";
import { schemaDigest, schemaDigestHeader } from "../SchemaDigest.ts";
import { contractMessages, foreignServer, type ForeignServer } from "../../test/verify/ForeignServer.ts";
import { origin, readerOf, type Answering, type ReadOnce } from "../../test/verify/Reading.ts";
import { firstPage, page, plain, statuses, trainer, zipper } from "../../test/verify/Samples.ts";
import { FieldNumberInference, fieldNumbers, type Profile } from "../infer/index.ts";
import {
  defaultResponsesPerExtraRequest,
  SchemaVerifier,
  type OriginMemory,
  type OriginStatus,
  type VerificationOptions,
} from "./SchemaVerifier.ts";
import type { VerificationNews } from "./VerifiedFields.ts";

const engineType = EngineSchema.typeName;
const ours = foreignServer({});
const swapped = foreignServer({ [engineType]: { name: 7, description: 2 } });
const shifted = foreignServer(
  Object.fromEntries(
    contractMessages.map(({ typeName, fields }) => [
      typeName,
      Object.fromEntries(fields.map(({ name, number }) => [name, number + 1000])),
    ]),
  ),
);
const hidden = foreignServer(
  {},
  { [engineType]: [{ no: 77, wireType: WireType.LengthDelimited, data: new BinaryWriter().string("new").finish() }] },
);
const zigzag = foreignServer(
  { [engineType]: { revision: 18, is_public: 11 } },
  {},
  { [engineType]: { revision: Type.SINT32 } },
);

type Engine = MessageShape<typeof EngineSchema>;
const engine = (index: number, more: Partial<Engine> = {}): Engine =>
  create(EngineSchema, { ...zipper, id: `id-${index}`, name: `e${index}`, revision: 1, isPublic: true, ...more });

const [own, strange] = [ours, hidden].map((server) => server.protobuf(EngineSchema, zipper)) as [
  Uint8Array,
  Uint8Array,
];
const broken = Uint8Array.of(0xff);

/** The verifier of an origin, its events, and what it stored. */
const verifierOf = (options: VerificationOptions = {}, status?: OriginStatus) => {
  const stored: Array<OriginStatus | undefined> = [status];
  const memory: OriginMemory = { get: () => stored.at(-1), set: (_origin, next) => void stored.push(next) };
  const news: Array<VerificationNews> = [];
  const verifier = new SchemaVerifier({ responsesPerExtraRequest: 4, memory, ...options }).of(origin);
  const read = (bytes: Uint8Array, isNamed = false) =>
    verifier.read(EngineSchema, bytes, isNamed, defaultReadLimits, (each) => news.push(each), readMessage);
  const compare = (bytes: Uint8Array, json = zipper): void =>
    verifier.compare(EngineSchema, bytes, json, (each) => news.push(each));
  /** The formats of requests one after the other; `+`: may take a second request. */
  const chosen = (count: number, nowMs = 0): ReadonlyArray<string> =>
    Array.from({ length: count }, () => {
      const choice = verifier.choose(nowMs, "a");
      const text = `${choice.format}${choice.isProbe ? "+" : ""}`;
      if (choice.isProbe) verifier.spend(choice, true);
      return text;
    });
  return { verifier, stored, news, read, compare, chosen };
};

const profiled = (message: Engine | undefined, areOther = false): VerificationOptions => ({
  fieldNumbers: [{ origin, areOther, read: () => message as never }],
});

test("an additional request empties the credit, and each request adds one", () => {
  expect(verifierOf().chosen(6)).toEqual(["protobuf+", "json", "json", "json", "protobuf+", "json"]);
  const { verifier } = verifierOf();
  const first = verifier.choose(0, "a");
  expect(["a", "b", undefined].map((key) => verifier.choose(0, key).format)).toEqual(["protobuf", "json", "json"]);
  verifier.end({ format: "json", isProbe: false });
  expect(verifier.choose(0, "a")).toEqual({ format: "protobuf", isProbe: false });
  verifier.end(first);
  const second = verifier.choose(0, undefined);
  expect(second.isProbe).toBe(true);
  verifier.end(first);
  expect(verifier.choose(0, undefined)).toEqual({ format: "json", isProbe: false });
});

test("an origin that names our schema has protobuf without a credit, unless it made a debt", () => {
  const { verifier, chosen } = verifierOf();
  const spend = (): void => verifier.spend({ format: "protobuf", isProbe: false }, false);
  expect(chosen(2)).toEqual(["protobuf+", "json"]);
  verifier.sawJson(false);
  expect(chosen(1)).toEqual(["json"]);
  verifier.sawJson(true);
  expect(chosen(1)).toEqual(["protobuf"]);
  spend();
  expect(chosen(1)).toEqual(["protobuf"]);
  spend();
  expect(chosen(4)).toEqual(["json", "json", "json", "protobuf"]);
});

test("an origin that sends JSON for protobuf is asked in JSON for five minutes, or until it sends protobuf", () => {
  const { verifier, read, chosen } = verifierOf();
  expect([verifier.answersJson(1_000), verifier.answersJson(2_000)]).toEqual([true, false]);
  expect([chosen(1, 301_999), chosen(1, 302_000)]).toEqual([["json"], ["protobuf+"]]);
  expect(verifier.answersJson(302_000)).toBe(true);
  read(own, true);
  expect(chosen(1, 302_001)).toEqual(["protobuf"]);
});

test("bytes that are not of the schema that was named are an error once, then a reason for JSON", () => {
  const { read, chosen, news } = verifierOf();
  const strangeNews = {
    type: "drift",
    message: engineType,
    detail: "the server names our schema, but the protobuf is not of it; the header is not read any more",
    numbers: {},
  };
  const unreadable = "the protobuf is not of the schema that the server names";
  expect(() => read(broken, true)).toThrow(expect.objectContaining({ message: unreadable, cause: expect.any(Error) }));
  expect(read(own, true)).toEqual({ message: zipper, isSample: false });
  expect(() => read(broken, true)).toThrow(unreadable);
  expect(read(broken, true)).toBeUndefined();
  expect(news).toEqual([]);
  expect(read(strange, true)).toBeUndefined();
  expect(news).toEqual([strangeNews]);
  expect(read(own, true)).toBeUndefined();
  expect([news.length, chosen(5)]).toEqual([1, ["json", "json", "json", "protobuf+", "json"]]);
  const limits = { ...defaultReadLimits, maxItems: 1 };
  const other = verifierOf().verifier;
  expect(() => other.read(EngineSchema, own, true, limits, () => undefined, readMessage)).toThrow(LimitExceeded);
});

test("JSON that names our schema is not believed after the header named it falsely", () => {
  const { verifier, read, chosen } = verifierOf();
  read(strange, true);
  expect(chosen(1)).toEqual(["protobuf+"]);
  verifier.sawJson(true);
  expect(chosen(1)).toEqual(["json"]);
});

test("fields are verified by JSON, compared again now and then, and dropped with an event", () => {
  const { read, compare, news, chosen } = verifierOf({ sampleEvery: 3 });
  expect([read(own), read(new Uint8Array())]).toEqual([undefined, undefined]);
  compare(own, trainer);
  expect(news).toEqual([]);
  compare(own);
  expect(news.map(({ type }) => type)).toContain("verified");
  expect([1, 2, 3, 4].map(() => read(own)?.isSample)).toEqual([false, false, true, false]);
  news.length = 0;
  compare(own, trainer);
  expect(news).toEqual([
    {
      type: "drift",
      message: engineType,
      detail: "the protobuf does not fit the JSON of the same resource any more",
      numbers: {},
    },
  ]);
  expect(read(own)).toBeUndefined();
  expect(chosen(12).lastIndexOf("protobuf+")).toBe(11);
});

test("comparisons that show nothing new cost twice as much each time, up to a limit, until protobuf is read", () => {
  const { compare, chosen, read } = verifierOf();
  chosen(1);
  compare(own);
  expect(chosen(4)).toEqual(["json", "json", "json", "protobuf+"]);
  for (let time = 0; time < 20; time++) compare(own);
  expect(chosen(16_384).indexOf("protobuf+")).toBe(16_383);
  expect(read(own)?.message).toEqual(zipper);
  expect(chosen(4)).toEqual(["json", "json", "json", "protobuf+"]);
});

test("by default an additional request costs 128 responses, and every 500th verified one is compared", () => {
  const { chosen, compare, read } = verifierOf({ responsesPerExtraRequest: undefined });
  expect(chosen(129).flatMap((text, at) => (text === "json" ? [] : [at]))).toEqual([0, 128]);
  compare(own, trainer);
  compare(own);
  expect(Array.from({ length: 500 }, () => read(own)?.isSample).indexOf(true)).toBe(499);
});

test("one new field brings the next comparison back to its first cost", () => {
  const { compare, chosen } = verifierOf();
  chosen(1);
  compare(broken);
  const named = create(EngineSchema, { name: "a" });
  compare(ours.protobuf(EngineSchema, named), named);
  expect(chosen(4)).toEqual(["json", "json", "json", "protobuf+"]);
});

test("with a profile of other numbers the header is not read", () => {
  expect([true, false].map((areOther) => verifierOf(profiled(trainer, areOther)).read(own, true))).toEqual([
    { message: trainer, isSample: true },
    { message: zipper, isSample: false },
  ]);
});

test("a profile is compared at its first response, and dropped when it does not fit", () => {
  const fits = verifierOf({ ...profiled(zipper), sampleEvery: 2 });
  expect([1, 2, 3].map(() => fits.read(own))).toEqual(
    [true, false, true].map((isSample) => ({ message: zipper, isSample })),
  );
  fits.compare(own);
  fits.compare(own);
  expect([fits.stored, fits.news, fits.chosen(5)]).toEqual([
    [undefined, "compared"],
    [],
    ["protobuf+", "json", "json", "json", "protobuf+"],
  ]);
  const unknown = verifierOf(profiled(undefined));
  unknown.compare(own);
  expect([unknown.stored, unknown.news, unknown.chosen(9).filter((text) => text !== "json")]).toEqual([
    [undefined],
    [],
    ["protobuf+"],
  ]);
  const wrong = verifierOf(profiled(trainer));
  wrong.compare(own);
  expect([wrong.stored, wrong.read(own), wrong.chosen(9).filter((text) => text !== "json")]).toEqual([
    [undefined, "json"],
    undefined,
    ["protobuf+"],
  ]);
  const detail =
    "the protobuf read by the profile does not fit the JSON of the same resource; the profile is not used any more";
  expect(wrong.news).toEqual([{ type: "drift", message: engineType, detail, numbers: {} }]);
});

test("what an earlier process stored decides the first request, and our digest removes it", () => {
  expect(verifierOf({}, "json").chosen(4)).toEqual(["json", "json", "json", "protobuf+"]);
  expect(verifierOf({}, "compared").chosen(1)).toEqual(["json"]);
  expect(verifierOf(profiled(zipper), "json").chosen(1)).toEqual(["json"]);
  const compared = verifierOf({ ...profiled(zipper), sampleEvery: 10 }, "compared");
  expect(compared.chosen(1)).toEqual(["protobuf+"]);
  const random = vi.spyOn(Math, "random").mockReturnValue(0.45);
  const later = verifierOf({ ...profiled(zipper), sampleEvery: 10 }, "compared");
  random.mockRestore();
  expect([1, 2, 3, 4, 5, 6].map(() => later.read(own)?.isSample)).toEqual([false, false, false, false, true, false]);

  const { verifier, stored } = verifierOf({}, "json");
  verifier.sawJson(true);
  verifier.sawJson(true);
  verifier.spend({ format: "json", isProbe: false }, false);
  expect(stored).toEqual(["json", undefined]);
  const unnamed = verifierOf();
  unnamed.verifier.spend({ format: "protobuf", isProbe: false }, true);
  expect(unnamed.stored).toEqual([undefined]);
  unnamed.verifier.spend({ format: "protobuf", isProbe: false }, false);
  unnamed.verifier.spend({ format: "protobuf", isProbe: false }, false);
  expect(unnamed.stored).toEqual([undefined, "json"]);
});

test("a digest is compared with that of the message, at once for a response of the API", async () => {
  const verifier = new SchemaVerifier();
  expect(verifier.of(origin)).toBe(verifier.of(origin));
  expect(verifier.isNamed(EngineSchema, schemaDigests[engineType] ?? "")).toBe(true);
  expect(verifier.isNamed(EngineSchema, schemaDigests[EngineMessageSchema.typeName] ?? "")).toBe(false);
  expect(verifier.isNamed(FileDescriptorProtoSchema, null)).toBe(false);
  const digest = await schemaDigest(FileDescriptorProtoSchema);
  for (let time = 0; time < 2; time++) expect(await verifier.isNamed(FileDescriptorProtoSchema, digest)).toBe(true);
  expect(await verifier.isNamed(FileDescriptorProtoSchema, "x")).toBe(false);
});

const types = (events: ReadonlyArray<EngineEvent>): ReadonlyArray<string> =>
  events.map(({ type }) => type).filter((type) => type === "drift" || type === "verified");

const calls = 1_000;
/** A hundredth more. */
const mostRequests = 1_010;

type Step = (index: number) => readonly [DescMessage, MessageShape<DescMessage>, Answering<DescMessage>?];

const servers: ReadonlyArray<readonly [name: string, server: ForeignServer, step: Step]> = [
  ["our numbers and no header", ours, (index) => [EngineSchema, engine(index)]],
  [
    "booleans and numbers that look alike",
    ours,
    (index) => [EngineSchema, engine(0, { revision: 1, isPublic: index % 2 === 0 })],
  ],
  ["zigzag numbers that look like booleans", zigzag, (index) => [EngineSchema, engine(index, { revision: index % 3 })]],
  ["swapped numbers", swapped, (index) => [EngineSchema, engine(index)]],
  ["numbers that are all unknown", shifted, (index) => [EngineListResponseSchema, index % 2 === 0 ? page : firstPage]],
  ["an unchanged list with new fields", hidden, () => [EngineListResponseSchema, page]],
  ["formats that never fit", ours, (index) => [EngineSchema, engine(index), { json: engine(index + 1) }]],
  [
    "a new field in every engine",
    ours,
    (index) => [EngineSchema, engine(index, { owner: index % 5 === 0 ? "" : `o-${index % 7}` })],
  ],
  [
    "all kinds of responses in turn",
    ours,
    (index) =>
      index % 3 === 0
        ? [EngineSchema, index % 2 === 0 ? trainer : plain]
        : index % 3 === 1
          ? [EngineListResponseSchema, page]
          : [EngineMessageSchema, statuses[index % 2] ?? create(EngineMessageSchema)],
  ],
  [
    "options of single calls",
    swapped,
    (index) => [EngineSchema, engine(index), { call: { deadlineMs: 1_000 + index } }],
  ],
  [
    "a header that comes and goes",
    ours,
    (index) => [EngineSchema, engine(index), { digest: index % 2 === 0 ? schemaDigests[engineType] : undefined }],
  ],
];

test.for(servers)(
  "a thousand calls take at most 1,010 requests, and no value is wrong (%s)",
  async ([, server, step]) => {
    const read = readerOf();
    let requests = 0;
    for (let index = 0; index < calls; index++) {
      const [schema, sent, answering = {}] = step(index);
      const { message, asked } = await read(schema, server, sent, answering);
      requests += asked.length;
      expect(message).toEqual(asked.at(-1) === "json" ? server.json(schema, answering.json ?? sent) : sent);
    }
    expect(requests).toBeLessThanOrEqual(mostRequests);
  },
);

test("protobuf of a server that names our schema is accepted, with one request a call", async () => {
  const read = readerOf();
  const asked: Array<string> = [];
  for (let index = 0; index < calls; index++)
    asked.push(...(await read(EngineSchema, ours, engine(index), { digest: schemaDigests[engineType] })).asked);
  expect(asked).toEqual(Array.from({ length: calls }, () => "protobuf"));
});

/** 64 at once, each of another resource and a new value, from a server that does not name our schema. */
test.for([
  ["of other resources", (index: number) => `e${index}`],
  ["of one resource, shared", () => "one"],
] as const)("64 calls at once take one request more, and then none (%s)", async ([, tagOf]) => {
  let requests = 0;
  const client = createEngineClient({
    baseUrl: `${origin}/v1/dev`,
    fetch: async (url, init) => {
      requests += 1;
      const name = url.split("/").at(-1) ?? "";
      const isJson = new Headers(init.headers).get("accept") === "application/json";
      await new Promise(setImmediate);
      const sent = create(EngineSchema, { name, version: "1.0" });
      const body = isJson
        ? JSON.stringify({ name, version: "1.0" })
        : (swapped.protobuf(EngineSchema, sent) as Uint8Array<ArrayBuffer>);
      return new Response(body, {
        headers: { "content-type": isJson ? "application/json" : "application/x-protobuf" },
      });
    },
  });
  for (const most of tagOf(0) === "one" ? [2, 1] : [65, 64]) {
    requests = 0;
    const engines = await Promise.all(Array.from({ length: 64 }, (_, index) => client.get(tagOf(index))));
    expect(engines.map(({ name }) => name)).toEqual(Array.from({ length: 64 }, (_, index) => tagOf(index)));
    expect(requests).toBeLessThanOrEqual(most);
  }
});

/** Reads until there was credit for one more request. */
const earn = async (read: ReadOnce): Promise<void> => {
  for (let index = 0; index < defaultResponsesPerExtraRequest; index++) await read(EngineSchema, ours, zipper);
};

test("without a header the first call has its JSON; verified protobuf is used once the next attempt is paid", async () => {
  const read = readerOf();
  const first = await read(EngineSchema, ours, zipper);
  expect([first.asked, new Set(types(first.events))]).toEqual([["protobuf", "json"], new Set(["verified"])]);
  const { asked } = await read(EngineSchema, ours, zipper);
  expect(asked).toEqual(["json"]);
  await earn(read);
  for (let call = 0; call < 300; call++) {
    const { message, asked } = await read(EngineSchema, ours, zipper);
    expect([message, asked]).toEqual([zipper, ["protobuf"]]);
  }
});

test("where an attempt shows nothing new, the next one costs twice as many responses", async () => {
  const read = readerOf({ responsesPerExtraRequest: 4 });
  const attempts: Array<number> = [];
  for (let call = 0; call < 70; call++)
    if ((await read(EngineSchema, swapped, zipper)).asked.length > 1) attempts.push(call);
  expect(attempts).toEqual([0, 8, 24, 56]);
});

test("a schema that changes is noticed by a sample, dropped, and read in JSON", async () => {
  const read = readerOf({ responsesPerExtraRequest: 1, sampleEvery: 5 });
  for (let call = 0; call < 4; call++) await read(EngineSchema, ours, trainer);
  expect((await read(EngineSchema, ours, trainer)).asked).toContain("protobuf");
  let wrong = 0;
  const seen: Array<string> = [];
  for (let call = 0; call < 30; call++) {
    const { message, events } = await read(EngineSchema, swapped, trainer);
    if (message.name !== trainer.name) wrong += 1;
    seen.push(...types(events));
  }
  expect(wrong).toBeLessThan(5);
  expect(seen).toEqual(["drift"]);
});

test("a header that lies is found out where the bytes are not of the schema, before a value is handed out", async () => {
  const digest = schemaDigests[engineType];
  for (const server of [hidden, shifted, zigzag]) {
    const read = readerOf();
    const first = await read(EngineSchema, server, engine(0, { revision: 7 }), { digest });
    expect(first.message).toEqual(server.json(EngineSchema, engine(0, { revision: 7 })));
    expect([first.asked, types(first.events)]).toEqual([["protobuf", "json"], ["drift"]]);
    expect((await read(EngineSchema, server, zipper, { digest })).asked).toEqual(["json"]);
  }
});

test("JSON that names our schema brings protobuf back, for nothing", async () => {
  const read = readerOf();
  await read(EngineSchema, swapped, zipper);
  expect((await read(EngineSchema, ours, zipper, { digest: schemaDigests[engineType] })).asked).toEqual(["json"]);
  expect((await read(EngineSchema, ours, zipper, { digest: schemaDigests[engineType] })).asked).toEqual(["protobuf"]);
});

test("format protobuf is a failure where the protobuf is not verified, and needs one request", async () => {
  const read = readerOf({}, { format: "protobuf" });
  expect((await read(EngineSchema, ours, zipper, { digest: schemaDigests[engineType] })).message).toEqual(zipper);
  await expect(read(EngineSchema, swapped, zipper)).rejects.toMatchObject({
    reason: { _tag: "Undecodable" },
    message: expect.stringContaining('format "auto"') as string,
    attempts: 1,
  });
});

test.for(["auto", "json"] as const)(
  "protobuf that is not verified is never handed out by a server that answers in nothing else (%s)",
  async (format) => {
    let requests = 0;
    const body = swapped.protobuf(EngineSchema, zipper) as Uint8Array<ArrayBuffer>;
    const client = createEngineClient({
      baseUrl: `${origin}/v1/dev`,
      format,
      retry: { maxAttempts: 1 },
      fetch: () => {
        requests += 1;
        return Promise.resolve(new Response(body, { headers: { "content-type": "application/x-protobuf" } }));
      },
    });
    for (let call = 0; call < 3; call++)
      await expect(client.get("a")).rejects.toMatchObject({ reason: { _tag: "Undecodable" } });
    await expect(client.activate("a")).rejects.toMatchObject({ reason: { _tag: "Undecodable" } });
    expect(requests).toBe(format === "auto" ? 5 : 4);
  },
);

test("nothing but a read of engines is sent twice", async () => {
  const server = memoryServer({
    engines: [{ name: "a", version: "1.0" }],
    answer: (request) =>
      request.headers.get("accept") === "application/json"
        ? new Response("{}", { headers: { "content-type": "application/json" } })
        : new Response(
            ours.protobuf(EngineMessageSchema, statuses[0] ?? create(EngineMessageSchema)) as Uint8Array<ArrayBuffer>,
            {
              headers: { "content-type": "application/x-protobuf" },
            },
          ),
  });
  const client = createEngineClient({ baseUrl: `${origin}/v1/dev`, fetch: server.fetch, retry: { maxAttempts: 1 } });
  await client.download("a@1.0");
  await client.activate("a@1.0");
  await client.deactivate("a@1.0");
  await client.upload(new Uint8Array(3));
  expect(server.requests.map(({ method, url }) => `${method} ${new URL(url).pathname.slice(7)}`)).toEqual([
    "GET /engines/a@1.0/download",
    "POST /engines/a@1.0/activate",
    "POST /engines/a@1.0/deactivate",
    "POST /engines",
  ]);
});

/** A memory as a file would be, for clients that make one call each. */
const sharedMemory = () => {
  const kept = new Map<string, OriginStatus>();
  const memory: OriginMemory = {
    get: (origin) => kept.get(origin),
    set: (origin, status) => void (status === undefined ? kept.delete(origin) : kept.set(origin, status)),
  };
  return { kept, memory };
};

const profileOf = (server: ForeignServer, ...engines: ReadonlyArray<Engine>): Profile => {
  const inference = new FieldNumberInference();
  for (const each of engines) inference.add(EngineSchema, server.protobuf(EngineSchema, each), each);
  return inference.profile(origin, 0);
};

test.for([
  ["without a profile", undefined],
  ["with a profile", profileOf(swapped, zipper, trainer)],
  ["with a profile that knows too little", profileOf(swapped, plain)],
] as const)("a thousand processes that make one call each take at most 1,010 requests (%s)", async ([, profile]) => {
  const { memory } = sharedMemory();
  let requests = 0;
  for (let index = 0; index < calls; index++) {
    const read = readerOf({ memory, ...(profile === undefined ? {} : { fieldNumbers: [fieldNumbers(profile)] }) });
    const { message, asked } = await read(EngineSchema, swapped, zipper);
    expect(message).toEqual(zipper);
    requests += asked.length;
  }
  expect(requests).toBeLessThanOrEqual(mostRequests);
});

test("a profile is used once its first response was compared, and given up when it does not hold", async () => {
  const { kept, memory } = sharedMemory();
  const numbers = [fieldNumbers(profileOf(swapped, zipper, trainer))];
  const read = readerOf({ fieldNumbers: numbers, responsesPerExtraRequest: 1, memory });
  expect((await read(EngineSchema, swapped, zipper)).asked).toEqual(["protobuf", "json"]);
  expect(kept.get(origin)).toBe("compared");
  const { message, asked } = await read(EngineSchema, swapped, trainer);
  expect([message, asked]).toEqual([trainer, ["protobuf"]]);
  const wrong = readerOf({ fieldNumbers: numbers, memory: sharedMemory().memory });
  const first = await wrong(EngineSchema, ours, trainer);
  expect([first.message, types(first.events)]).toEqual([trainer, ["drift"]]);
});

test("a header that names our schema is not read where a profile has other numbers", async () => {
  const numbers = [fieldNumbers(profileOf(swapped, zipper, trainer))];
  const read = readerOf({ fieldNumbers: numbers, responsesPerExtraRequest: 1 });
  const digest = schemaDigests[engineType];
  for (const asked of [["protobuf", "json"], ["protobuf"], ["protobuf"]])
    expect(await read(EngineSchema, swapped, trainer, { digest })).toMatchObject({ message: trainer, asked });
});

test("the field numbers of one origin are not used for another", () => {
  const numbers = profiled(zipper).fieldNumbers?.[0];
  const readBy = (from: string) =>
    verifierOf({ fieldNumbers: numbers && [{ ...numbers, origin: from }] }).read(strange);
  expect([readBy(origin)?.message, readBy("https://other.example")]).toEqual([zipper, undefined]);
});

test("an origin that is verified asks in protobuf while another one is not", async () => {
  const requests: Array<string> = [];
  const client = createEngineClient({
    baseUrl: "http://ours.example",
    fetch: (url, init) => {
      const accept = new Headers(init.headers).get("accept") ?? "";
      requests.push(`${new URL(url).host} ${accept}`);
      const isJson = accept === "application/json";
      const headers = {
        "content-type": accept,
        ...(url.includes("ours") ? { [schemaDigestHeader]: schemaDigests[engineType] ?? "" } : {}),
      };
      return Promise.resolve(
        new Response(isJson ? "{}" : (ours.protobuf(EngineSchema, zipper) as Uint8Array<ArrayBuffer>), { headers }),
      );
    },
  });
  for (const baseUrl of ["http://ours.example", "http://other.example", "http://ours.example", "http://other.example"])
    await client.get("a", { baseUrl });
  expect(requests).toEqual([
    "ours.example application/x-protobuf",
    "other.example application/x-protobuf",
    "other.example application/json",
    "ours.example application/x-protobuf",
    "other.example application/json",
  ]);
});

test.for<[object, string]>([
  ...[0, -1, Number.NaN, 0.9].flatMap((value): ReadonlyArray<[object, string]> =>
    ["sampleEvery", "responsesPerExtraRequest"].map((name) => [
      { [name]: value },
      `protobufVerification.${name} must be a number from 1, not ${value}`,
    ]),
  ),
  ...[{}, [{}], [fieldNumbers(profileOf(ours, zipper)), {}]].map((fieldNumbers): [object, string] => [
    { fieldNumbers },
    "protobufVerification.fieldNumbers must be an array of what fieldNumbers(...) gives",
  ]),
  ...[{}, { get: () => undefined }, { set: () => undefined }].map((memory): [object, string] => [
    { memory },
    "protobufVerification.memory must have the functions get and set",
  ]),
])("options that cannot be are refused by name (%j)", ([protobufVerification, message]) => {
  expect(() => createEngineClient({ protobufVerification })).toThrow(message);
});

test.for<[options: ClientOptions, accepted: ReadonlyArray<string>]>([
  [{ token: "a-token" }, ["application/x-protobuf"]],
  [{ token: "a-token", dedupe: false }, ["application/x-protobuf", "application/json"]],
  [{ token: () => "a-token" }, ["application/x-protobuf", "application/json"]],
])("with %o, the same call twice at once asks in %j: only what is shared is compared once for both", async (row) => {
  const [options, accepted] = row;
  const { fetch, requests } = memoryServer({ engines: [{ name: "zipper", version: "0.1" }] });
  const client = createEngineClient({ fetch, ...options });
  await Promise.all([client.get("zipper"), client.get("zipper")]);
  expect(requests.map(({ headers }) => headers.get("accept"))).toEqual(accepted);
});
