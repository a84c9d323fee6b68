import { create, fromBinary, type DescField } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { message } from "../../test/trust/Arbitrary.ts";
import { foreignServer } from "../../test/trust/ForeignServer.ts";
import { admits, layoutOf } from "./Admission.ts";
import { encodingsOf } from "./FieldMatch.ts";
import type { Numbering } from "./Numbering.ts";

const ours = foreignServer({});
const own = (field: DescField) => ({ number: field.number, encoding: encodingsOf(field)[0] ?? "message" });

/** Our own numbers, all certain but for one; 77 is foreign. */
const layoutWithout = (missing?: string) =>
  layoutOf(EngineListResponseSchema, ({ fields }): Numbering => ({
    confirmed: new Map(
      fields.flatMap((field) => (field.name === missing ? [] : [[field.number, { field, ...own(field) }]])),
    ),
    foreign: new Set([77]),
    possible: new Map(),
  }));
const whole = layoutWithout();

const listOf = (...engines: ReadonlyArray<Uint8Array>): Uint8Array => {
  const writer = new BinaryWriter();
  for (const engine of engines) writer.tag(1, WireType.LengthDelimited).bytes(engine);
  return writer.finish();
};

const isProtobuf = (bytes: Uint8Array): boolean => {
  try {
    fromBinary(EngineListResponseSchema, bytes);
    return true;
  } catch {
    return false;
  }
};

test("any message is admitted whose numbers are all certain; cut anywhere, only where it still is a message", () => {
  fc.assert(
    fc.property(message(EngineListResponseSchema), fc.nat(), (sent, cut) => {
      const bytes = ours.protobuf(EngineListResponseSchema, sent as never);
      expect(admits(whole, bytes)).toBe(true);
      const part = bytes.subarray(0, cut % (bytes.length + 1));
      expect(admits(whole, part)).toBe(isProtobuf(part));
    }),
    { numRuns: 500 },
  );
});

test.for(["name", "min_cpu", "total"])("a number that is not certain is not admitted, at any depth (%s)", (missing) => {
  const engine = { name: "zipper", deviceRequirements: { minCpu: 1 } };
  const sent = { engines: [{}, engine], pagination: { total: 2 } };
  const bytes = ours.protobuf(EngineListResponseSchema, create(EngineListResponseSchema, sent));
  expect(admits(whole, bytes)).toBe(true);
  expect(admits(layoutWithout(missing), bytes)).toBe(false);
});

test.for([
  ["another wire type", new BinaryWriter().tag(2, WireType.Varint).uint32(1).finish(), false],
  ["a group", new BinaryWriter().tag(2, WireType.StartGroup).tag(2, WireType.EndGroup).finish(), false],
  ["a length past the end", new BinaryWriter().tag(2, WireType.LengthDelimited).uint32(9).finish(), false],
  ["a tag that is cut short", new Uint8Array([0x80]), false],
  ["a varint that is cut short", new Uint8Array([0x58, 0x80]), false],
  ["a foreign number of any wire type", new BinaryWriter().tag(77, WireType.Bit64).fixed64(1n).finish(), true],
  ["a length with a byte more than it needs", new Uint8Array([0x12, 0x81, 0x00, 0x61]), true],
] as const)("an engine with %s is told", ([, engine, isAdmitted]) => {
  expect(admits(whole, listOf(engine))).toBe(isAdmitted);
});

test("the schema of an engine admits an engine", () => {
  const layout = layoutOf(EngineSchema, ({ fields }) => ({
    confirmed: new Map(fields.map((field) => [field.number, { field, ...own(field) }])),
    foreign: new Set(),
    possible: new Map(),
  }));
  expect(admits(layout, ours.protobuf(EngineSchema, create(EngineSchema, { name: "zipper", revision: -1 })))).toBe(
    true,
  );
});
