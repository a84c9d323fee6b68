import { expect, test } from "vitest";
import { FieldNumbersError, renumbered, type FieldNumbers } from "./FieldNumbers.ts";

test.for<[FieldNumbers, RegExp]>([
  [{ "bytenite.engine.Motor": {} }, /no message bytenite\.engine\.Motor/],
  [{ "google.protobuf.Timestamp": { seconds: 2 } }, /no message google\.protobuf\.Timestamp/],
  [{ "bytenite.engine.Engine": { colour: 1 } }, /no field colour/],
  [{ "bytenite.engine.Engine": { isPublic: 100 } }, /no field isPublic/],
  [{ "bytenite.engine.Engine": { id: 2 } }, /name has the number 2 of another field/],
  [{ "bytenite.engine.Engine": { id: 0 } }, /id cannot have the number 0/],
  [{ "bytenite.engine.Engine": { id: 1.5 } }, /id cannot have the number 1\.5/],
  [{ "bytenite.engine.Engine": { id: 19_000 } }, /id cannot have the number 19000/],
  [{ "bytenite.engine.Engine": { id: 19_999 } }, /id cannot have the number 19999/],
  [{ "bytenite.engine.Engine": { id: 536_870_912 } }, /id cannot have the number 536870912/],
])("the numbering %j is refused", ([numbers, says]) => {
  expect(() => renumbered(numbers)).toThrow(FieldNumbersError);
  expect(() => renumbered(numbers)).toThrow(says);
});

test("fields can change places, and what is not named keeps its number", () => {
  const message = renumbered({ "bytenite.engine.Engine": { id: 2, name: 1 } }).getMessage("bytenite.engine.Engine");
  expect(message?.fields.slice(0, 3).map(({ name, number }) => [name, number])).toEqual([
    ["id", 2],
    ["name", 1],
    ["version", 3],
  ]);
});

test("every number that protobuf allows can be given", () => {
  for (const id of [18_999, 20_000, 536_870_911]) {
    const message = renumbered({ "bytenite.engine.Engine": { id } }).getMessage("bytenite.engine.Engine");
    expect(message?.field["id"]?.number).toBe(id);
  }
});
