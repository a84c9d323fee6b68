// Figures as text for the terminal, and as Markdown for BENCHMARKS.md.
import type { Figure, FigureResult, FigureRow } from "./Figure.ts";
import { verdictOf, type Verdict, type Effort } from "./Verdict.ts";

/** A figure with its result. */
export interface Measured {
  readonly figure: Figure;
  readonly result: FigureResult;
  readonly effort: Effort;
  /** The share of all processors that other work took. */
  readonly busyShare: number;
}

/** The verdicts as a page has them. */
export const verdictTexts: Readonly<Record<Verdict, string>> = {
  holds: "holds",
  fails: "DOES NOT HOLD",
  unclear: "within noise",
  open: "too short a run to tell",
  noisy: "too noisy to tell",
};

/** Verdicts of a figure, one for each row with a promise. */
export const verdictsOf = (measured: Measured): ReadonlyArray<Verdict> =>
  measured.result.rows.flatMap((row) => verdictIn(row, measured) ?? []);

const verdictIn = ({ promised }: FigureRow, { effort, busyShare }: Measured): Verdict | undefined =>
  promised === undefined ? undefined : verdictOf(promised, effort, busyShare);

/** Whether a page may show a figure: it has a promise, and for none of its rows was the run too short or the machine too busy. */
export const isCitable = (measured: Measured): boolean =>
  verdictsOf(measured).length > 0 && verdictsOf(measured).every((verdict) => verdict !== "open" && verdict !== "noisy");

const table = (measured: Measured): ReadonlyArray<ReadonlyArray<string>> => {
  const { columns, rows } = measured.result;
  const isPromised = rows.some(({ promised }) => promised !== undefined);
  const verdictCell = (row: FigureRow): string => {
    const verdict = verdictIn(row, measured);
    return verdict === undefined ? "" : verdictTexts[verdict];
  };
  return [
    ["", ...columns, ...(isPromised ? ["promise"] : [])],
    ...rows.map((row) =>
      [row.name].concat(
        columns.map((column) => row.cells[column] ?? ""),
        isPromised ? [verdictCell(row)] : [],
      ),
    ),
  ];
};

/** For a terminal. */
export const textOf = (measured: Measured): string => {
  const { figure, result } = measured;
  const lines = table(measured);
  const widths = (lines[0] ?? []).map((_, column) => Math.max(...lines.map((line) => (line[column] ?? "").length)));
  const drawn = lines.map((line) =>
    line
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join("  ")
      .trimEnd(),
  );
  return [`\n${figure.title}`, `promised: ${figure.promise}`, ...drawn, ...result.notes, ""].join("\n");
};

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |`;

/** The column with the range of another one. */
const rangeOf = (column: string, columns: ReadonlyArray<string>): string | undefined => {
  const own = `range of ${column.replace(/ ratio$/, "")}`;
  if (column.endsWith("ratio") && columns.includes(own)) return own;
  return columns[columns.indexOf(column) + 1] === "range" ? "range" : undefined;
};

const markOf = (verdict: Verdict | undefined): string => {
  if (verdict === undefined) return "";
  return verdict === "holds" ? " ✓" : ` (${verdictTexts[verdict]})`;
};

/** The table of a page: verdicts are marks of names; of ranges there are only those of promised rows, in brackets. */
const pageTable = (measured: Measured): ReadonlyArray<ReadonlyArray<string>> => {
  const { columns, rows } = measured.result;
  const shown = columns.filter((column) => !column.startsWith("range"));
  const head = [""].concat(shown);
  const lines = rows.map((row) => {
    const mark = markOf(verdictIn(row, measured));
    const cells = shown.map((column) => {
      const range = row.cells[rangeOf(column, columns) ?? ""];
      return `${row.cells[column] ?? ""}${range === undefined || mark === "" ? "" : ` (${range})`}`;
    });
    return [row.name + mark].concat(cells);
  });
  return [head, ...lines];
};

/** A section of BENCHMARKS.md, written by that command on that machine. */
export const markdownOf = (measured: Measured, command: string, machine: string): string => {
  const { figure, result } = measured;
  const [head = [], ...lines] = pageTable(measured);
  return [
    `## ${figure.title}`,
    "",
    `Promised: ${figure.promise}`,
    "",
    `\`${command}\`, ${machine}.`,
    "",
    ...(figure.charts ?? []).flatMap(({ name }) => [`![${name}](docs/charts/${name}.svg)`, ""]),
    line(head),
    line(head.map((_, column) => (column === 0 ? "---" : "---:"))),
    ...lines.map(line),
    "",
    ...result.notes.flatMap((note) => [`- ${note}`]),
    "",
  ].join("\n");
};

const opening = `# Benchmarks

By the command of each section, in alternating short rounds: medians, ratios per round, in brackets their middle half. ✓: the promise holds with
95 % confidence.
`;

/** The whole file: the new section in the place of the old one, those of the other figures as they are. */
export const benchmarksFile = (old: string, figures: ReadonlyArray<Figure>, section: string): string => {
  const sections = new Map<string, string>();
  for (const text of [...old.split(/^(?=## )/m).slice(1), section]) sections.set(titleOf(text), text.trimEnd());
  return `${[opening.trimEnd(), ...figures.flatMap(({ title }) => sections.get(title) ?? [])].join("\n\n")}\n`;
};

const titleOf = (section: string): string => section.split("\n", 1)[0]?.slice("## ".length) ?? "";
