// Capabilities of a stream: colour, live lines, width.

/** Environment variables. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Properties of a stream. */
export interface StreamFacts {
  readonly isTTY: boolean;
  readonly columns: number | undefined;
  readonly rows: number | undefined;
}

/** Capabilities of a stream. */
export interface Terminal {
  readonly isTTY: boolean;
  /** Colours and other attributes. */
  readonly colour: boolean;
  /** Whether lines can be rewritten: progress, a live table. */
  readonly live: boolean;
  /** Cells in a line; undefined: no limit, nothing is cut. */
  readonly width: number | undefined;
  readonly height: number | undefined;
}

/** Width of a terminal that does not report it, in cells. */
export const defaultWidth = 80;
/** Height of a terminal that does not report it, in lines. */
export const defaultHeight = 24;

/** Width and height of a terminal, in cells and lines. 0 where the size is unknown. */
export const sizeOf = (
  { columns, rows }: Omit<StreamFacts, "isTTY">,
  env: Environment,
): { readonly width: number; readonly height: number } => ({
  width: columns || (positive(env["COLUMNS"]) ?? defaultWidth),
  height: rows || defaultHeight,
});

/** Capabilities of a stream. `when` is the flag --color; then NO_COLOR, FORCE_COLOR, CLICOLOR in this order. */
export const terminalOf = (facts: StreamFacts, env: Environment, when = "auto"): Terminal => ({
  isTTY: facts.isTTY,
  colour: coloured(facts, env, when),
  live: facts.isTTY && env["TERM"] !== "dumb",
  width: facts.isTTY ? sizeOf(facts, env).width : undefined,
  height: facts.isTTY ? sizeOf(facts, env).height : undefined,
});

const coloured = ({ isTTY }: StreamFacts, env: Environment, when: string): boolean => {
  if (when !== "auto") return when === "always";
  if (isSet(env["NO_COLOR"])) return false;
  if (env["FORCE_COLOR"] !== undefined) return !["0", "false"].includes(env["FORCE_COLOR"]);
  if (isSet(env["CLICOLOR_FORCE"]) && env["CLICOLOR_FORCE"] !== "0") return true;
  return isTTY && env["TERM"] !== "dumb" && env["CLICOLOR"] !== "0";
};

const isSet = (value: string | undefined): boolean => value !== undefined && value !== "";

const positive = (text: string | undefined): number | undefined =>
  text !== undefined && /^[1-9]\d{0,4}$/.test(text) ? Number(text) : undefined;

/** Meaning of a text, which selects its colour. */
export type Style = "heading" | "good" | "bad" | "warning" | "faint";

const codes: Readonly<Record<Style, readonly [on: string, off: string]>> = {
  heading: ["\u001b[1m", "\u001b[22m"],
  good: ["\u001b[32m", "\u001b[39m"],
  bad: ["\u001b[31m", "\u001b[39m"],
  warning: ["\u001b[33m", "\u001b[39m"],
  faint: ["\u001b[2m", "\u001b[22m"],
};

/** The text in a style if colour is on, else unchanged. */
export const styled = (text: string, style: Style | undefined, colour: boolean): string =>
  style === undefined || !colour ? text : codes[style][0] + text + codes[style][1];

/** Whether text may be UTF-8: unless the locale (LC_ALL, else LC_CTYPE, else LANG) names another encoding. */
export const isUtf8 = (env: Environment): boolean => {
  const locale = [env["LC_ALL"], env["LC_CTYPE"], env["LANG"]].find(isSet);
  return locale === undefined || process.platform === "win32" || /utf-?8/i.test(locale);
};
