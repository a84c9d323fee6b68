// SVG of a terminal recording, with selectable text.
import type { Recording, Run } from "./Recording.ts";

/** Size of a cell and of what surrounds all of them, in pixels. */
const cell = { width: 7.8, height: 18, baseline: 13.5 } as const;
const margin = 16;
const titleBar = 28;
const fontSize = 13;

const background = "#0d1117";
const foreground = "#e6edf3";
/** The sixteen colours of a terminal. */
const palette =
  "#484f58 #ff7b72 #3fb950 #d29922 #58a6ff #bc8cff #39c5cf #b1bac4 #6e7681 #ffa198 #56d364 #e3b341 #79c0ff #d2a8ff #56d4dd #ffffff".split(
    " ",
  );

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

const escaped = (text: string): string => text.replaceAll(/[&<>"]/g, (character) => escapes[character] ?? character);

const pixels = (value: number): string => String(Math.round(value * 10) / 10);

/** A run, word by word where more than one space is between: the space itself is not drawn, it cannot be relied on. */
const drawn = (run: Run, row: number): ReadonlyArray<string> => {
  const { text, width, colour, bold, dim } = run;
  const y = pixels(titleBar + margin + row * cell.height + cell.baseline);
  const style = [
    ...(colour === undefined ? [] : [` fill="${palette[colour] ?? foreground}"`]),
    ...(bold ? [' font-weight="bold"'] : []),
    ...(dim ? [' opacity="0.65"'] : []),
  ].join("");
  return [...text.matchAll(/\S+(?: \S+)*/g)].map(({ 0: shown, index }) => {
    const x = pixels(margin + (run.column + index) * cell.width);
    // Cells that are two wide come in runs without space only.
    const length = pixels((shown.length === text.length ? width : shown.length) * cell.width);
    return `<text x="${x}" y="${y}" textLength="${length}" lengthAdjust="spacingAndGlyphs"${style}>${escaped(shown)}</text>`;
  });
};

/** The picture of a recording; `title` is what is read out where it cannot be seen. */
export const pictureOf = ({ columns, lines }: Recording, title: string): string => {
  const width = pixels(2 * margin + columns * cell.width);
  const height = pixels(titleBar + 2 * margin + lines.length * cell.height);
  const dots = ["#ff5f57", "#febc2e", "#28c840"].map(
    (fill, index) => `<circle cx="${margin + 4 + index * 18}" cy="${titleBar / 2 + 2}" r="5.5" fill="${fill}"/>`,
  );
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" role="img">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${width}" height="${height}" rx="8" fill="${background}"/>`,
    ...dots,
    `<g fill="${foreground}" font-family="ui-monospace, SFMono-Regular, Menlo, Consolas, 'DejaVu Sans Mono', monospace" font-size="${fontSize}">`,
    ...lines.flatMap((runs, row) => runs.flatMap((run) => drawn(run, row))),
    "</g>",
    "</svg>",
    "",
  ].join("\n");
};
