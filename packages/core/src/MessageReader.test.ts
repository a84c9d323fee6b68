import { create, fromBinary, toBinary, type DescMessage } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { message } from "../test/verify/Arbitrary.ts";
import { readMessage } from "./MessageReader.ts";

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
