// Tables that fit the terminal, and single records field by field.
import { styled, type Terminal } from "../terminal/Terminal.ts";
import { cut, padded, widthOf, widthUpTo, wrapped } from "../terminal/Width.ts";
import { headingOf, type Cell, type Column, cellOf, type RecordWriter, type Write } from "./Shape.ts";
import type { JsonObject } from "@bufbuild/protobuf";

/** Spaces between two columns. */
const gapCells = 2;
/** Widest aligned column, in cells; longer values overflow. */
const maxPaddedCells = 60;
/** Least cells of a column of --columns. */
const leastAskedCells = 4;

/** A column and the cells it has. */
export interface PlacedColumn {
  readonly column: Column;
  readonly cells: number;
}

/** Places columns by what the first rows need. `width` undefined: no limit, nothing is cut or left out. */
export const placed = (
  columns: ReadonlyArray<Column>,
  rows: ReadonlyArray<ReadonlyArray<Cell>>,
  width: number | undefined,
  asked: boolean,
): ReadonlyArray<PlacedColumn> => {
  const places = columns.map((column, index) => {
    let cells = widthOf(headingOf(column));
    const most = width ?? maxPaddedCells;
    for (const row of rows) cells = Math.max(cells, widthUpTo(row[index]?.text ?? "", most));
    const least = asked ? Math.min(cells, leastAskedCells) : Math.min(cells, column.leastCells ?? cells);
    return { column, cells, least };
  });
  return width === undefined ? places : narrowed(places, width);
};

interface Place extends PlacedColumn {
  readonly least: number;
}

/** Columns without a rank are left out last. */
const rankOf = ({ column }: Place): number => column.rank ?? -Infinity;

const narrowed = (places: ReadonlyArray<Place>, width: number): ReadonlyArray<PlacedColumn> => {
  let kept = places.map((place) => ({ ...place }));
  while (kept.length > 1 && total(kept.map(({ least }) => least)) > width) {
    const last = kept.reduce((worst, place) => (rankOf(place) >= rankOf(worst) ? place : worst));
    kept = kept.filter((place) => place !== last);
  }
  while (total(kept.map(({ cells }) => cells)) > width) {
    const giving = kept.filter(({ cells, least }) => cells > least);
    // The identifying columns shrink last.
    const ranked = giving.filter(({ column }) => column.rank !== undefined);
    const [widest] = (ranked.length > 0 ? ranked : giving).toSorted((a, b) => b.cells - a.cells);
    if (widest === undefined) break;
    widest.cells -= 1;
  }
  return kept.map(({ column, cells }) => ({ column, cells: Math.min(cells, width) }));
};

const total = (cells: ReadonlyArray<number>): number =>
  cells.reduce((sum, each) => sum + each, 0) + gapCells * (cells.length - 1);

/** One line of a table. `cuts`: whether values are cut to their column. */
export const lineOf = (
  places: ReadonlyArray<PlacedColumn>,
  row: ReadonlyArray<Cell>,
  { colour, cuts }: { readonly colour: boolean; readonly cuts: boolean },
): string =>
  places
    .map(({ column, cells }, index) => {
      const { text, style } = row[index] ?? { text: "" };
      const fitting = cuts ? cut(text, cells) : text;
      const align = column.kind === "number" ? "right" : "left";
      const filled = padded(fitting, cells, align);
      // Only the text is styled, not the space around it.
      return style === undefined ? filled : filled.replace(fitting, () => styled(fitting, style, colour));
    })
    .join(" ".repeat(gapCells))
    .trimEnd();

/** Number of values of a row that `lineOf` cuts. */
const cutIn = (places: ReadonlyArray<PlacedColumn>, row: ReadonlyArray<Cell>): number =>
  places.filter(({ cells }, index) => cut(row[index]?.text ?? "", cells) !== (row[index]?.text ?? "")).length;

/** Options of a table. */
export interface TableOptions {
  readonly columns: ReadonlyArray<Column>;
  readonly headers: boolean;
  /** Whether the columns come from --columns: then all of them shrink before one is left out. */
  readonly asked: boolean;
  readonly terminal: Pick<Terminal, "isTTY" | "colour" | "width">;
  readonly now: () => number;
}

/** Longest value shown on a terminal for one field of a single record, in cells. */
export const maxDetailCells = 2_000;

/** A table whose columns are placed by the first rows. */
export const tableWriter = (options: TableOptions, write: Write): RecordWriter => {
  let places: ReadonlyArray<PlacedColumn> | undefined;
  let values = 0;
  return {
    write: async (records) => {
      const text = tableText(
        options,
        records.map(({ json }) => json),
        places,
      );
      places = text.places;
      values += text.cut;
      await write(text.lines.map((line) => `${line}\n`).join(""));
    },
    end: async () => {},
    leftOut: () => ({ columns: leftOutOf(options.columns, places), values }),
  };
};

/** Names of the omitted columns. */
export const leftOutOf = (
  columns: ReadonlyArray<Column>,
  places: ReadonlyArray<PlacedColumn> | undefined,
): ReadonlyArray<string> =>
  places === undefined
    ? []
    : columns.filter((column) => !places.some((place) => place.column === column)).map(headingOf);

/** The lines of a table: the header too unless columns are placed already. */
export const tableText = (
  { columns, headers, asked, terminal, now }: TableOptions,
  records: ReadonlyArray<JsonObject>,
  before?: ReadonlyArray<PlacedColumn>,
): {
  readonly lines: ReadonlyArray<string>;
  readonly places: ReadonlyArray<PlacedColumn>;
  /** Number of cut values. */
  readonly cut: number;
} => {
  const moment = terminal.isTTY ? now() : undefined;
  const line = { colour: terminal.colour, cuts: terminal.width !== undefined };
  const cells = (chosen: ReadonlyArray<Column>, record: JsonObject): ReadonlyArray<Cell> =>
    chosen.map((column) => cellOf(column, record, moment));
  const places =
    before ??
    placed(
      columns,
      records.map((record) => cells(columns, record)),
      terminal.width,
      asked,
    );
  const chosen = places.map(({ column }) => column);
  const rows = records.map((record) => cells(chosen, record));
  const lines = rows.map((row) => lineOf(places, row, line));
  const cut = line.cuts ? rows.reduce((sum, row) => sum + cutIn(places, row), 0) : 0;
  if (headers && before === undefined && records.length > 0) {
    lines.unshift(
      lineOf(
        places,
        chosen.map((column) => ({ text: headingOf(column), style: "heading" as const })),
        line,
      ),
    );
  }
  return { lines, places, cut };
};

/** A value after a name, broken between words; below the name where a word is too long for the rest of the line. */
const besideOrBelow = (value: string, used: number, width: number | undefined): string => {
  if (width === undefined) return value;
  const lines = wrapped(value, width - used);
  return lines.every((line) => widthOf(line) <= width - used)
    ? lines.join(`\n${" ".repeat(used)}`)
    : ["", ...wrapped(value, width - gapCells)].join(`\n${" ".repeat(gapCells)}`);
};

/** One record, a line per field; fields without a value are left out. Only very long values are cut. */
export const detailsWriter = (
  paths: ReadonlyArray<Column>,
  { terminal, now }: TableOptions,
  write: Write,
): RecordWriter => {
  let values = 0;
  return {
    write: async (records) => {
      const moment = terminal.isTTY ? now() : undefined;
      const blocks = records.map(({ json }) => {
        const shown = paths
          .map((column) => ({
            name: column.path,
            cell: cellOf(column, json, moment),
            exact: cellOf(column, json, undefined),
          }))
          .filter(({ cell }) => cell.text !== "");
        const nameCells = Math.max(...shown.map(({ name }) => widthOf(name)));
        return shown
          .map(({ name, cell, exact }) => {
            const value =
              cell.text === exact.text || cell.style !== undefined ? cell.text : `${exact.text} (${cell.text})`;
            const fitting = terminal.isTTY ? cut(value, maxDetailCells) : value;
            if (fitting !== value) values += 1;
            const lines = besideOrBelow(fitting, nameCells + gapCells, terminal.width);
            return `${styled(padded(name, nameCells, "left"), "heading", terminal.colour)}${" ".repeat(gapCells)}${styled(lines, cell.style, terminal.colour)}\n`;
          })
          .join("");
      });
      await write(blocks.join("\n"));
    },
    end: async () => {},
    leftOut: () => ({ columns: [], values }),
  };
};
