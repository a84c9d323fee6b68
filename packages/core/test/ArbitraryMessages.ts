// Arbitrary messages of the contract, to the ends of what their types can hold.
import { create, ScalarType, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
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

/** Binary32, without -0: JSON does not tell it from 0. */
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
    default:
      throw new Error(`no arbitrary value of the type ${type}`);
  }
};

const single = (field: DescField): fc.Arbitrary<unknown> => {
  if (field.message === undefined) return scalar(field.scalar as ScalarType);
  return field.message.typeName === "google.protobuf.Timestamp" ? timestamps : messages(field.message);
};

/** Messages with any part of their fields set. */
export const messages = <D extends DescMessage>(schema: D): fc.Arbitrary<MessageShape<D>> =>
  fc
    .record(
      Object.fromEntries(
        schema.fields.map((field) => [
          field.localName,
          field.fieldKind === "list" ? fc.array(single(field), { maxLength: 3 }) : single(field),
        ]),
      ),
      { requiredKeys: [] },
    )
    .map((init) => create<DescMessage>(schema, init) as MessageShape<D>);
