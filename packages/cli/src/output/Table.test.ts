import * as fc from "fast-check";
import { expect, test } from "vitest";
import { safeText } from "../terminal/SafeText.ts";
import { widthOf } from "../terminal/Width.ts";
import { EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import type { DescMessage, JsonObject } from "@bufbuild/protobuf";
import { engineColumns, enginePaths, statusPaths } from "./EngineShape.ts";
import { styled } from "../terminal/Terminal.ts";
import type { Column } from "./Shape.ts";
import { detailsWriter, leftOutOf, lineOf, placed, tableText, type TableOptions } from "./Table.ts";
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
          expect(widthOf(lineOf(places, chosen, { colour: false, cuts: true }))).toBeLessThanOrEqual(width);
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
  expect(lineOf(places, rows[0] ?? [], { colour: false, cuts: false })).toBe(engineColumns.map(() => long).join("  "));
});

test("the identifying column is cut last", () => {
  const name = "fanout-replica-of-mine";
  const long = engineColumns.map(({ path }) => ({ text: path === "name" ? name : "z".repeat(40) }));
  const places = placed(engineColumns, [long], 80, false);
  const chosen = places.map(({ column }) => long[engineColumns.indexOf(column)] ?? { text: "" });
  expect(lineOf(places, chosen, { colour: false, cuts: true })).toMatch(new RegExp(`^${name} `));
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

const columns: ReadonlyArray<Column> = [
  { path: "name", kind: "text", leastCells: 4 },
  { path: "status", kind: "status", leastCells: 6, rank: 1 },
  { path: "deep.count", kind: "number", rank: 2 },
  { path: "at", kind: "time", rank: 3 },
];
const now = Date.UTC(2025, 5, 1);
const records = [
  { name: "a-long-name", status: "active", deep: { count: 5 }, at: "2025-05-31T23:59:00.000Z" },
  { name: "b", status: "odd", deep: { count: 12 }, at: "never" },
  { name: "", deep: null },
];
const terminal = (width: number | undefined): TableOptions["terminal"] => ({
  isTTY: width !== undefined,
  colour: false,
  width,
});
const options = { columns, headers: true, asked: false, now: () => now };

/** The lines of a table on a terminal of so many cells, and what is left out. */
const table = (width: number | undefined, more: Partial<TableOptions> = {}): object => {
  const { lines, places, cut } = tableText({ ...options, terminal: terminal(width), ...more }, records);
  return { lines, cut, missing: leftOutOf(columns, places) };
};

test("columns go by their rank, then what is left shrinks to its least, the widest first", () => {
  expect(table(undefined)).toEqual({
    lines: [
      "name         status  count  at",
      "a-long-name  active      5  2025-05-31T23:59:00.000Z",
      "b            odd        12  never",
      "",
    ],
    cut: 0,
    missing: [],
  });
  for (const [width, lines, cut, missing] of [
    [
      39,
      [
        "name         status    count  at",
        "a-long-name  ● active      5  1 min ago",
        "b            ◆ odd        12  never",
      ],
      0,
      [],
    ],
    [
      38,
      [
        "name         status   count  at",
        "a-long-name  ● acti…      5  1 min ago",
        "b            ◆ odd       12  never",
      ],
      1,
      [],
    ],
    [32, ["name    status  count  at", "a-lon…  ● act…      5  1 min ago", "b       ◆ odd      12  never"], 2, []],
    [30, ["name  status  count  at", "a-l…  ● act…      5  1 min ago", "b     ◆ odd      12  never"], 2, []],
    [29, ["name         status    count", "a-long-name  ● active      5", "b            ◆ odd        12"], 0, ["at"]],
    [28, ["name         status    count", "a-long-name  ● active      5", "b            ◆ odd        12"], 0, ["at"]],
    [19, ["name  status  count", "a-l…  ● act…      5", "b     ◆ odd      12"], 2, ["at"]],
    [18, ["name        status", "a-long-na…  ● act…", "b           ◆ odd"], 2, ["count", "at"]],
    [12, ["name  status", "a-l…  ● act…", "b     ◆ odd"], 2, ["count", "at"]],
    [11, ["name", "a-long-name", "b"], 0, ["status", "count", "at"]],
    [3, ["na…", "a-…", "b"], 1, ["status", "count", "at"]],
  ] as const) {
    expect([width, table(width)]).toEqual([width, { lines: [...lines, ""], cut, missing }]);
  }
});

test("columns of --columns shrink to four cells before one is left out", () => {
  for (const [width, lines, cut, missing] of [
    [22, ["name  sta…  cou…  at", "a-l…  ● a…     5  1 m…", "b     ◆ o…    12  nev…"], 5, []],
    [21, ["name       sta…  cou…", "a-long-n…  ● a…     5", "b          ◆ o…    12"], 3, ["at"]],
  ] as const) {
    expect([width, table(width, { asked: true })]).toEqual([width, { lines: [...lines, ""], cut, missing }]);
  }
});

/** The cells that columns with these ranks, widths and least widths get. */
const cellsOf = (
  width: number,
  ...wanted: ReadonlyArray<readonly [cells: number, leastCells: number, rank?: number]>
): ReadonlyArray<readonly [path: string, cells: number]> => {
  const columns = wanted.map(([, leastCells, rank], index): Column => ({
    path: "abcd"[index] ?? "",
    kind: "text",
    leastCells,
    ...(rank === undefined ? {} : { rank }),
  }));
  const row = wanted.map(([cells]) => ({ text: "x".repeat(cells) }));
  return placed(columns, [row], width, false).map(({ column, cells }) => [column.path, cells]);
};

test("the widest column shrinks first, of equal ones the first; the last one goes first of those without a rank", () => {
  const three = [
    [10, 2, 1],
    [12, 3, 2],
    [5, 5],
  ] as const;
  const widths = [31, 30, 28, 27, 26, 14].map((width) => cellsOf(width, ...three).map(([, cells]) => cells));
  expect(widths).toEqual([
    [10, 12, 5],
    [10, 11, 5],
    [9, 10, 5],
    [9, 9, 5],
    [8, 9, 5],
    [2, 3, 5],
  ]);
  expect(cellsOf(13, ...three)).toEqual([
    ["a", 6],
    ["c", 5],
  ]);
  expect(cellsOf(9, [5, 5], [6, 2])).toEqual([
    ["a", 5],
    ["b", 2],
  ]);
  expect(cellsOf(8, [5, 5], [6, 2])).toEqual([["a", 5]]);
  expect(cellsOf(4, [5, 5], [6, 2])).toEqual([["a", 4]]);
});

test("later rows keep the places of the first ones, without a header", () => {
  const first = tableText({ ...options, terminal: terminal(undefined) }, [
    { name: "x", status: "ok", deep: { count: 1 } },
  ]);
  expect(first.lines).toEqual(["name  status  count  at", "x     ok          1"]);
  const second = tableText({ ...options, terminal: terminal(undefined) }, records, first.places);
  expect(second.lines[0]).toBe("a-long-name  active      5  2025-05-31T23:59:00.000Z");
  expect(tableText({ ...options, terminal: terminal(undefined) }, []).lines).toEqual([]);
  expect(tableText({ ...options, headers: false, terminal: terminal(undefined) }, records).lines).toHaveLength(3);
});

test("off a terminal no column is filled beyond 60 cells", () => {
  const long = "x".repeat(61);
  const { lines } = tableText({ ...options, headers: false, terminal: terminal(undefined) }, [
    { name: long, status: "ok" },
    { name: "y", status: "ok" },
  ]);
  expect(lines).toEqual([`${long}  ok`, `${"y".padEnd(60)}  ok`]);
});

const heading = (text: string): string => styled(text, "heading", true);

test("heading and status have their style, without the space around them", () => {
  const coloured = { ...terminal(60), colour: true };
  const { lines } = tableText({ ...options, columns: columns.slice(1, 3), terminal: coloured }, records);
  expect(lines).toEqual([
    `${heading("status")}    ${heading("count")}`,
    `${styled("● active", "good", true)}      5`,
    `${styled("◆ odd", "warning", true)}        12`,
    "",
  ]);
});

/** What a writer of single records writes, and how many values it cut. */
const details = async (width: number | undefined, ...given: ReadonlyArray<JsonObject>): Promise<object> => {
  let text = "";
  const write = async (chunk: string | Uint8Array): Promise<void> => void (text += String(chunk));
  const writer = detailsWriter(columns, { ...options, terminal: terminal(width) }, write);
  await writer.write(given.map((json) => ({ json })));
  await writer.end();
  return { text, ...writer.leftOut?.() };
};

test("a single record has a line for each field that has a value", async () => {
  expect(await details(undefined, records[0] ?? {}, records[1] ?? {})).toEqual({
    text:
      "name        a-long-name\nstatus      active\ndeep.count  5\nat          2025-05-31T23:59:00.000Z\n" +
      "\nname        b\nstatus      odd\ndeep.count  12\nat          never\n",
    columns: [],
    values: 0,
  });
  expect(await details(60, { name: "x", status: "active", at: "2025-05-31T23:59:00.000Z" })).toMatchObject({
    text: "name    x\nstatus  ● active\nat      2025-05-31T23:59:00.000Z (1 min ago)\n",
  });
});

test("a long value is broken between words beside its name, or below it, and cut beyond 2,000 cells alone", async () => {
  expect(await details(20, { name: "one two three four" })).toMatchObject({
    text: "name  one two three\n      four\n",
  });
  expect(await details(20, { name: "one two-three-four-five" })).toMatchObject({
    text: "name  \n  one\n  two-three-four-five\n",
  });
  expect(await details(20, { name: `${"x".repeat(15)} ab` })).toMatchObject({
    text: `name  \n  ${"x".repeat(15)} ab\n`,
  });
  expect(await details(20, { name: `${"x".repeat(15)} abc` })).toMatchObject({
    text: `name  \n  ${"x".repeat(15)}\n  abc\n`,
  });
  expect(await details(20, { name: "x".repeat(14) })).toMatchObject({ text: `name  ${"x".repeat(14)}\n` });
  expect(await details(20, { name: "x".repeat(15) })).toMatchObject({ text: `name  \n  ${"x".repeat(15)}\n` });
  expect(await details(5_000, { name: "x".repeat(2_000) })).toMatchObject({ values: 0 });
  expect(await details(5_000, { name: "x".repeat(2_001) })).toMatchObject({
    text: `name  ${"x".repeat(1_999)}…\n`,
    values: 1,
  });
  expect(await details(undefined, { name: "x".repeat(2_001) })).toMatchObject({ values: 0 });
});
