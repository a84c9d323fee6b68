import { create, fromBinary, ScalarType, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EngineListResponseSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { EverythingSchema } from "../test/gen/kitchen/v1/kitchen_pb.ts";
import { readAnyMessage, readCounted } from "./CountedMessage.ts";
import { describe } from "./Descriptor.ts";
import { defaultReadLimits, LimitExceeded } from "./ReadLimits.ts";

const written = (init: MessageInitShape<typeof EverythingSchema>): Uint8Array =>
  toBinary(EverythingSchema, create(EverythingSchema, init));
const field = (number: number, wireType: WireType) => new BinaryWriter().tag(number, wireType);
const text = "a text that is longer than its count of items";

test.for<[name: string, bytes: Uint8Array, items: number]>([
  ["a text", written({ text }), 1],
  ["fields", written({ text, data: new Uint8Array(9), flag: true, double: 1.5 }), 4],
  ["texts", written({ texts: [text, text, text] }), 3],
  ["bytes", written({ datas: [new Uint8Array(9), new Uint8Array(9)] }), 2],
  ["packed numbers, and the field that has them", written({ int64s: [1n, 300n, 2n ** 40n, 127n, 128n] }), 6],
  ["packed doubles", written({ doubles: [1, 2, 3, 4, 5, 6, 7, 8, 9] }), 10],
  ["packed flags", written({ flags: [true, false, true] }), 4],
  ["packed values of an enum", written({ colors: [0, 1, 2] }), 4],
  ["no packed numbers", field(31, WireType.LengthDelimited).bytes(new Uint8Array()).raw(written({ text })).finish(), 2],
  [
    "numbers one by one",
    field(31, WireType.Varint)
      .int64(2n ** 60n)
      .tag(31, WireType.Varint)
      .int64(1n)
      .finish(),
    2,
  ],
  ["a message, and what is in it", written({ child: { label: text, child: { label: text } } }), 4],
  ["messages", written({ children: [{ label: text }, { label: text }] }), 4],
  ["packed numbers in a message", written({ child: { numbers: [1, 2, 3] } }), 5],
  ["texts by name", written({ labels: { a: text, b: text } }), 2],
  ["messages by name", written({ childrenByName: { a: { label: text }, b: { child: { label: text } } } }), 5],
  [
    "a message by name, beside what is unknown there",
    field(91, WireType.LengthDelimited)
      .bytes(
        field(1, WireType.LengthDelimited)
          .string("a")
          .tag(3, WireType.LengthDelimited)
          .bytes(written({ texts: [text, text] }))
          .tag(2, WireType.LengthDelimited)
          .bytes(field(1, WireType.LengthDelimited).string(text).finish())
          .finish(),
      )
      .finish(),
    2,
  ],
  [
    "an unknown field",
    field(7777, WireType.LengthDelimited)
      .bytes(written({ texts: [text, text] }))
      .finish(),
    1,
  ],
  [
    "an unknown group",
    field(7777, WireType.StartGroup)
      .raw(written({ texts: [text, text] }))
      .tag(7777, WireType.EndGroup)
      .raw(written({ text }))
      .finish(),
    2,
  ],
])("%s of %o count as %i items", ([, bytes, items]) => {
  expect(bytes.byteLength).toBeGreaterThan(items);
  expect(readCounted(EverythingSchema, bytes, { maxItems: items })).toEqual(fromBinary(EverythingSchema, bytes));
  expect(() => readCounted(EverythingSchema, bytes, { maxItems: items - 1 })).toThrow(
    new LimitExceeded("maxItems", items - 1),
  );
});

test("what a group has, in place of a message, is counted", () => {
  const bytes = field(40, WireType.StartGroup)
    .raw(field(3, WireType.LengthDelimited).bytes(new Uint8Array(20).fill(1)).finish())
    .tag(40, WireType.EndGroup)
    .finish();
  expect(() => readCounted(EverythingSchema, bytes, { maxItems: 21 })).toThrow(LimitExceeded);
  expect(() => readCounted(EverythingSchema, bytes, { maxItems: 22 })).not.toThrow(LimitExceeded);
});

test("packed floats have four bytes each", () => {
  const schema = describe("a.Floats", [["floats", 1, [ScalarType.FLOAT]]]);
  const bytes = field(1, WireType.LengthDelimited).bytes(new Uint8Array(36)).finish();
  expect(() => readCounted(schema, bytes, { maxItems: 9 })).toThrow(LimitExceeded);
  expect(() => readCounted(schema, bytes, { maxItems: 10 })).not.toThrow(LimitExceeded);
});

test("a map's entry, or a message, of another wire type is one item", () => {
  for (const number of [40, 80, 91]) {
    const bytes = field(number, WireType.Varint)
      .int64(2n ** 60n)
      .finish();
    expect(() => readCounted(EverythingSchema, bytes, { maxItems: 0 })).toThrow(LimitExceeded);
    expect(() => readCounted(EverythingSchema, bytes, { maxItems: 1 })).not.toThrow(LimitExceeded);
  }
});

test("malformed bytes are refused, whether they are counted or not", () => {
  const bytes = written({ text }).subarray(0, 10);
  for (const maxItems of [1, 100])
    expect(() => readCounted(EverythingSchema, bytes, { maxItems })).toThrow("premature EOF");
});

test("messages with a reader of their own have all limits, others that on items", () => {
  const list = toBinary(EngineListResponseSchema, create(EngineListResponseSchema, { engines: [{}, {}] }));
  const limits = { ...defaultReadLimits, maxEnginesPerPage: 1 };
  expect(() => readAnyMessage(EngineListResponseSchema, list, limits)).toThrow("maxEnginesPerPage");
  expect(readAnyMessage(EngineListResponseSchema, list).engines).toHaveLength(2);
  expect(readAnyMessage(EverythingSchema, written({ text })).text).toBe(text);
  const many = written({ flags: Array.from({ length: 9 }, () => true) });
  expect(() => readAnyMessage(EverythingSchema, many, { ...limits, maxItems: 9 })).toThrow(LimitExceeded);
});
