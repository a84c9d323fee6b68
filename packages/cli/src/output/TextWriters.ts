// Records as JSON, NDJSON and CSV; JSON for a terminal.
import { styled, type Style } from "../terminal/Terminal.ts";
import {
  type OutputRecord,
  type RecordWriter,
  type Shape,
  type Write,
  plainValue,
  valueAt,
  type Column,
} from "./Shape.ts";

const tokens = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|true|false|null|[{}[\],:]|\S/g;
const jsonIndentation = "  ";

/** The text of one JSON document, a value a line. Invalid JSON keeps its tokens. */
export const prettyJson = (text: string, colour: boolean): string => {
  const all = text.match(tokens) ?? [];
  let level = 0;
  let line = "";
  const newLine = (): string => `\n${jsonIndentation.repeat(level)}`;
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
  if (token.at(0) === '"') return next === ":" ? "heading" : "good";
  return /^[-\d]/.test(token) ? "warning" : "faint";
};

/** Indented JSON with colours, whole lines of it. */
export const colouredJson = (text: string): string =>
  text.replaceAll(/("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|true|false|null/g, (token, string?: string, colon = "") =>
    string === undefined
      ? styled(token, styleOf(token, undefined), true)
      : styled(string, styleOf(string, colon === "" ? undefined : ":"), true) + colon,
  );

const indentation = 2;

const pretty = (value: unknown, level: number): string =>
  JSON.stringify(value, null, indentation).replaceAll("\n", `\n${" ".repeat(level * indentation)}`);

/** One JSON document, indented, keys in the API's order. */
export const jsonWriter = ({ document }: Shape, write: Write): RecordWriter => {
  const envelope = typeof document === "object" ? document : undefined;
  const level = envelope === undefined ? 1 : 2;
  const open = envelope === undefined ? "[" : `{\n  ${JSON.stringify(envelope.key)}: [`;
  let isEmpty = true;
  const begin = (): string => (isEmpty ? open : "");
  return {
    write: async (records) => {
      if (records.length === 0) return;
      if (document === "one") return write(records.map(({ json }) => `${pretty(json, 0)}\n`).join(""));
      const items = records.map(({ json }) => `\n${" ".repeat(level * indentation)}${pretty(json, level)}`);
      const text = begin() + (isEmpty ? "" : ",") + items.join(",");
      isEmpty = false;
      await write(text);
    },
    end: async () => {
      if (document === "one") return;
      const close = isEmpty ? "]" : `\n${" ".repeat((level - 1) * indentation)}]`;
      const rest = Object.entries(envelope?.rest() ?? {}).map(
        ([key, value]) => `,\n  ${JSON.stringify(key)}: ${pretty(value, 1)}`,
      );
      await write(`${begin()}${close}${rest.join("")}${envelope === undefined ? "" : "\n}"}\n`);
    },
  };
};

/** One JSON object a line. */
export const ndjsonWriter = (write: Write): RecordWriter => ({
  write: (records) => write(ndjson(records)),
  end: async () => {},
});

/** The lines of records. */
export const ndjson = (records: ReadonlyArray<OutputRecord>): string =>
  records.map(({ json }) => `${JSON.stringify(json)}\n`).join("");

const field = (text: string): string =>
  /[",\r\n]/.test(text) || /^\s|\s$/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;

/** One line of CSV. */
export const csvLine = (values: ReadonlyArray<string>): string => `${values.map(field).join(",")}\n`;

/** CSV with the full API names as its header. */
export const csvWriter = (columns: ReadonlyArray<Column>, headers: boolean, write: Write): RecordWriter => {
  let begun = !headers;
  const header = (): string => {
    if (begun) return "";
    begun = true;
    return csvLine(columns.map(({ path }) => path));
  };
  return {
    write: (records) =>
      write(
        header() +
          records.map(({ json }) => csvLine(columns.map(({ path }) => plainValue(valueAt(json, path))))).join(""),
      ),
    end: async () => {
      if (!begun) await write(header());
    },
  };
};
