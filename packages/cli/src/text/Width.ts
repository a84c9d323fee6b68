// Decides: how many cells text takes on a terminal, and how it is cut to fit.
import stringWidth from "string-width";

const plain = /^[\u0020-\u007e]*$/;
const segmenter = new Intl.Segmenter();

/** Cells that text without control characters takes. */
export const widthOf = (text: string): number => (plain.test(text) ? text.length : stringWidth(text));

/** The text in at most `cells` cells; what was cut ends in `…`. Never cuts inside what is seen as one character. */
export const cut = (text: string, cells: number): string => {
  // A cell holds at least one code unit, so the rest of an endless text need not be looked at.
  const start = text.length > cells * 16 ? text.slice(0, cells * 16) : text;
  if (start.length === text.length && widthOf(start) <= cells) return text;
  if (cells <= 1) return "…".slice(0, cells);
  let taken = "";
  let width = 0;
  for (const { segment } of segmenter.segment(start)) {
    width += widthOf(segment);
    if (width > cells - 1) break;
    taken += segment;
  }
  return `${taken}…`;
};

/** The text filled with spaces to `cells` cells, on the right or on the left. */
export const padded = (text: string, cells: number, align: "left" | "right"): string => {
  const space = " ".repeat(Math.max(0, cells - widthOf(text)));
  return align === "right" ? space + text : text + space;
};
