// Bar charts of the measured figures, as SVG.
import { mkdirSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { BarChart } from "echarts/charts";
import { GridComponent, TitleComponent } from "echarts/components";
import { init, use } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import type { FigureChart, FigureResult } from "./Figure.ts";
import type { Measured } from "./Report.ts";

use([BarChart, GridComponent, TitleComponent, SVGRenderer]);

interface Bar {
  readonly name: string;
  readonly value: number;
  /** Whether it is one of ours. */
  readonly ours: boolean;
}

const colours = { ours: "#2563eb", others: "#94a3b8" } as const;
const barHeight = 26;

/** The chart as a whole SVG document. Its text is text: it can be searched and read aloud. */
const svgOf = ({ title, subtitle }: FigureChart, bars: ReadonlyArray<Bar>): string => {
  const longest = Math.max(...bars.map(({ name }) => name.length));
  const chart = init(null, null, {
    renderer: "svg",
    ssr: true,
    width: 720,
    height: 90 + bars.length * barHeight,
  });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: "#ffffff",
      title: { text: title, subtext: subtitle, left: 12, top: 6 },
      // Nobody measures text where there is no screen.
      grid: { left: 24 + longest * 7.5, right: 60, top: 66, bottom: 8, outerBoundsMode: "none" },
      xAxis: { type: "value", axisLabel: { show: false }, splitLine: { show: false } },
      yAxis: {
        type: "category",
        inverse: true,
        data: bars.map(({ name }) => name),
        axisTick: { show: false },
        axisLabel: { fontSize: 13 },
      },
      series: [
        {
          type: "bar",
          data: bars.map(({ value, ours }) => ({
            value,
            itemStyle: { color: ours ? colours.ours : colours.others },
          })),
          label: { show: true, position: "right", formatter: ({ value }: { value: unknown }) => shown(Number(value)) },
        },
      ],
    });
    return `${chart.renderToSVGString()}\n`;
  } finally {
    chart.dispose();
  }
};

const shown = (value: number): string =>
  value >= 1_000 ? Math.round(value).toLocaleString("en") : String(Number(value.toPrecision(3)));

const directory = fileURLToPath(new URL("../../../../docs/charts/", import.meta.url));

/** Writes the charts of a figure. */
export const writeCharts = ({ figure, result }: Measured): void => {
  mkdirSync(directory, { recursive: true });
  for (const chart of figure.charts ?? [])
    writeFileSync(`${directory}${chart.name}.svg`, svgOf(chart, barsOf(chart, result)));
};

const barsOf = ({ column, barOf, isOurs }: FigureChart, { rows }: FigureResult): ReadonlyArray<Bar> =>
  rows.flatMap((row) => {
    const name = barOf(row.name);
    const value = Number.parseFloat(row.cells[column] ?? "");
    return name === undefined || Number.isNaN(value) ? [] : [{ name, value, ours: isOurs(name) }];
  });
