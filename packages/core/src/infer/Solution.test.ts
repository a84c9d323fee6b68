import { create, ScalarType, type DescField } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EngineMessageSchema, PaginatedResponseSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { allowedBy, noEvidence, withRecord, type MessageEvidence } from "./Evidence.ts";
import { addPair } from "./Pair.ts";
import { solve } from "./Solution.ts";

const at = (...candidates: ReadonlyArray<number>) => ({
  seen: 1,
  candidates: candidates.map((number) => ({ number, encoding: ScalarType.STRING })),
});

test("three fields that share two of their numbers leave the third one its own", () => {
  const numbering = solve(EngineMessageSchema, {
    records: 1,
    numbers: new Set([7, 8, 9]),
    fields: new Map([
      ["engine_id", at(7, 8)],
      ["engine_tag", at(7, 8)],
      ["engine_link", at(7, 8, 9)],
    ]),
  });
  expect([...(numbering?.confirmed.values() ?? [])].map(({ field, number }) => [field.name, number])).toEqual([
    ["engine_link", 9],
  ]);
});

test("two fields that were seen and have one number between them fit no numbering", () => {
  const evidence = {
    records: 1,
    numbers: new Set([7]),
    fields: new Map([
      ["engine_id", at(7)],
      ["engine_tag", at(7)],
    ]),
  };
  expect(solve(EngineMessageSchema, evidence)).toBeUndefined();
});

test("a witnessed number that no field can have is foreign", () => {
  const evidence = { records: 1, numbers: new Set([7, 8]), fields: new Map([["engine_id", at(7)]]) };
  expect([...(solve(EngineMessageSchema, evidence)?.foreign ?? [])]).toEqual([8]);
});

const text = (value: string) => [{ wireType: WireType.LengthDelimited, data: new TextEncoder().encode(value) }];

/** What is known after each message, given as its wire fields and its `engineId`. */
const learned = (...records: ReadonlyArray<readonly [wire: Record<number, string>, engineId: string]>) => {
  let known: MessageEvidence | undefined = { records: 0, numbers: new Set(), fields: new Map() };
  for (const [wire, engineId] of records) {
    if (known === undefined) return undefined;
    const fields = new Map(Object.entries(wire).map(([number, value]) => [Number(number), text(value)] as const));
    const values = create(EngineMessageSchema, { engineId });
    known = withRecord(known, EngineMessageSchema, fields, values, () => true);
  }
  return known;
};

test("a field that was seen is carried by one of the numbers of the first message with it", () => {
  const { fields, records } = learned([{ 1: "a" }, "a"], [{ 1: "b", 2: "b" }, "b"]) ?? {};
  expect(fields?.get("engine_id")).toEqual({ seen: 2, candidates: [{ number: 1, encoding: ScalarType.STRING }] });
  expect(records).toBe(2);
});

test("a field without a number that can carry it contradicts once it is seen, and not before", () => {
  expect(learned([{ 1: "a" }, "b"])).toBeUndefined();
  expect(learned([{ 1: "a" }, ""])?.fields.has("engine_id")).toBe(false);
});

test("a foreign number may be a field that was never seen, if there is one of its wire type", () => {
  const seen = { engineId: "a", engineTag: "b", engineLink: "c", engineStatus: "d", engineData: new Uint8Array([1]) };
  const blindFor = (values: typeof seen): unknown => {
    const writer = new BinaryWriter().tag(9, WireType.LengthDelimited).string("z");
    for (const [index, name] of (["engineId", "engineTag", "engineLink", "engineStatus"] as const).entries()) {
      if (values[name] !== "") writer.tag(index + 1, WireType.LengthDelimited).string(values[name]);
    }
    writer.tag(5, WireType.LengthDelimited).bytes(values.engineData);
    const fit = addPair(noEvidence, EngineMessageSchema, writer.finish(), create(EngineMessageSchema, values));
    return [fit?.foreign, fit?.blind];
  };
  expect(blindFor(seen)).toEqual([["bytenite.developer.EngineMessage#9"], false]);
  expect(blindFor({ ...seen, engineStatus: "" })).toEqual([["bytenite.developer.EngineMessage#9"], true]);
});

test.for<[wireTypes: ReadonlyArray<WireType>, blind: boolean]>([
  [[WireType.Varint], true],
  [[WireType.Bit32], true],
  [[WireType.Bit64], false],
  [[WireType.Varint, WireType.Bit64], false],
])("a foreign number with the wire types %j may be a whole number that was never seen: %s", ([wireTypes, blind]) => {
  const seen = { offset: 2, hasPrevious: true, hasNext: true };
  const writer = new BinaryWriter().tag(2, WireType.Varint).uint32(2);
  for (const number of [3, 4]) writer.tag(number, WireType.Varint).uint32(1);
  const lengths: Partial<Record<WireType, number>> = { [WireType.Varint]: 1, [WireType.Bit32]: 4, [WireType.Bit64]: 8 };
  for (const wireType of wireTypes) writer.tag(9, wireType).raw(new Uint8Array(lengths[wireType] ?? 0).fill(7));
  const fit = addPair(noEvidence, PaginatedResponseSchema, writer.finish(), create(PaginatedResponseSchema, seen));
  expect([fit?.foreign, fit?.blind]).toEqual([["bytenite.common.PaginatedResponse#9"], blind]);
});

test("evidence allows a number that was a candidate, and a field that was never seen any new number", () => {
  const { engineId, engineTag, engineLink } = EngineMessageSchema.field;
  const fields = new Map([
    ["engine_id", at(1)],
    ["engine_tag", { ...at(2), seen: 0 }],
  ]);
  const evidence = { records: 1, numbers: new Set([1, 2, 3]), fields };
  const allowed = allowedBy(new Map([[EngineMessageSchema.typeName, evidence]]));
  const numbersOf = (field: DescField, encoding = ScalarType.STRING) =>
    [1, 2, 3, 4].filter((number) => allowed(EngineMessageSchema, field, number, encoding));
  expect([engineId, engineTag, engineLink].map((field) => numbersOf(field))).toEqual([[1], [2, 4], [4]]);
  expect(numbersOf(engineId, ScalarType.BYTES)).toEqual([]);
  expect(allowedBy(noEvidence)(EngineMessageSchema, engineId, 1, ScalarType.STRING)).toBe(true);
});
