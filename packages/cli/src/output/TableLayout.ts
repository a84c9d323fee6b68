// Widths of table columns, and lines of a table.
import { styled } from "../terminal/Terminal.ts";
import { cut, padded, widthOf, widthUpTo } from "../terminal/Width.ts";
import { headingOf, type Cell, type Column } from "./Shape.ts";

/** Spaces between two columns. */
const gapCells = 2;
/** The widest that a column is made for the sake of others below it, in cells; a longer value sticks out. */
const maxPaddedCells = 60;
/** A column that somebody asked for is cut to this before it is given up, in cells. */
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

const narrowed = (places: ReadonlyArray<Place>, width: number): ReadonlyArray<PlacedColumn> => {
  let kept = [...places];
  for (;;) {
    const least = total(kept.map((place) => place.least));
    if (least <= width || kept.length <= 1) break;
    const last = kept.reduce((worst, place) => ((place.column.rank ?? 0) >= (worst.column.rank ?? 0) ? place : worst));
    if ((last.column.rank ?? 0) === 0) break;
    kept = kept.filter((place) => place !== last);
  }
  let over = total(kept.map(({ cells }) => cells)) - width;
  const cells = kept.map((place) => place.cells);
  /** The widest column that can still give, of those that may go or of those that stay. */
  const giver = (mayGo: boolean): number | undefined => {
    let widest: number | undefined;
    for (const [index, { column, least }] of kept.entries()) {
      if ((column.rank !== undefined) !== mayGo || (cells[index] ?? 0) <= least) continue;
      if (widest === undefined || (cells[index] ?? 0) > (cells[widest] ?? 0)) widest = index;
    }
    return widest;
  };
  while (over > 0) {
    // The identifying columns shrink last.
    const widest = giver(true) ?? giver(false);
    if (widest === undefined) break;
    cells[widest] = (cells[widest] ?? 0) - 1;
    over -= 1;
  }
  return kept.map(({ column }, index) => ({ column, cells: cells[index] ?? 0 }));
};

const total = (cells: ReadonlyArray<number>): number =>
  cells.reduce((sum, each) => sum + each, 0) + gapCells * Math.max(0, cells.length - 1);

/** One line of a table. `cuts`: whether values are cut to their column, and the line to the width. */
export const lineOf = (
  places: ReadonlyArray<PlacedColumn>,
  row: ReadonlyArray<Cell>,
  options: { readonly colour: boolean; readonly width: number | undefined },
): string => {
  let line = "";
  let used = 0;
  for (const [index, { column, cells }] of places.entries()) {
    const { text, style } = row[index] ?? { text: "" };
    const available = options.width === undefined ? undefined : Math.min(cells, options.width - used);
    if (available !== undefined && available <= 0) break;
    const fitting = available === undefined ? text : cut(text, available);
    const isLast = index === places.length - 1;
    const align = column.kind === "number" ? "right" : "left";
    const filled =
      isLast && align === "left" ? fitting : padded(fitting, available ?? Math.min(cells, maxPaddedCells), align);
    // Only the text is styled, not the space around it.
    line += style === undefined ? filled : filled.replace(fitting, () => styled(fitting, style, options.colour));
    used += cells + gapCells;
    if (!isLast) line += " ".repeat(gapCells);
  }
  return line.trimEnd();
};

/** How many values of a row `lineOf` cuts. */
export const cutIn = (
  places: ReadonlyArray<PlacedColumn>,
  row: ReadonlyArray<Cell>,
  width: number | undefined,
): number => {
  if (width === undefined) return 0;
  let count = 0;
  let used = 0;
  for (const [index, { cells }] of places.entries()) {
    const text = row[index]?.text ?? "";
    const available = Math.min(cells, Math.max(0, width - used));
    if (text !== "" && widthUpTo(text, available + 1) > available) count += 1;
    used += cells + gapCells;
  }
  return count;
};
