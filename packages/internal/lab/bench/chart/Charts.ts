// Charts made from the measured figures.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { FigureChart, FigureResult } from "../Figure.ts";
import type { Measured } from "../Report.ts";
import { svgOf, type Bar } from "./Chart.ts";

const directory = fileURLToPath(new URL("../../../../../docs/charts/", import.meta.url));

/** Writes the charts of these figures. */
export const writeCharts = (measured: ReadonlyArray<Measured>): void => {
  mkdirSync(directory, { recursive: true });
  for (const { figure, result } of measured) {
    for (const chart of figure.charts ?? []) {
      const { name, title, subtitle } = chart;
      writeFileSync(`${directory}${name}.svg`, svgOf({ name, title, subtitle, bars: barsOf(chart, result) }));
    }
  }
};

const barsOf = ({ column, barOf, isOurs }: FigureChart, { rows }: FigureResult): ReadonlyArray<Bar> =>
  rows.flatMap((row) => {
    const name = barOf(row.name);
    const value = Number.parseFloat(row.cells[column] ?? "");
    return name === undefined || Number.isNaN(value) ? [] : [{ name, value, ours: isOurs(name) }];
  });
