// Decides: how emphasis looks on a terminal.

/** What a piece of text means. */
export type Style = "heading" | "good" | "bad" | "warning" | "faint";

const codes: Readonly<Record<Style, readonly [on: string, off: string]>> = {
  heading: ["\u001b[1m", "\u001b[22m"],
  good: ["\u001b[32m", "\u001b[39m"],
  bad: ["\u001b[31m", "\u001b[39m"],
  warning: ["\u001b[33m", "\u001b[39m"],
  faint: ["\u001b[2m", "\u001b[22m"],
};

/** The text in a style where colour is on, as it is where not. */
export const styled = (text: string, style: Style | undefined, colour: boolean): string =>
  style === undefined || !colour ? text : codes[style][0] + text + codes[style][1];
