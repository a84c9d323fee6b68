// Records for people: a table, or one record field by field.
import type { JsonObject } from "@bufbuild/protobuf";
import { styled } from "../terminal/Terminal.ts";
import type { Terminal } from "../terminal/Terminal.ts";
import { cut, padded, widthOf } from "../terminal/Width.ts";
import { cellOf, headingOf, type Cell, type Column } from "./Shape.ts";
import { cutIn, lineOf, placed, type PlacedColumn } from "./TableLayout.ts";
import type { RecordWriter, Write } from "./Shape.ts";

/** What a table is made for. */
export interface TableOptions {
  readonly columns: ReadonlyArray<Column>;
  readonly headers: boolean;
  /** Whether the columns were asked for: then none is left out. */
  readonly asked: boolean;
  readonly terminal: Pick<Terminal, "isTTY" | "colour" | "width">;
  readonly now: () => number;
}

/** Longest value shown on a terminal for one field of a single record, in cells. */
export const maxDetailCells = 2_000;

/** A table whose columns are placed by the first rows that come. */
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

/** Names of the columns that have no place. */
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
  /** Values of which only the beginning is shown. */
  readonly cut: number;
} => {
  const moment = terminal.isTTY ? now() : undefined;
  const line = { colour: terminal.colour, width: terminal.width };
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
  const cut = terminal.width === undefined ? 0 : rows.reduce((sum, row) => sum + cutIn(places, row, line.width), 0);
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

/** One record, a line per field; fields without a value are left out. Nothing is cut but what would flood a terminal. */
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
            return `${styled(padded(name, nameCells, "left"), "heading", terminal.colour)}  ${styled(fitting, cell.style, terminal.colour)}\n`;
          })
          .join("");
      });
      await write(blocks.join("\n"));
    },
    end: async () => {},
    leftOut: () => ({ columns: [], values }),
  };
};
