// Decides: how figures are written down: as text for the terminal, as Markdown for BENCHMARKS.md.
import type { Figure, FigureResult, FigureRow } from "./Figure.ts";

/** A figure with what it found. */
export interface Measured {
  readonly figure: Figure;
  readonly result: FigureResult;
}

const verdict = ({ holds }: FigureRow): string => {
  if (holds === undefined) return "";
  if (holds === "open") return "too short a run to tell";
  return holds ? "holds" : "DOES NOT HOLD";
};

const table = ({ columns, rows }: FigureResult): ReadonlyArray<ReadonlyArray<string>> => [
  ["", ...columns, ...(rows.some(({ holds }) => holds !== undefined) ? ["promise"] : [])],
  ...rows.map((row) => [
    row.name,
    ...columns.map((column) => row.cells[column] ?? ""),
    ...(rows.some(({ holds }) => holds !== undefined) ? [verdict(row)] : []),
  ]),
];

/** For a terminal. */
export const textOf = ({ figure, result }: Measured): string => {
  const lines = table(result);
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

/** A section of BENCHMARKS.md, written by that command on that machine. */
export const markdownOf = ({ figure, result }: Measured, command: string, machine: string): string => {
  const [head = [], ...lines] = table(result);
  return [
    `## ${figure.title}`,
    "",
    `Promised: ${figure.promise}`,
    "",
    `Written by \`${command}\` on ${machine}.`,
    "",
    ...(figure.charts ?? []).flatMap(({ name, title }) => [`![${title}](docs/charts/${name}.svg)`, ""]),
    line(head),
    line(head.map((_, column) => (column === 0 ? "---" : "---:"))),
    ...lines.map(line),
    "",
    ...result.notes.flatMap((note) => [`- ${note}`]),
    "",
  ].join("\n");
};

const opening = `# Benchmarks

Each section was written by the command that it names. All contenders of a figure ran in one run, in short rounds that took
turns; figures are medians of the rounds, ratios are medians of the ratios round by round, and the range is that of the middle
half.
`;

/** The whole file: the new section in the place of the old one, those of the other figures as they are. */
export const benchmarksFile = (old: string, figures: ReadonlyArray<Figure>, section: string): string => {
  const sections = new Map<string, string>();
  for (const text of [...old.split(/^(?=## )/m).slice(1), section]) sections.set(titleOf(text), text.trimEnd());
  return `${[opening.trimEnd(), ...figures.flatMap(({ title }) => sections.get(title) ?? [])].join("\n\n")}\n`;
};

const titleOf = (section: string): string => section.split("\n", 1)[0]?.slice("## ".length) ?? "";
