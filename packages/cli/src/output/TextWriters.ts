// Records as JSON, NDJSON and CSV.
import {
  type OutputRecord,
  type RecordWriter,
  type Shape,
  type Write,
  plainValue,
  valueAt,
  type Column,
} from "./Shape.ts";

const indentation = 2;

const pretty = (value: unknown, level: number): string =>
  JSON.stringify(value, null, indentation).replaceAll("\n", `\n${" ".repeat(level * indentation)}`);

/** One JSON document, indented, keys in the API's order. */
export const jsonWriter = ({ document }: Shape, write: Write): RecordWriter => {
  const envelope = typeof document === "object" ? document : undefined;
  const level = envelope === undefined ? 1 : 2;
  const open = envelope === undefined ? "[" : `{\n  ${JSON.stringify(envelope.key)}: [`;
  let written = 0;
  const begin = (): string => (written === 0 ? open : "");
  return {
    write: async (records) => {
      if (records.length === 0) return;
      if (document === "one") return write(records.map(({ json }) => `${pretty(json, 0)}\n`).join(""));
      const items = records.map(({ json }) => `\n${" ".repeat(level * indentation)}${pretty(json, level)}`);
      const text = begin() + (written === 0 ? "" : ",") + items.join(",");
      written += records.length;
      await write(text);
    },
    end: async () => {
      if (document === "one") return;
      const close = written === 0 ? "]" : `\n${" ".repeat((level - 1) * indentation)}]`;
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
