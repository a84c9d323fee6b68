// JSON text for a terminal: indented and coloured.
import { styled, type Style } from "../terminal/Terminal.ts";

const tokens = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]|\S/g;
const indentation = "  ";

/** The text of one JSON document, a value a line. Text that is no JSON keeps its tokens. */
export const prettyJson = (text: string, colour: boolean): string => {
  const all = text.match(tokens) ?? [];
  let level = 0;
  let line = "";
  const newLine = (): string => `\n${indentation.repeat(level)}`;
  for (const [index, token] of all.entries()) {
    const next = all[index + 1];
    if (token === "{" || token === "[") {
      line += token;
      if (next === "}" || next === "]") continue;
      level += 1;
      line += newLine();
    } else if (token === "}" || token === "]") {
      const before = all[index - 1];
      if (before !== "{" && before !== "[") {
        level = Math.max(0, level - 1);
        line += newLine();
      }
      line += token;
    } else if (token === ",") line += token + newLine();
    else if (token === ":") line += ": ";
    else line += styled(token, styleOf(token, next), colour);
  }
  return `${line}\n`;
};

const styleOf = (token: string, next: string | undefined): Style | undefined => {
  if (token.startsWith('"')) return next === ":" ? "heading" : "good";
  return /^[-\d]/.test(token) ? "warning" : "faint";
};

/** Indented JSON with colours, whole lines of it. */
export const colouredJson = (text: string): string =>
  text.replaceAll(/("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|true|false|null/g, (token, string?: string, colon = "") =>
    string === undefined
      ? styled(token, styleOf(token, undefined), true)
      : styled(string, styleOf(string, colon === "" ? undefined : ":"), true) + colon,
  );
