// Verified fields, and fields of servers with other numbers.
import { create, toBinary, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { hiddenFor, message, numbers, wireTypes } from "../../test/verify/Arbitrary.ts";
import { foreignServer, type ForeignServer } from "../../test/verify/ForeignServer.ts";
import { readerOf, said } from "../../test/verify/Reading.ts";
import { VerifiedFields } from "./VerifiedFields.ts";

const engine = (init: MessageInitShape<typeof EngineSchema>) => create(EngineSchema, init);
const status = (init: MessageInitShape<typeof EngineMessageSchema>) => create(EngineMessageSchema, init);
const zigzag = { "bytenite.engine.Engine": { revision: Type.SINT32 } };

/** What a new client reads, one after the other, which must be what was sent. */
const readAll = async <D extends DescMessage>(
  server: ForeignServer,
  schema: D,
  sent: ReadonlyArray<MessageShape<D>>,
): Promise<ReadonlyArray<MessageShape<D>>> => {
  const readOnce = readerOf({ responsesPerExtraRequest: 1 });
  const read: Array<MessageShape<D>> = [];
  for (const each of sent) read.push((await readOnce(schema, server, each)).message);
  return read;
};

test("two links of one address are equal whatever their signatures", async () => {
  const server = foreignServer({ "bytenite.engine.Engine": { link: 7, description: 9 } });
  const same = engine({ name: "a", link: "https://f/a.zip?sig=1", description: "https://f/a.zip?sig=2" });
  const sent = [same, engine({ name: "a", link: "https://f/b.zip?sig=1", description: "words" })];
  expect(await readAll(server, EngineSchema, sent)).toEqual(sent);
});

test("nor are they inside another message, nor in a status", async () => {
  const nested = foreignServer({ "bytenite.common.PlatformConfig": { container: 3, username: 1 } });
  const engines = [
    engine({ name: "a", platformConfig: { container: "https://f/x?1", username: "https://f/x?2" } }),
    engine({ name: "b", platformConfig: { container: "c", username: "u" } }),
  ];
  expect(await readAll(nested, EngineSchema, engines)).toEqual(engines);
  const crossed = foreignServer({ "bytenite.developer.EngineMessage": { engine_link: 5, engine_status: 4 } });
  const statuses = [
    status({ engineId: "i", engineTag: "t", engineLink: "https://f/x?1", engineStatus: "https://f/x?2" }),
    status({ engineId: "i", engineTag: "t", engineLink: "https://f/y?1", engineStatus: "active" }),
  ];
  expect(await readAll(crossed, EngineMessageSchema, statuses)).toEqual(statuses);
});

test.for([3, -5])("a number written as zigzag is not taken for the neighbouring flag (%d)", async (revision) => {
  const server = foreignServer({ "bytenite.engine.Engine": { revision: 18, is_public: 11 } }, {}, zigzag);
  const sent = [engine({ name: "a", revision: 1, isPublic: true }), engine({ name: "a", revision, isPublic: true })];
  expect(await readAll(server, EngineSchema, sent)).toEqual(sent);
});

test("a field that came only with its default is not confirmed by that", async () => {
  const readOnce = readerOf({ responsesPerExtraRequest: 1 });
  const bare = engine({ name: "a" });
  const explicit = new Uint8Array([...foreignServer({}).protobuf(EngineSchema, bare), 0x3a, 0]);
  const server = { ...foreignServer({}), protobuf: () => explicit };
  const { events } = await readOnce(EngineSchema, server, bare);
  expect(events.flatMap((event) => (event.type === "verified" ? [event.numbers] : []))).toEqual([{ name: 2 }]);
  const owned = foreignServer({ "bytenite.engine.Engine": { owner: 7, description: 4 } });
  const { message: read } = await readOnce(EngineSchema, owned, engine({ name: "a", owner: "alice" }));
  expect(read.owner).toBe("alice");
});

const page = (...engines: ReadonlyArray<MessageInitShape<typeof EngineSchema>>) =>
  create(EngineListResponseSchema, { engines: [...engines] });

type Sent = MessageShape<typeof EngineSchema> | MessageShape<typeof EngineListResponseSchema>;

/** The verified fields after these messages in both formats, and the news of them. `more` is added to the protobuf. */
const learned = (sent: ReadonlyArray<Sent>, more: ReadonlyArray<number> = []) => {
  const verified = new VerifiedFields();
  const learn = (message: Sent) => {
    const schema = (message.$typeName === ofEngine ? EngineSchema : EngineListResponseSchema) as DescMessage;
    return verified.learn(schema, new Uint8Array([...toBinary(schema, message), ...more]), message);
  };
  return { verified, news: sent.map((message) => learn(message)?.map((each) => [each.message, each.numbers])) };
};

const [ofEngine, ofList] = [EngineSchema.typeName, EngineListResponseSchema.typeName];
const ofPlatform = "bytenite.common.PlatformConfig";

/** One engine more than is compared; only the one there tells name and version apart. */
const alike = (odd: number) => Array.from({ length: 257 }, (_, at) => ({ name: "a", version: at === odd ? "b" : "a" }));

test.for<[what: string, sent: ReadonlyArray<Sent>, more: ReadonlyArray<number>, news: object]>([
  ["a value of its own", [engine({ name: "a" })], [], [[ofEngine, { name: 2 }]]],
  ["equal values", [engine({ name: "a", version: "a" })], [], []],
  [
    "values that are equal once",
    [engine({ name: "a", version: "a" }), engine({ name: "b", version: "c" })],
    [],
    [[ofEngine, { name: 2, version: 3 }]],
  ],
  [
    "a number that zigzag would write as another",
    [engine({ revision: -1, isPublic: true })],
    [],
    [[ofEngine, { is_public: 18 }]],
  ],
  ["a text that is a message", [engine({ platformConfig: { container: "x" }, owner: "\n\u0001x" })], [], []],
  [
    "a message, and a time",
    [engine({ platformConfig: { container: "x" }, createdAt: { seconds: 1n } })],
    [],
    [
      [ofEngine, { created_at: 12, platform_config: 16 }],
      [ofPlatform, { container: 1 }],
    ],
  ],
  [
    "a list",
    [page({ name: "a" })],
    [],
    [
      [ofList, { engines: 1 }],
      [ofEngine, { name: 2 }],
    ],
  ],
  [
    "two messages of a list, each for itself",
    [page({ name: "a", owner: "a" }, { owner: "c" })],
    [],
    [
      [ofList, { engines: 1 }],
      [ofEngine, { owner: 4 }],
    ],
  ],
  [
    "256 messages of a list",
    [page(...alike(255))],
    [],
    [
      [ofList, { engines: 1 }],
      [ofEngine, { name: 2, version: 3 }],
    ],
  ],
  ["257 messages, of which the last is not compared", [page(...alike(256))], [], [[ofList, { engines: 1 }]]],
  ["an unknown number", [engine({ name: "a" })], [0xa0, 0x06, 1], []],
  ["a number with another wire type", [engine({ name: "a" })], [0x5a, 0], []],
  ["a number that has another wire type once", [engine({ name: "a", revision: 1 })], [0x5a, 0], []],
  ["an odd flag", [engine({ name: "a", isPublic: true })], [0x90, 0x01, 2], [undefined]],
])("what is verified by %s", ([, sent, more, news]) => {
  expect(learned(sent, more).news.flat()).toEqual(news);
});

test("a message is read once all its fields are verified, at every depth", () => {
  const sent = page({ name: "a" }, { name: "b", platformConfig: { container: "x" } });
  const bytes = toBinary(EngineListResponseSchema, sent);
  const { verified } = learned([page({ name: "a" })]);
  const read = (more: ReadonlyArray<number> = []) =>
    verified.read(EngineListResponseSchema, new Uint8Array([...bytes, ...more]));
  expect(read()).toBeUndefined();
  verified.learn(
    EngineSchema,
    toBinary(EngineSchema, engine({ platformConfig: { username: "x" } })),
    engine({ platformConfig: { username: "x" } }),
  );
  expect(read()).toBeUndefined();
  verified.learn(EngineListResponseSchema, bytes, sent);
  expect(read()).toEqual(sent);
  // An unknown field, a flag of an engine that is neither 0 nor 1, a field that ends too late.
  for (const more of [
    [0x78, 1],
    [0x0a, 3, 0x90, 0x01, 2],
    [0x0a, 9],
  ])
    expect(read(more)).toBeUndefined();
});

/** Random servers that the law is tried on; TRUST_RUNS tries more. */
const numRuns = Number(process.env["TRUST_RUNS"] ?? 600);

test("for any numbering, wire types and answers, no value is read under the name of another", async () => {
  await fc.assert(
    fc.asyncProperty(
      numbers.chain((chosen) => fc.tuple(fc.constant(chosen), fc.oneof(fc.constant({}), hiddenFor(chosen)))),
      wireTypes,
      fc.oneof(
        ...[EngineSchema, EngineListResponseSchema, EngineMessageSchema].map((schema: DescMessage) =>
          fc.array(message(schema), { minLength: 2, maxLength: 12 }).map((sent) => ({ schema, sent })),
        ),
      ),
      async ([chosen, hidden], types, { schema, sent }) => {
        const server = foreignServer(chosen, hidden, types);
        const readOnce = readerOf({ responsesPerExtraRequest: 1 });
        for (const each of sent) {
          const { message: read } = await readOnce(schema, server, each);
          expect(said(server, schema, read)).toEqual(said(server, schema, each));
        }
      },
    ),
    { numRuns },
  );
}, 600_000);
