// Verified fields, and fields of servers with other numbers.
import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { hiddenFor, message, numbers, wireTypes } from "../../test/verify/Arbitrary.ts";
import { foreignServer, type ForeignServer } from "../../test/verify/ForeignServer.ts";
import { readerOf, said } from "../../test/verify/Reading.ts";

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
