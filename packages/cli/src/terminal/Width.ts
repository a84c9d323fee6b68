// Width of text on a terminal, cutting and wrapping.
import { createRequire } from "node:module";

/** Text of characters that take one cell each: ASCII, Latin letters, and the signs that tables use. */
const plain = /^[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff…·●○◆✓✗≠]*$/;

/** Code units examined per cell; more combining marks are cut. */
const unitsPerCell = 16;

/** Loaded with the first non-ASCII text: it takes a third of the start-up time. */
let beyondAscii: { readonly measure: (text: string) => number; readonly segmenter: Intl.Segmenter } | undefined;

const loaded = (): NonNullable<typeof beyondAscii> => {
  if (beyondAscii === undefined) {
    const module = createRequire(import.meta.url)("string-width") as { readonly default: (text: string) => number };
    beyondAscii = { measure: module.default, segmenter: new Intl.Segmenter() };
  }
  return beyondAscii;
};

/** Width in cells of text without control characters. */
export const widthOf = (text: string): number => (plain.test(text) ? text.length : loaded().measure(text));

/** The same, at most `most`; the rest of the text is not examined. */
export const widthUpTo = (text: string, most: number): number =>
  text.length > most && plain.test(text.slice(0, most))
    ? most
    : Math.min(most, widthOf(text.slice(0, most * unitsPerCell)));

/** The beginning of an escape of `safeText`. */
const partOfEscape = /\\(?:u[\da-f]{0,3})?$/;

/** The text in at most `cells` cells; what was cut ends in `…`. Never cuts inside an escape or a grapheme. */
export const cut = (text: string, cells: number): string => {
  const start = text.slice(0, cells * unitsPerCell);
  if (start.length === text.length && widthOf(start) <= cells) return text;
  if (cells < 1) return "";
  if (plain.test(start)) return `${start.slice(0, cells - 1).replace(partOfEscape, "")}…`;
  let taken = "";
  let width = 0;
  for (const { segment } of loaded().segmenter.segment(start)) {
    width += widthOf(segment);
    if (width > cells - 1) break;
    taken += segment;
  }
  return `${taken.replace(partOfEscape, "")}…`;
};

/** The text filled with spaces to `cells` cells, on the right or on the left. */
export const padded = (text: string, cells: number, align: "left" | "right"): string => {
  const space = " ".repeat(Math.max(0, cells - widthOf(text)));
  return align === "right" ? space + text : text + space;
};

/** The text in lines of at most `cells` cells, broken between words; a word that is longer has a line of its own. */
export const wrapped = (text: string, cells: number): ReadonlyArray<string> => {
  const lines: Array<string> = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last === undefined || widthOf(last) + 1 + widthOf(word) > cells) lines.push(word);
    else lines[lines.length - 1] = `${last} ${word}`;
  }
  return lines;
};
