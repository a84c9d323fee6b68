import { create, fromBinary, ScalarType, toBinary, type DescMessage, type Message } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { message } from "../test/verify/Arbitrary.ts";
import { describe } from "./Descriptor.ts";
import { hasReader, readMessage } from "./MessageReader.ts";
import { defaultReadLimits, LimitExceeded } from "./ReadLimits.ts";
import { EverythingSchema } from "../test/gen/kitchen/v1/kitchen_pb.ts";

/** What a reader makes of the bytes; undefined: not such a message. */
const outcome = (read: (schema: DescMessage, bytes: Uint8Array) => unknown, schema: DescMessage, bytes: Uint8Array) => {
  try {
    return read(schema, bytes);
  } catch {
    return undefined;
  }
};

const joined = (...parts: ReadonlyArray<Uint8Array>): Uint8Array => new Uint8Array(Buffer.concat(parts));

test.for([EngineListResponseSchema, EngineSchema, EngineMessageSchema])(
  "$name: the message is that of protobuf-es; cut anywhere, too, or there is none for either",
  (schema) => {
    fc.assert(
      fc.property(message(schema), fc.nat(), (sent, cut) => {
        const bytes = toBinary(schema, sent as never);
        const read = readMessage(schema, bytes);
        expect(read).toEqual(fromBinary(schema, bytes));
        expect(Object.keys(read)).toEqual(Object.keys(fromBinary(schema, bytes)));
        const part = bytes.subarray(0, cut % (bytes.length + 1));
        expect(outcome(readMessage, schema, part)).toEqual(outcome(fromBinary, schema, part));
      }),
      { numRuns: 300 },
    );
  },
);

test("a message that comes in parts is merged, a list goes on, the last of two values counts", () => {
  fc.assert(
    fc.property(message(EngineListResponseSchema), message(EngineListResponseSchema), (one, other) => {
      const [first, second] = [one, other].map((each) => toBinary(EngineListResponseSchema, each as never));
      const bytes = joined(first ?? new Uint8Array(), second ?? new Uint8Array());
      expect(readMessage(EngineListResponseSchema, bytes)).toEqual(fromBinary(EngineListResponseSchema, bytes));
    }),
  );
});

test("a text of any length is read with whatever is in it, at any place", () => {
  for (let length = 0; length < 40; length++) {
    for (const strange of ["é", "\u{1f600}", "\u0000", "\ufeff", "\ufffd"]) {
      for (let at = 0; at <= length; at++) {
        const name = "a".repeat(at) + strange + "b".repeat(length - at);
        expect(readMessage(EngineSchema, toBinary(EngineSchema, create(EngineSchema, { name }))).name).toBe(name);
      }
    }
  }
});

const field = (number: number, wireType: WireType) => new BinaryWriter().tag(number, wireType);

test.for([
  ["an unknown number", field(77, WireType.Varint).uint32(300)],
  ["an unknown number that is large", field(536_870_911, WireType.Bit64).fixed64(1n)],
  ["a group", field(77, WireType.StartGroup).tag(1, WireType.Varint).uint32(1).tag(77, WireType.EndGroup)],
  ["a negative revision", field(11, WireType.Varint).int32(-1)],
  ["a revision with bytes to spare", field(11, WireType.Varint).raw(new Uint8Array([0x81, 0x80, 0x00]))],
  ["true with bytes to spare", field(18, WireType.Varint).raw(new Uint8Array([0x80, 0x01]))],
  ["false with bytes to spare", field(18, WireType.Varint).raw(new Uint8Array([0x80, 0x80, 0x00]))],
  ["a length with a byte more than it needs", field(2, WireType.LengthDelimited).raw(new Uint8Array([0x81, 0, 0x61]))],
] as const)("%s is read as protobuf-es reads it", ([, writer]) => {
  const bytes = joined(toBinary(EngineSchema, create(EngineSchema, { name: "a", userName: "b" })), writer.finish());
  expect(readMessage(EngineSchema, bytes)).toEqual(fromBinary(EngineSchema, bytes));
});

test.for([
  ["the number 0", new Uint8Array([0x00, 0x00])],
  ["an end of a group", field(77, WireType.EndGroup).finish()],
  ["a wire type that there is not", new Uint8Array([0x0f])],
  ...[0x80, 0xbf, 0xff].flatMap((byte) =>
    [1, 4, 5, 25].map(
      (length) =>
        [
          `a text of ${length} bytes that ends with ${byte}`,
          field(2, WireType.LengthDelimited)
            .bytes(new Uint8Array(length).fill(0x61, 0, length - 1).fill(byte, length - 1))
            .finish(),
        ] as const,
    ),
  ),
  ["a text whose first byte is 128, before zeros", new Uint8Array([0x12, 4, 0x80, 0, 0, 0])],
  [
    "a text that is not UTF-8",
    field(2, WireType.LengthDelimited)
      .raw(new Uint8Array([1, 0xff]))
      .finish(),
  ],
  ["a length past the end", field(2, WireType.LengthDelimited).uint32(9).finish()],
  ["a tag that is cut short", new Uint8Array([0x80])],
  ["a number that is cut short", new Uint8Array([0x58, 0x80])],
  [
    "groups without end inside each other",
    joined(...Array.from({ length: 200 }, () => field(77, WireType.StartGroup).finish())),
  ],
] as const)("%s is not an engine", ([, bytes]) => {
  expect(outcome(readMessage, EngineSchema, bytes)).toBeUndefined();
  expect(outcome(fromBinary, EngineSchema, bytes)).toBeUndefined();
});

test("a wire type that there is not is named", () => {
  expect(() => readMessage(EngineSchema, new Uint8Array([0x0f]))).toThrow("there is no wire type 7");
});

test.for([
  [
    "a text",
    field(1, WireType.LengthDelimited)
      .uint32(4)
      .raw(new Uint8Array([0x61])),
  ],
  ["a number", field(2, WireType.Varint)],
  ["an unknown field", field(77, WireType.Bit32).raw(new Uint8Array([1, 2]))],
] as const)("%s that is longer than the message around it is an error, though there are bytes", ([, inner]) => {
  const bytes = joined(
    field(16, WireType.LengthDelimited).bytes(inner.finish()).finish(),
    toBinary(EngineSchema, create(EngineSchema, { name: "abcdef" })),
  );
  expect(() => readMessage(EngineSchema, bytes)).toThrow("longer than its message");
});

test("a number of ours with another wire type is kept as an unknown field, not misread", () => {
  const bytes = field(2, WireType.Varint).uint32(1).finish();
  const engine = readMessage(EngineSchema, bytes);
  expect(engine.name).toBe("");
  expect(engine.$unknown).toEqual([{ no: 2, wireType: WireType.Varint, data: new Uint8Array([1]) }]);
});

/** Messages in a message, items of its lists and unknown fields, at any depth. */
const itemsIn = (schema: DescMessage, sent: Message): number =>
  schema.fields.reduce(
    (items, { localName, message }) => {
      const values = [(sent as unknown as Record<string, unknown>)[localName]].flat();
      const isList = Array.isArray((sent as unknown as Record<string, unknown>)[localName]);
      if (message === undefined) return items + (isList ? values.length : 0);
      return values.reduce<number>((all, value) => all + (value ? 1 + itemsIn(message, value as Message) : 0), items);
    },
    (sent.$unknown ?? []).length,
  );

test("as many items are read as the limit allows, and no more", () => {
  fc.assert(
    fc.property(message(EngineListResponseSchema), fc.nat(2), (sent, strangers) => {
      const unknown = Array.from({ length: strangers }, () => field(77, WireType.Varint).uint32(1).finish());
      const bytes = joined(toBinary(EngineListResponseSchema, sent as never), ...unknown);
      const items = itemsIn(EngineListResponseSchema, fromBinary(EngineListResponseSchema, bytes));
      const read = (maxItems: number) =>
        readMessage(EngineListResponseSchema, bytes, { ...defaultReadLimits, maxItems });
      expect(read(items)).toEqual(fromBinary(EngineListResponseSchema, bytes));
      fc.pre(items > 0);
      expect(() => read(items - 1)).toThrow(new LimitExceeded("maxItems", items - 1));
    }),
  );
});

test("as many engines are read as the limit allows, and no more", () => {
  const bytes = toBinary(
    EngineListResponseSchema,
    create(EngineListResponseSchema, { engines: [{}, { name: "a" }, {}] }),
  );
  const read = (maxEnginesPerPage: number) =>
    readMessage(EngineListResponseSchema, bytes, { ...defaultReadLimits, maxEnginesPerPage });
  expect(read(3).engines).toHaveLength(3);
  expect(() => read(2)).toThrow(new LimitExceeded("maxEnginesPerPage", 2));
});

/** What was met besides the known fields, at any depth. */
const met = (schema: DescMessage, bytes: Uint8Array): object => {
  let found = {};
  readMessage(schema, bytes, undefined, ({ hasUnknown, hasOddFlag }) => {
    found = { hasUnknown, hasOddFlag };
  });
  return found;
};

test.for([
  ["0", [0], false, false],
  ["1", [1], true, false],
  ["2", [2], true, true],
  ["127", [0x7f], true, true],
  ["128", [0x80, 1], true, true],
  ["a large number", [0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 1], true, true],
  ["0 with bytes to spare", [0x80, 0], false, false],
  ["1 with bytes to spare", [0x81, 0], true, false],
] as const)("a boolean that is %s is odd unless it is 0 or 1", ([, flag, isPublic, hasOddFlag]) => {
  const bytes = field(18, WireType.Varint).raw(new Uint8Array(flag)).finish();
  expect(readMessage(EngineSchema, bytes).isPublic).toBe(isPublic);
  expect(met(EngineSchema, bytes)).toEqual({ hasUnknown: false, hasOddFlag });
  const page = field(1, WireType.LengthDelimited).bytes(bytes).finish();
  expect(met(EngineListResponseSchema, page)).toEqual({ hasUnknown: false, hasOddFlag });
});

test("an unknown field is met at any depth", () => {
  const bytes = field(77, WireType.Varint).uint32(1).finish();
  expect(met(EngineSchema, bytes)).toEqual({ hasUnknown: true, hasOddFlag: false });
  const page = field(1, WireType.LengthDelimited).bytes(bytes).finish();
  expect(met(EngineListResponseSchema, page)).toEqual({ hasUnknown: true, hasOddFlag: false });
});

test.for([0, 1, 127, 128, 16_383, 16_384, 2_097_152, 2 ** 31 - 1, -1])(
  "the number %i is read at any length",
  (revision) => {
    expect(readMessage(EngineSchema, toBinary(EngineSchema, create(EngineSchema, { revision }))).revision).toBe(
      revision,
    );
  },
);

test("a message with a name or the fields of one of the API has its reader only with both", () => {
  const { typeName, fields } = EngineMessageSchema;
  const rows = fields.map(({ name, number, scalar = ScalarType.STRING }) => [name, number, scalar] as const);
  const schemas = [describe(typeName, rows), describe(typeName, rows.slice(1)), describe("a.Message", rows)];
  expect(schemas.map(hasReader)).toEqual([true, false, false]);
});

test("a message that is not a response of the API has no reader", () => {
  expect([hasReader(EngineSchema), hasReader(EverythingSchema), hasReader(EverythingSchema)]).toEqual([
    true,
    false,
    false,
  ]);
  expect(() => readMessage(EverythingSchema, new Uint8Array())).toThrow("no reader for kitchen.v1.Everything");
});

const nested = (levels: number) =>
  joined(
    ...[WireType.StartGroup, WireType.EndGroup].flatMap((type) =>
      Array.from({ length: levels }, () => field(77, type).finish()),
    ),
  );

test("100 groups inside each other are read, and no more", () => {
  expect(readMessage(EngineSchema, nested(100)).$unknown).toHaveLength(1);
  expect(() => readMessage(EngineSchema, nested(101))).toThrow("recursion depth");
});
