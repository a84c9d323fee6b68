import { create, fromBinary, toBinary, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { message } from "../../test/verify/Arbitrary.ts";
import { FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";
import { foreignServer, type ForeignServer } from "../../test/verify/ForeignServer.ts";
import { origin } from "../../test/verify/Reading.ts";
import { trainer } from "../../test/verify/Samples.ts";
import { FieldNumberInference } from "./FieldNumberInference.ts";
import { fieldNumbers, profileReader } from "./ProfileReader.ts";
import { defaultReadLimits, LimitExceeded } from "../ReadLimits.ts";
import { encodingsOf } from "../verify/FieldMatch.ts";
import type { Numbering } from "./Solution.ts";

const ours = foreignServer({});
const own = (field: DescField) => ({ number: field.number, encoding: encodingsOf(field)[0] ?? "message" });

/** Reads our own numbers, all certain but for one; 77 is foreign. */
const readerWithout = <D extends DescMessage>(schema: D, missing?: string) =>
  profileReader(schema, ({ fields }): Numbering => ({
    confirmed: new Map(
      fields.flatMap((field) => (field.name === missing ? [] : [[field.number, { field, ...own(field) }]])),
    ),
    foreign: new Set([77]),
    possible: new Map(),
  }));
const readList = readerWithout(EngineListResponseSchema);

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts));

const listOf = (...engines: ReadonlyArray<Uint8Array>): Uint8Array => {
  const writer = new BinaryWriter();
  for (const engine of engines) writer.tag(1, WireType.LengthDelimited).bytes(engine);
  return writer.finish();
};

/** What protobuf-es makes of the bytes; undefined: not such a message. */
const plainly = (bytes: Uint8Array) => {
  try {
    return fromBinary(EngineListResponseSchema, bytes);
  } catch {
    return undefined;
  }
};

test("where all numbers are certain, the message is that of protobuf-es; cut anywhere, too, or there is none for either", () => {
  fc.assert(
    fc.property(message(EngineListResponseSchema), fc.nat(), (sent, cut) => {
      const bytes = ours.protobuf(EngineListResponseSchema, sent as never);
      expect(readList(bytes)).toEqual(plainly(bytes));
      const part = bytes.subarray(0, cut % (bytes.length + 1));
      expect(readList(part)).toEqual(plainly(part));
    }),
    { numRuns: 500 },
  );
});

test.for([
  ["engines", [0x0a, 0], "maxEnginesPerPage", 100_000],
  ["fields that only the server has", [0xe8, 0x04, 0], "maxItems", 250_000],
] as const)("no more %s are read than the limits allow", ([, pattern, limit, value]) => {
  const bytes = Buffer.alloc(16 * 1_048_576, Buffer.from(pattern));
  expect(() => readList(bytes)).toThrow(new LimitExceeded(limit, value));
  const limits = { ...defaultReadLimits, maxEnginesPerPage: 3, maxItems: 3 };
  expect(() => readList(bytes.subarray(0, 12), limits)).toThrow(LimitExceeded);
  expect(readList(bytes.subarray(0, 3 * pattern.length), limits)).toBeDefined();
});

test("a message that comes in parts is merged, a list goes on, the last of two values counts", () => {
  const parts = [
    { pagination: { total: 3, hasNext: true }, engines: [{ name: "a", createdAt: { seconds: 1n } }] },
    { pagination: { total: 5 }, engines: [{ name: "b", deviceRequirements: { gpu: ["x"] } }] },
  ].map((init) => toBinary(EngineListResponseSchema, create(EngineListResponseSchema, init)));
  const engine = [
    { name: "a", createdAt: { seconds: 1n, nanos: 5 }, deviceRequirements: { gpu: ["x"] } },
    { name: "b", createdAt: { seconds: 2n }, deviceRequirements: { gpu: ["y"], minCpu: 1.5 } },
  ].map((init) => toBinary(EngineSchema, create(EngineSchema, init)));
  const bytes = joined([...parts, listOf(joined(engine))]);
  expect(plainly(bytes)?.pagination).toMatchObject({ total: 5, hasNext: true });
  expect(readList(bytes)).toEqual(plainly(bytes));
});

test.for(["name", "min_cpu", "total"])("a number that is not certain is not admitted, at any depth (%s)", (missing) => {
  const engine = { name: "zipper", deviceRequirements: { minCpu: 1 } };
  const sent = { engines: [{}, engine], pagination: { total: 2 } };
  const bytes = ours.protobuf(EngineListResponseSchema, create(EngineListResponseSchema, sent));
  expect(readList(bytes)).toBeDefined();
  expect(readerWithout(EngineListResponseSchema, missing)(bytes)).toBeUndefined();
});

test.for([
  ["another wire type", new BinaryWriter().tag(2, WireType.Varint).uint32(1).finish(), false],
  ["a group", new BinaryWriter().tag(2, WireType.StartGroup).tag(2, WireType.EndGroup).finish(), false],
  ["a length past the end", new BinaryWriter().tag(2, WireType.LengthDelimited).uint32(9).finish(), false],
  ["a tag that is cut short", new Uint8Array([0x80]), false],
  ["a varint that is cut short", new Uint8Array([0x58, 0x80]), false],
  ["a foreign number of any wire type", new BinaryWriter().tag(77, WireType.Bit64).fixed64(1n).finish(), true],
  ["a length with a byte more than it needs", new Uint8Array([0x12, 0x81, 0x00, 0x61]), true],
] as const)("an engine with %s is reported", ([, engine, isAdmitted]) => {
  expect(readList(listOf(engine)) !== undefined).toBe(isAdmitted);
});

test("a foreign field is kept as it came, also inside a message", () => {
  const engine = new BinaryWriter().tag(2, WireType.LengthDelimited).string("a").tag(77, WireType.Varint).uint32(300);
  const bytes = listOf(engine.finish());
  expect(readList(bytes)?.engines[0]?.$unknown).toHaveLength(1);
  expect(readList(bytes)).toEqual(plainly(bytes));
});

/** What a pair of a server shows. */
const shown = (server: ForeignServer) => {
  const inference = new FieldNumberInference();
  inference.add(EngineSchema, server.protobuf(EngineSchema, trainer), trainer);
  return fieldNumbers(inference.profile(origin, 0));
};

test.for<[what: string, server: ForeignServer, areOther: boolean]>([
  ["our numbers", ours, false],
  ["one other number", foreignServer({ "bytenite.common.DeviceRequirements": { min_cpu: 9 } }), true],
  ["one other encoding", foreignServer({}, {}, { "bytenite.engine.Engine": { revision: Type.SINT32 } }), true],
])("a profile of %s says whether they are other ones", ([, server, areOther]) => {
  expect(shown(server).areOther).toBe(areOther);
});

test.for([255, 256, 257, 300])("the number %d is read", (revision) => {
  const server = foreignServer({ "bytenite.engine.Engine": { revision } });
  expect(shown(server).read(EngineSchema, server.protobuf(EngineSchema, trainer))).toEqual(trainer);
});
