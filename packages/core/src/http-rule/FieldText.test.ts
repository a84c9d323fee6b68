import { create, createFileRegistry, isFieldSet, ScalarType, type MessageInitShape } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { messages } from "../../test/ArbitraryMessages.ts";
import { EverythingSchema } from "../../test/gen/kitchen/v1/kitchen_pb.ts";
import { assertEnum, assertScalar, FieldTextError, isSet, parseEnum, parseScalar, shortestFloat } from "./FieldText.ts";

const setIn = (init: MessageInitShape<typeof EverythingSchema>): ReadonlyArray<string> => {
  const message = create(EverythingSchema, init);
  return EverythingSchema.fields.filter((field) => isSet(message, field)).map(({ name }) => name);
};

test("a field is set where protobuf-es says so", () => {
  fc.assert(
    fc.property(messages(EverythingSchema, 1), (message) => {
      for (const field of EverythingSchema.fields) expect(isSet(message, field)).toBe(isFieldSet(message, field));
    }),
  );
  expect(setIn({})).toEqual([]);
  const cleared = Object.assign(create(EverythingSchema), { maybeText: undefined });
  expect(EverythingSchema.fields.filter((field) => isSet(cleared, field))).toEqual([]);
  expect(setIn({ maybeText: "", maybeNumber: 0, maybeFlag: false, choice: { case: "choiceText", value: "" } })).toEqual(
    ["maybe_text", "maybe_number", "maybe_flag", "choice_text"],
  );
  expect(setIn({ labels: { a: "" }, texts: [""], data: new Uint8Array(1), child: {}, color: 1, int64: 1n })).toEqual([
    "data",
    "int64",
    "color",
    "texts",
    "child",
    "labels",
  ]);
});

const types = [
  [ScalarType.INT32, "-2147483648", "2147483647"],
  [ScalarType.SINT32, "-2147483648", "2147483647"],
  [ScalarType.SFIXED32, "-2147483648", "2147483647"],
  [ScalarType.UINT32, "0", "4294967295"],
  [ScalarType.FIXED32, "0", "4294967295"],
  [ScalarType.INT64, "-9223372036854775808", "9223372036854775807"],
  [ScalarType.SINT64, "-9223372036854775808", "9223372036854775807"],
  [ScalarType.SFIXED64, "-9223372036854775808", "9223372036854775807"],
  [ScalarType.UINT64, "0", "18446744073709551615"],
  [ScalarType.FIXED64, "0", "18446744073709551615"],
] as const;

test.for(types)("an integer of the type %i is read from %s to %s", ([type, least, most]) => {
  for (const text of [least, most]) expect(String(parseScalar(type, text))).toBe(text);
  expect(String(parseScalar(type, `${"0".repeat(40 - most.length)}${most}`))).toBe(most);
  for (const text of [
    String(BigInt(least) - 1n),
    String(BigInt(most) + 1n),
    `${"0".repeat(41 - most.length)}${most}`,
    "",
    "-",
    "1.0",
    "+1",
    " 1",
    "0x1",
  ])
    expect(() => parseScalar(type, text)).toThrow(`must be a whole number from ${least} to ${most}`);
});

test.for<[text: string, value: number]>([
  ["Inf", Infinity],
  ["+Infinity", Infinity],
  ["-Inf", -Infinity],
  ["NaN", Number.NaN],
  ["1.", 1],
  [".5", 0.5],
  ["-1.5e+2", -150],
  ["3.4028234663852886e38", 3.4028234663852886e38],
])("%s is the number %d as a float and as a double", ([text, value]) => {
  expect(parseScalar(ScalarType.FLOAT, text)).toBe(value);
  expect(parseScalar(ScalarType.DOUBLE, text)).toBe(value);
});

test("a float is rounded, a double is not, and neither may be too large", () => {
  expect(parseScalar(ScalarType.FLOAT, "0.1")).toBe(Math.fround(0.1));
  expect(parseScalar(ScalarType.DOUBLE, "0.1")).toBe(0.1);
  expect(parseScalar(ScalarType.DOUBLE, "1e39")).toBe(1e39);
  for (const text of ["1e39", "-1e39", "", ".", "1e", "inf", "0x1", "1_0"])
    expect(() => parseScalar(ScalarType.FLOAT, text)).toThrow("must be a number");
  for (const text of ["1e309", "-1e309"])
    expect(() => parseScalar(ScalarType.DOUBLE, text)).toThrow("must be a number");
});

test("the shortest form of a float is the one with the fewest digits that is the same float", () => {
  for (const value of [0.1, 1 / 3, 1e-45, 3.4028234663852886e38, 16_777_216, 67_108_872, 0, -0.5, 1e10])
    expect([shortestFloat(Math.fround(value)), value].map(Math.fround)).toEqual([value, value].map(Math.fround));
  expect(shortestFloat(Math.fround(0.1))).toBe(0.1);
  expect(shortestFloat(Math.fround(1 / 3))).toBe(0.33333334);
  expect(shortestFloat(67_108_872)).toBe(67_108_870);
  expect(shortestFloat(Math.fround(1e-45))).toBe(1e-45);
  expect(shortestFloat(Math.fround(0.121166185))).toBe(0.121166185);
  expect([shortestFloat(Infinity), shortestFloat(Number.NaN)]).toEqual([Infinity, Number.NaN]);
});

test.for<[type: ScalarType, good: ReadonlyArray<unknown>, bad: ReadonlyArray<unknown>]>([
  [ScalarType.STRING, ["", "a"], [1, null, "\ud800", undefined]],
  [ScalarType.BYTES, [new Uint8Array()], ["", [1], new ArrayBuffer(1)]],
  [ScalarType.BOOL, [true, false], [0, "true", null]],
  [ScalarType.INT32, [0, -1], ["0", 1n, 1.5, null]],
  [ScalarType.DOUBLE, [0.5, Number.NaN, -Infinity], ["0.5", 1n, null]],
  [ScalarType.INT64, [1, 1n, "1"], [1.5, "x", true, null]],
])("of the type %i are values such as %o, and %o are not", ([type, good, bad]) => {
  for (const value of good) expect(() => assertScalar(type, value)).not.toThrow();
  for (const value of bad) expect(() => assertScalar(type, value)).toThrow(FieldTextError);
});

test("a value of an enum has a name or a number; an open enum has other numbers, too", () => {
  const color = EverythingSchema.field.color.enum;
  if (color === undefined) throw new Error("no enum");
  expect(["RED", "1", "0", "99", "-5"].map((text) => parseEnum(color, text))).toEqual([1, 1, 0, 99, -5]);
  for (const text of ["red", "", "1.5", "99999999999", "2147483648"])
    expect(() => parseEnum(color, text)).toThrow(FieldTextError);
  expect(() => assertEnum(color, 2)).not.toThrow();
  for (const value of ["RED", 1.5, null]) expect(() => assertEnum(color, value)).toThrow(FieldTextError);
});

test("a closed enum has no other numbers than its values'", () => {
  const file = create(FileDescriptorProtoSchema, {
    name: "closed.proto",
    package: "closed",
    syntax: "proto2",
    enumType: [
      {
        name: "Size",
        value: [
          { name: "SMALL", number: 1 },
          { name: "LARGE", number: 5 },
        ],
      },
    ],
  });
  const size = createFileRegistry(file, () => undefined).getEnum("closed.Size");
  if (size === undefined) throw new Error("no enum");
  expect(["SMALL", "1", "5"].map((text) => parseEnum(size, text))).toEqual([1, 1, 5]);
  for (const text of ["0", "2"]) expect(() => parseEnum(size, text)).toThrow("must be a value of closed.Size");
});
