// Arbitrary messages with extreme values.
import {
  create,
  fromJson,
  ScalarType,
  type DescField,
  type DescMessage,
  type JsonValue,
  type MessageShape,
} from "@bufbuild/protobuf";
import { ListValueSchema, ValueSchema } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";

/** Seconds since 1970 of the ends of a google.protobuf.Timestamp: year 1 and year 9999. */
const minSeconds = -62_135_596_800n;
const maxSeconds = 253_402_300_799n;

const nanos = fc.oneof(
  fc.constantFrom(0, 1, 999_999_999, 500_000_000, 123_000_000, 123_456_000),
  fc.integer({ min: 0, max: 999_999_999 }),
);

/** The moments that a Timestamp can name. */
export const timestamps = fc.record({
  seconds: fc.oneof(fc.constantFrom(minSeconds, maxSeconds, 0n, -1n), fc.bigInt({ min: minSeconds, max: maxSeconds })),
  nanos,
});

/** Binary32, without -0: in JSON it equals 0. */
export const floats = fc.float().map((value) => (value === 0 ? 0 : value));

/** Any text that Unicode allows, also outside the basic plane. */
export const texts = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }),
  fc.string({ unit: "grapheme", maxLength: 6 }),
  fc.constantFrom("\u0000", "\u{10ffff}", "\ufeff", "\u2028", '"\\/', "\u202eabc", "null", "-0"),
);

const scalar = (type: ScalarType): fc.Arbitrary<unknown> => {
  switch (type) {
    case ScalarType.STRING:
      return texts;
    case ScalarType.BOOL:
      return fc.boolean();
    case ScalarType.BYTES:
      return fc.uint8Array({ maxLength: 20 });
    case ScalarType.INT32:
      return fc.oneof(fc.constantFrom(-(2 ** 31), 2 ** 31 - 1), fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }));
    case ScalarType.UINT32:
      return fc.oneof(fc.constantFrom(0, 2 ** 32 - 1), fc.integer({ min: 0, max: 2 ** 32 - 1 }));
    case ScalarType.FLOAT:
      return floats;
    case ScalarType.SINT32:
    case ScalarType.SFIXED32:
      return fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
    case ScalarType.FIXED32:
      return fc.integer({ min: 0, max: 2 ** 32 - 1 });
    case ScalarType.INT64:
    case ScalarType.SINT64:
    case ScalarType.SFIXED64:
      return fc.oneof(
        fc.constantFrom(-(2n ** 63n), 2n ** 63n - 1n),
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      );
    case ScalarType.UINT64:
    case ScalarType.FIXED64:
      return fc.oneof(fc.constantFrom(0n, 2n ** 64n - 1n), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }));
    case ScalarType.DOUBLE:
      return fc.double().map((value) => (value === 0 ? 0 : value));
    default:
      throw new Error(`no arbitrary value of the type ${String(type)}`);
  }
};

/** Seconds of the ends of a google.protobuf.Duration. */
const maxDuration = 315_576_000_000n;

const jsonValues = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as JsonValue);
const jsonObjects = fc.dictionary(fc.string({ unit: "grapheme", maxLength: 4 }), jsonValues, { maxKeys: 3 });

/** The well-known types, as `create` takes them. */
const wellKnown: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  Timestamp: timestamps,
  Duration: fc.oneof(
    fc.record({ seconds: fc.bigInt({ min: 0n, max: maxDuration - 1n }), nanos }),
    fc.record({ seconds: fc.bigInt({ min: 1n - maxDuration, max: 0n }), nanos: nanos.map((value) => 0 - value || 0) }),
  ),
  FieldMask: fc.record({ paths: fc.array(fc.constantFrom("a", "a_b", "child.label", "int64_text"), { maxLength: 3 }) }),
  Struct: jsonObjects,
  Value: jsonValues.map((value) => fromJson(ValueSchema, value)),
  ListValue: fc.array(jsonValues, { maxLength: 3 }).map((value) => fromJson(ListValueSchema, value)),
};

const single = (field: DescField, depth: number): fc.Arbitrary<unknown> => {
  if (field.enum !== undefined) return fc.constantFrom(...field.enum.values.map(({ number }) => number), 77);
  if (field.message === undefined) {
    const value = scalar(field.scalar);
    const isText = (field.fieldKind === "scalar" || field.fieldKind === "list") && field.longAsString;
    return isText ? value.map(String) : value;
  }
  const known = wellKnown[field.message.typeName.replace("google.protobuf.", "")];
  if (known !== undefined) return known;
  const wrapped = field.message.typeName.startsWith("google.protobuf.") ? field.message.field["value"] : undefined;
  if (wrapped?.scalar !== undefined && field.message.fields.length === 1) {
    const value = scalar(wrapped.scalar);
    return field.oneof === undefined && field.fieldKind === "message" ? value : value.map((item) => ({ value: item }));
  }
  return messages(field.message, depth - 1);
};

const mapKey = (type: ScalarType): fc.Arbitrary<string> =>
  type === ScalarType.STRING
    ? fc.string({ unit: "grapheme", maxLength: 6 }).filter((key) => key !== "__proto__")
    : scalar(type).map(String);

const member = (field: DescField, depth: number): fc.Arbitrary<unknown> => {
  if (field.fieldKind === "list") return fc.array(single(field, depth), { maxLength: 3 });
  if (field.fieldKind === "map")
    return fc.dictionary(mapKey(field.mapKey), single(field, depth), { maxKeys: 3, noNullPrototype: true });
  return single(field, depth);
};

/** How deep messages of a recursive type nest. */
const maxDepth = 3;

/** Messages with any part of their fields set, those left out that `isLeftOut` names. */
export const messages = <D extends DescMessage>(
  schema: D,
  depth = maxDepth,
  isLeftOut: (field: DescField) => boolean = () => false,
): fc.Arbitrary<MessageShape<D>> => {
  const fields = schema.fields.filter(
    (field) =>
      !isLeftOut(field) &&
      field.message?.typeName !== "google.protobuf.Any" &&
      (depth > 0 || field.message === undefined),
  );
  const plain = fields.filter(({ oneof }) => oneof === undefined);
  const choices = schema.oneofs.map((oneof): [string, fc.Arbitrary<unknown>] => [
    oneof.localName,
    fc.oneof(
      ...oneof.fields
        .filter((field) => fields.includes(field))
        .map((field) => member(field, depth).map((value) => ({ case: field.localName, value }))),
    ),
  ]);
  return fc
    .record(
      Object.fromEntries([
        ...plain.map((field): [string, fc.Arbitrary<unknown>] => [field.localName, member(field, depth)]),
        ...choices,
      ]),
      {
        requiredKeys: [],
      },
    )
    .map((init) => create<DescMessage>(schema, init) as MessageShape<D>);
};
