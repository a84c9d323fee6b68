// Arbitrary servers and responses, with many equal values.
import {
  create,
  ScalarType,
  type DescField,
  type DescMessage,
  type Message,
  type UnknownField,
} from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { contractMessages, type Hidden, type Numbers, type WireTypes } from "./ForeignServer.ts";

const strings = fc.constantFrom(
  "",
  "",
  "a",
  "b",
  "main.py",
  "0.1",
  "ñ",
  "https://files.example/a?sig=1",
  "https://files.example/a?sig=2",
);
const integers = fc.constantFrom(0, 1, 2, 3, 127, 128);

const scalar = (type: ScalarType): fc.Arbitrary<unknown> => {
  switch (type) {
    case ScalarType.STRING:
      return strings;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return strings.map((text) => new TextEncoder().encode(text));
    case ScalarType.INT32:
      return fc.oneof(integers, fc.constantFrom(-1, -2));
    case ScalarType.FLOAT:
      return fc.oneof(integers, fc.constantFrom(0.1, 0.5));
    default:
      return integers;
  }
};

const item = (field: DescField): fc.Arbitrary<unknown> => {
  if (field.message === undefined) return scalar(field.scalar ?? ScalarType.STRING);
  if (field.message.typeName !== "google.protobuf.Timestamp") return message(field.message);
  return fc.record({ seconds: fc.constantFrom(0n, 1n, 1_700_000_000n), nanos: fc.constantFrom(0, 1, 500_000_000) });
};

const fieldValue = (field: DescField): fc.Arbitrary<unknown> => {
  if (field.fieldKind === "list") return fc.array(item(field), { maxLength: 3 });
  return field.fieldKind === "message" ? fc.option(item(field), { nil: undefined }) : item(field);
};

/** A message with a random part of its fields. */
export const message = (schema: DescMessage): fc.Arbitrary<Message> =>
  fc
    .record(Object.fromEntries(schema.fields.map((field) => [field.localName, fieldValue(field)])), {
      requiredKeys: [],
    })
    .map((init) => create(schema, init as never));

const anyNumber = fc.oneof(
  fc.integer({ min: 1, max: 40 }),
  fc.integer({ min: 1, max: 536_870_911 }).filter((number) => number < 19_000 || number > 19_999),
);

/** The same in another order, but only two or three of them. */
const fewMoved = (ours: ReadonlyArray<number>): fc.Arbitrary<ReadonlyArray<number>> =>
  fc.shuffledSubarray([...ours], { minLength: 2, maxLength: Math.min(3, ours.length) }).map((moved) => {
    const next = new Map(moved.map((number, index) => [number, moved[(index + 1) % moved.length] ?? number]));
    return ours.map((number) => next.get(number) ?? number);
  });

/** Other numbers for all fields, or the same ones in another order, some of them or all, or ours. */
export const numbers: fc.Arbitrary<Numbers> = fc
  .tuple(
    ...contractMessages.map((schema) => {
      const ours = schema.fields.map(({ number }) => number);
      const count = ours.length;
      return fc
        .oneof(
          fc.shuffledSubarray(ours, { minLength: count, maxLength: count }),
          fc.uniqueArray(anyNumber, { minLength: count, maxLength: count }),
          fewMoved(ours),
          fc.constant(ours),
        )
        .map((chosen) => Object.fromEntries(schema.fields.map(({ name }, index) => [name, chosen[index] ?? 0])));
    }),
  )
  .map((all) => Object.fromEntries(contractMessages.map(({ typeName }, index) => [typeName, all[index] ?? {}])));

/** Other wire types with equal JSON. */
export const wireTypes: fc.Arbitrary<WireTypes> = fc
  .record({
    revision: fc.constantFrom(Type.INT32, Type.SINT32, Type.SFIXED32),
    total: fc.constantFrom(Type.UINT32, Type.FIXED32),
  })
  .map(({ revision, total }) => ({
    "bytenite.engine.Engine": { revision },
    "bytenite.common.PaginatedResponse": { total },
  }));

const hiddenField = (taken: ReadonlySet<number>): fc.Arbitrary<UnknownField> =>
  fc
    .tuple(
      anyNumber.filter((number) => !taken.has(number)),
      fc.oneof(
        strings
          .filter((text) => text !== "")
          .map((text) => ({
            wireType: WireType.LengthDelimited,
            data: new BinaryWriter().string(text).finish(),
          })),
        fc.constantFrom(1, 2, 3).map((value) => ({
          wireType: WireType.Varint,
          data: new BinaryWriter().uint32(value).finish(),
        })),
      ),
    )
    .map(([no, { wireType, data }]) => ({ no, wireType, data }));

/** Fields that a server has and our contract has not, for some of its messages. */
export const hiddenFor = (chosen: Numbers): fc.Arbitrary<Hidden> =>
  fc
    .tuple(
      ...contractMessages.map(({ typeName }) =>
        fc.array(hiddenField(new Set(Object.values(chosen[typeName] ?? {}))), { maxLength: 2 }),
      ),
    )
    .map((all) => Object.fromEntries(contractMessages.map(({ typeName }, index) => [typeName, all[index] ?? []])));
