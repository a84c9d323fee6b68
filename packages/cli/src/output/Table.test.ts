import * as fc from "fast-check";
import { expect, test } from "vitest";
import { safeText } from "../terminal/SafeText.ts";
import { widthOf } from "../terminal/Width.ts";
import { EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import type { DescMessage } from "@bufbuild/protobuf";
import { engineColumns, enginePaths, statusPaths } from "./EngineShape.ts";
import { styled } from "../terminal/Terminal.ts";
import { lineOf, placed } from "./Table.ts";
import { colouredJson } from "./TextWriters.ts";

const cell = fc.record({
  text: fc.oneof(
    fc.string({ unit: "grapheme", maxLength: 40 }).map(safeText),
    fc.constantFrom("", "1", "x".repeat(200)),
  ),
});
const row = fc.tuple(...engineColumns.map(() => cell));

test("no line is wider than the terminal, whatever the values", () => {
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 1, maxLength: 5 }),
      fc.integer({ min: 10, max: 200 }),
      fc.boolean(),
      (rows, width, asked) => {
        const places = placed(engineColumns, rows, width, asked);
        for (const cells of rows) {
          const chosen = places.map(({ column }) => cells[engineColumns.indexOf(column)] ?? { text: "" });
          expect(widthOf(lineOf(places, chosen, { colour: false, width }))).toBeLessThanOrEqual(width);
        }
      },
    ),
  );
});

test("columns that were asked for all stay, others go by their rank", () => {
  const rows = [engineColumns.map(() => ({ text: "0123456789" }))];
  expect(placed(engineColumns, rows, 60, true)).toHaveLength(engineColumns.length);
  const kept = placed(engineColumns, rows, 40, false).map(({ column }) => column.path);
  expect(kept.slice(0, 2)).toEqual(["name", "version"]);
  expect(kept).not.toContain("deviceRequirements.minMemory");
});

test("without a width nothing is cut", () => {
  const long = "y".repeat(500);
  const rows = [engineColumns.map(() => ({ text: long }))];
  const places = placed(engineColumns, rows, undefined, false);
  expect(lineOf(places, rows[0] ?? [], { colour: false, width: undefined })).toBe(
    engineColumns.map(() => long).join("  "),
  );
});

test("the identifying column is cut last", () => {
  const name = "fanout-replica-of-mine";
  const long = engineColumns.map(({ path }) => ({ text: path === "name" ? name : "z".repeat(40) }));
  const places = placed(engineColumns, [long], 80, false);
  const chosen = places.map(({ column }) => long[engineColumns.indexOf(column)] ?? { text: "" });
  expect(lineOf(places, chosen, { colour: false, width: 80 })).toMatch(new RegExp(`^${name} `));
});

const pathsOf = (schema: DescMessage): ReadonlyArray<string> =>
  schema.fields.flatMap((field) =>
    field.fieldKind === "message" && !field.message.typeName.startsWith("google.protobuf.")
      ? [field.jsonName, ...pathsOf(field.message).map((path) => `${field.jsonName}.${path}`)]
      : [field.jsonName],
  );

test("fields are those of the contract, in its order", () => {
  expect(enginePaths).toEqual(pathsOf(EngineSchema));
  expect(statusPaths).toEqual(pathsOf(EngineMessageSchema));
});

test("names, texts, numbers and other values of JSON have a colour each", () => {
  const name = styled('"name"', "heading", true);
  const parts = [styled('"a"', "good", true), styled("-1.5e3", "warning", true), styled("null", "faint", true)];
  expect(colouredJson('{\n  "name": ["a", -1.5e3, null]\n}\n')).toBe(`{\n  ${name}: [${parts.join(", ")}]\n}\n`);
  expect(parts[0]).not.toBe('"a"');
});
