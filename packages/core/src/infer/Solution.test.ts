import { ScalarType } from "@bufbuild/protobuf";
import { EngineMessageSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
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
