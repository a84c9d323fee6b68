// Type of a figure: measured rows and their limits.
import type { Effort, Timed } from "./Verdict.ts";

/** One line of a figure. */
export interface FigureRow {
  readonly name: string;
  /** Cells by column, as they are printed. */
  readonly cells: Readonly<Record<string, string>>;
  /** The limit and the measured value, or whether it holds; undefined: no limit. */
  readonly promised?: boolean | Timed;
}

/** Result of a figure. */
export interface FigureResult {
  readonly columns: ReadonlyArray<string>;
  readonly rows: ReadonlyArray<FigureRow>;
  /** Notes for readers: the comparison, what loses and why. */
  readonly notes: ReadonlyArray<string>;
}

/** Chart of a figure: a column of some of its rows. */
export interface FigureChart {
  /** Its file is `docs/charts/NAME.svg`. */
  readonly name: string;
  readonly title: string;
  /** Quantity of a bar, and which direction is better. */
  readonly subtitle: string;
  readonly column: string;
  /** The name of a row's bar; undefined: it has none. */
  readonly barOf: (row: string) => string | undefined;
  /** Whether a bar is one of ours. */
  readonly isOurs: (bar: string) => boolean;
}

/** One promised figure. */
export interface Figure {
  /** Its name on the command line. */
  readonly name: string;
  readonly title: string;
  /** The promise. */
  readonly promise: string;
  readonly measure: (effort: Effort) => Promise<FigureResult>;
  readonly charts?: ReadonlyArray<FigureChart>;
}
