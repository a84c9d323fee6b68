// Decides: how records are written as CSV (RFC 4180; lines end in LF, as everything on this stream does).
import { plainValue, valueAt, type Column } from "./Column.ts";
import type { RecordWriter, Write } from "./Shape.ts";

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
