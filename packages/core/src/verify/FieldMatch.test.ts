import {
  create,
  ScalarType,
  toBinary,
  type DescField,
  type DescMessage,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { EverythingSchema } from "../../test/gen/kitchen/v1/kitchen_pb.ts";
import { encodingsOf, isPopulated, matches, ownEncoding, sameBytes, sameLink, sameMessage } from "./FieldMatch.ts";
import { tryWireFields, type Encoding } from "./WireFields.ts";

const all = (): boolean => true;

const fieldOf = (schema: DescMessage, name: string): DescField => schema.field[name] as DescField;

/** Whether the bytes of a message, in our encoding, can have the value of a field. */
const carries = (
  schema: DescMessage,
  name: string,
  bytes: Uint8Array,
  value: unknown,
  encoding?: Encoding,
): boolean => {
  const field = fieldOf(schema, name);
  return matches(field, encoding ?? ownEncoding(field), tryWireFields([bytes])?.get(field.number), value, all);
};

type Init = MessageInitShape<typeof EverythingSchema>;
const sent = (init: Init): Uint8Array => toBinary(EverythingSchema, create(EverythingSchema, init));

test("a varint of more than ten bytes is not a value", () => {
  const bytes = new Uint8Array([0x20, ...new Uint8Array(10).fill(0x80), 0x01]);
  expect(carries(EverythingSchema, "int32", bytes, 0)).toBe(false);
});

test.for<[name: string, value: unknown, other: unknown]>([
  ["text", "a", "b"],
  ["text", "https://f/a?sig=1", "https://f/b?sig=1"],
  ["data", new Uint8Array([1, 2]), new Uint8Array([1, 3])],
  ["data", new Uint8Array([1, 2]), new Uint8Array([1, 2, 3])],
  ["flag", true, false],
  ["int32", -5, 5],
  ["sint32", -5, 5],
  ["sfixed32", -5, 5],
  ["uint32", 4_294_967_295, 0],
  ["fixed32", 7, 8],
  ["float", 0.5, 0.25],
  ["double", 0.1, 0.2],
  ["double", Number.NaN, 1],
  ["double", 1, Number.NaN],
  ["texts", ["a", "b"], ["a", "c"]],
  ["texts", ["a", "b"], ["a"]],
  ["texts", ["a"], ["a", "b"]],
  ["doubles", [1, 2], [1, 3]],
  ["doubles", [1, 2], [1]],
  ["flags", [true, false], [true, true]],
  ["int64s", [1n, 2n], [1n, 3n]],
  ["child", { label: "a" }, { label: "b" }],
  ["child", { label: "a" }, undefined],
  ["children", [{ label: "a" }, { label: "b" }], [{ label: "a" }, { label: "c" }]],
  ["children", [{ label: "a" }, { label: "b" }], [{ label: "a" }]],
  ["time", { seconds: 1n, nanos: 2 }, { seconds: 1n, nanos: 3 }],
  ["time", { seconds: 1n, nanos: 2 }, { seconds: 2n, nanos: 2 }],
])("%s = %o is carried by its bytes, and %o is not", ([name, value, other]) => {
  const init = create(EverythingSchema, { [name]: value });
  const { localName } = fieldOf(EverythingSchema, name);
  const values = (of: unknown) =>
    (create(EverythingSchema, { [localName]: of }) as unknown as Record<string, unknown>)[localName];
  const bytes = toBinary(EverythingSchema, init);
  expect(carries(EverythingSchema, name, bytes, values(value))).toBe(true);
  expect(carries(EverythingSchema, name, bytes, values(other))).toBe(false);
  // What is populated must be on the wire.
  expect(carries(EverythingSchema, name, new Uint8Array(), values(value))).toBe(false);
});

const explicit = (number: number) => new BinaryWriter().tag(number, WireType.LengthDelimited).bytes(new Uint8Array());

test("a value that is not populated need not be on the wire, and may be", () => {
  for (const value of ["", 0, false, undefined, [], new Uint8Array(), 0n]) expect(isPopulated(value)).toBe(false);
  for (const value of ["0", 1, true, {}, [0], new Uint8Array(1), Number.NaN, -1n])
    expect(isPopulated(value)).toBe(true);
  expect(carries(EverythingSchema, "text", new Uint8Array(), "")).toBe(true);
  expect(carries(EverythingSchema, "texts", new Uint8Array(), [])).toBe(true);
  expect(carries(EverythingSchema, "text", explicit(1).finish(), "")).toBe(true);
  expect(carries(EverythingSchema, "child", explicit(40).finish(), undefined)).toBe(true);
  const full = explicit(40).raw(sent({ child: { label: "a" } }));
  expect(carries(EverythingSchema, "child", full.finish(), undefined)).toBe(false);
});

test("a number of another wire type cannot even be an empty list", () => {
  const { number } = fieldOf(EverythingSchema, "texts");
  const bytes = new BinaryWriter().tag(number, WireType.Varint).uint32(1).finish();
  expect(carries(EverythingSchema, "texts", bytes, [])).toBe(false);
});

test("the last of several values counts, and a message in parts is one", () => {
  const twice = new Uint8Array([
    ...sent({ text: "a", child: { label: "a" } }),
    ...sent({ text: "b", child: { numbers: [1] } }),
  ]);
  expect(carries(EverythingSchema, "text", twice, "b")).toBe(true);
  expect(carries(EverythingSchema, "text", twice, "a")).toBe(false);
  const child = { label: "a", numbers: [1] };
  expect(carries(EverythingSchema, "child", twice, child)).toBe(true);
  expect(carries(EverythingSchema, "child", twice, { ...child, label: "b" })).toBe(false);
});

test("numbers one behind the other, each by itself or both are one list", () => {
  const one = new BinaryWriter().tag(31, WireType.Varint).int64(1n).finish();
  const mixed = new Uint8Array([...one, ...sent({ int64s: [2n, 3n] })]);
  expect(carries(EverythingSchema, "int64s", mixed, [1n, 2n, 3n])).toBe(true);
  expect(carries(EverythingSchema, "int64s", mixed, [1n, 2n])).toBe(false);
  const fixed = new BinaryWriter().tag(31, WireType.Bit64).fixed64(1n).finish();
  expect(carries(EverythingSchema, "int64s", fixed, [1n])).toBe(false);
  const both = new Uint8Array([...fixed, ...sent({ int64s: [2n] })]);
  expect(carries(EverythingSchema, "int64s", both, [2n])).toBe(false);
  const cut = new BinaryWriter()
    .tag(31, WireType.LengthDelimited)
    .bytes(new Uint8Array([0x80]))
    .finish();
  expect(carries(EverythingSchema, "int64s", cut, [1n])).toBe(false);
  const text = new BinaryWriter().tag(90, WireType.Varint).int64(1n).finish();
  expect(carries(EverythingSchema, "children", text, [{ label: "" }])).toBe(false);
});

test("another wire type is another field", () => {
  const number = new BinaryWriter().tag(1, WireType.Varint).int32(1).finish();
  expect(carries(EverythingSchema, "text", number, "\u0001")).toBe(false);
  expect(carries(EverythingSchema, "int32", sent({ int32: 3 }), -2, ScalarType.SINT32)).toBe(true);
  expect(carries(EverythingSchema, "int32", sent({ int32: 3 }), 3, ScalarType.SFIXED32)).toBe(false);
});

test("a value and one of another wire type are not one field", () => {
  const mixed = new BinaryWriter()
    .tag(1, WireType.Varint)
    .int32(1)
    .raw(sent({ text: "a" }));
  expect(carries(EverythingSchema, "text", mixed.finish(), "a")).toBe(false);
});

test("of a list, 256 messages are compared", () => {
  const children = Array.from({ length: 300 }, (_, at) => ({ label: `${at}` }));
  const bytes = sent({ children });
  const other = (at: number) => children.map((child, index) => (index === at ? { label: "x" } : child));
  expect([0, 255, 256].map((at) => carries(EverythingSchema, "children", bytes, other(at)))).toEqual([
    false,
    false,
    true,
  ]);
});

const timeWith = (number: number) =>
  new BinaryWriter()
    .tag(60, WireType.LengthDelimited)
    .bytes(new BinaryWriter().tag(1, WireType.Varint).int64(1n).tag(number, WireType.Varint).int32(5).finish())
    .finish();

test("a message that is malformed, or a Timestamp with an unknown field, is not the value", () => {
  const malformed = new BinaryWriter()
    .tag(40, WireType.LengthDelimited)
    .bytes(new Uint8Array([0x0a, 0x7f]))
    .finish();
  for (const value of [{ label: "a" }, { label: "" }])
    expect(carries(EverythingSchema, "child", malformed, value)).toBe(false);
  expect(carries(EverythingSchema, "time", timeWith(2), { seconds: 1n, nanos: 5 })).toBe(true);
  for (const nanos of [0, 5])
    expect(carries(EverythingSchema, "time", timeWith(3), { seconds: 1n, nanos })).toBe(false);
});

test("a number that is not 0 or 1 is no boolean", () => {
  const odd = new BinaryWriter().tag(3, WireType.Varint).int32(2).finish();
  expect(carries(EverythingSchema, "flag", odd, true)).toBe(false);
  expect(carries(EverythingSchema, "flag", odd, false)).toBe(false);
});

test("floats are equal by their binary32", () => {
  expect(carries(EverythingSchema, "float", sent({ float: 0.1 }), 0.1)).toBe(true);
  expect(carries(EverythingSchema, "float", sent({ float: 0.1 }), 0.1000001)).toBe(false);
  expect(carries(EverythingSchema, "double", sent({ double: Math.fround(0.1) }), 0.1)).toBe(false);
});

test("links are equal whatever their signatures", () => {
  expect(sameLink("https://f/a?1", "https://f/a?2")).toBe(true);
  expect(sameLink("http://f/a?1", "http://f/a?2")).toBe(true);
  expect(sameLink("https://f/a?1", "https://f/a")).toBe(false);
  expect(sameLink("https://f/a", "https://f/a?1")).toBe(false);
  expect(sameLink("ftp://f/a?1", "ftp://f/a?2")).toBe(false);
  expect(sameLink("see https://f/a?1", "see https://f/a?1")).toBe(false);
  expect(carries(EverythingSchema, "text", sent({ text: "https://f/a?1" }), "https://f/a?2")).toBe(true);
});

const sameContent = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) =>
  sameBytes(new Uint8Array(a), new Uint8Array(b));

test("bytes are equal with the same length and content", () => {
  expect([
    sameContent([], []),
    sameContent([1, 2], [1, 2]),
    sameContent([1], [1, 2]),
    sameContent([1, 2], [1]),
    sameContent([1, 2], [1, 3]),
  ]).toEqual([true, true, false, false, false]);
});

const encodings = (name: string) => encodingsOf(fieldOf(EverythingSchema, name));

test("an encoding that the JSON does not tell apart is possible, its own first", () => {
  expect(encodings("int32")).toEqual([ScalarType.INT32, ScalarType.SINT32, ScalarType.SFIXED32]);
  expect(encodings("uint32")).toEqual([ScalarType.UINT32, ScalarType.FIXED32]);
  expect(encodings("int64")).toEqual([ScalarType.INT64, ScalarType.SINT64, ScalarType.SFIXED64]);
  expect(encodings("uint64")).toEqual([ScalarType.UINT64, ScalarType.FIXED64]);
  expect([encodings("text"), encodings("float"), encodings("child"), encodings("color")]).toEqual([
    [ScalarType.STRING],
    [ScalarType.FLOAT],
    ["message"],
    [],
  ]);
});

test.for<[protobuf: MessageInitShape<typeof EngineSchema>, json: MessageInitShape<typeof EngineSchema>, same: boolean]>(
  [
    [{ name: "a", revision: 1 }, { name: "a", revision: 1 }, true],
    [{ name: "a", revision: 1 }, { name: "a", revision: 2 }, false],
    [{ name: "a" }, { name: "b" }, false],
    [{ isPublic: true }, {}, false],
    [{ deviceRequirements: { minCpu: Math.fround(0.1) } }, { deviceRequirements: { minCpu: 0.1 } }, true],
    [{ deviceRequirements: { minCpu: 0.1 } }, { deviceRequirements: { minCpu: 0.2 } }, false],
    [{ deviceRequirements: { minCpu: Number.NaN } }, { deviceRequirements: { minCpu: Number.NaN } }, true],
    [{ deviceRequirements: { minCpu: -0 } }, { deviceRequirements: { minCpu: 0 } }, true],
    [{ deviceRequirements: { gpu: ["a", "b"] } }, { deviceRequirements: { gpu: ["a", "b"] } }, true],
    [{ deviceRequirements: { gpu: ["a"] } }, { deviceRequirements: { gpu: ["a", "b"] } }, false],
    [{ deviceRequirements: { gpu: ["a", "b"] } }, { deviceRequirements: { gpu: ["a"] } }, false],
    [{ deviceRequirements: { gpu: ["a", "b"] } }, { deviceRequirements: { gpu: ["a", "c"] } }, false],
    [{ deviceRequirements: {} }, {}, false],
    [{}, { deviceRequirements: {} }, false],
    [{ link: "https://f/a?1" }, { link: "https://f/a?2" }, true],
    [{ link: "https://f/a?1" }, { link: "https://f/b?1" }, false],
  ],
)("of %j and %j is said that they are the same: %s", ([protobuf, json, same]) => {
  expect(sameMessage(EngineSchema, create(EngineSchema, protobuf), create(EngineSchema, json))).toBe(same);
});

const sameData = (a: ReadonlyArray<number>, b: ReadonlyArray<number>) =>
  sameMessage(
    EngineMessageSchema,
    create(EngineMessageSchema, { engineData: new Uint8Array(a) }),
    create(EngineMessageSchema, { engineData: new Uint8Array(b) }),
  );

test("bytes in a message are compared by their content", () => {
  expect([sameData([1], [1]), sameData([1], [2])]).toEqual([true, false]);
});
