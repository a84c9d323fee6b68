// Records, columns and cells.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Engine, EngineListResponse, EngineMessage } from "@bytenite-engines/proto";
import { relativeTime } from "../parse/Units.ts";
import { safeText } from "../terminal/SafeText.ts";
import type { Style } from "../terminal/Terminal.ts";

/** A message of the API. */
export type ApiMessage = Engine | EngineListResponse | EngineMessage;

/** A record: its JSON by the API's names, and the message of `--output protobuf` where the API has one. */
export interface OutputRecord {
  readonly json: JsonObject;
  readonly message?: ApiMessage;
}

/** Columns and document form of a command's records. */
export interface Shape {
  /** Columns of `table`. */
  readonly columns: ReadonlyArray<Column>;
  /** Columns of `wide` and `csv`; absent: the same. */
  readonly wide?: ReadonlyArray<Column>;
  /** Paths that --columns may name. */
  readonly known: ReadonlyArray<string>;
  /** Whether the API has a protobuf message for the records. */
  readonly protobuf?: true | undefined;
  /** What `--output name` prints. */
  readonly nameOf: (record: JsonObject) => string;
  /**
   * Form of the document: `one` is the record itself, `array` an array of them, an envelope an object with the array as
   * its first key and others, known at the end, after it.
   */
  readonly document: "one" | "array" | Envelope;
}

/** An object around an array of records. */
export interface Envelope {
  readonly key: string;
  readonly rest: () => Readonly<Record<string, JsonValue>>;
  /** The same as a message. */
  readonly restMessage?: () => ApiMessage;
}

/** Writes the records of one document as they arrive. */
export interface RecordWriter {
  readonly write: (records: ReadonlyArray<OutputRecord>) => Promise<void>;
  /** Completes the document. Not called after a failure. */
  readonly end: () => Promise<void>;
  /** Columns that did not fit on the terminal, and the number of cut values. */
  readonly leftOut?: () => { readonly columns: ReadonlyArray<string>; readonly values: number };
}

/** Receives a writer's text and bytes. */
export type Write = (chunk: string | Uint8Array) => Promise<void>;

/** Kind of a column's values. */
export type ColumnKind = "text" | "number" | "time" | "status";

/** A column: a field by its API name, nested ones by their path. */
export interface Column {
  readonly path: string;
  readonly kind: ColumnKind;
  /** Least cells when cut; absent: never cut. */
  readonly leastCells?: number;
  /** Columns of the highest rank are left out first on a narrow terminal; those without one last, from the end on. */
  readonly rank?: number;
}

/** A cell, ready for a terminal. */
export interface Cell {
  readonly text: string;
  readonly style?: Style;
}

/** The value at a path, undefined where there is none. */
export const valueAt = (record: JsonObject, path: string): JsonValue | undefined => {
  let value: JsonValue | undefined = record;
  for (const name of path.split(".")) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    value = value[name];
  }
  return value;
};

/** A value as text for CSV, unescaped. Lists are joined by commas. */
export const plainValue = (value: JsonValue | undefined): string => {
  if (value === undefined || value === null) return "";
  if (Array.isArray(value)) return value.map(plainValue).join(",");
  return typeof value === "object" ? JSON.stringify(value) : String(value);
};

/** The value at a path as text, unescaped. */
export const textAt = (record: JsonObject, path: string): string => plainValue(valueAt(record, path));

/** The last name of a path, as a heading. */
export const headingOf = ({ path }: Column): string => path.slice(path.lastIndexOf(".") + 1);

/** Symbols of the status, for output without colour. */
const statusLooks: Readonly<Record<string, readonly [symbol: string, style: Style]>> = {
  active: ["●", "good"],
  inactive: ["○", "faint"],
  ok: ["✓", "good"],
  unknown: ["?", "faint"],
  different: ["≠", "warning"],
  failed: ["✗", "bad"],
  skipped: ["-", "faint"],
  error: ["✗", "bad"],
  warning: ["!", "warning"],
};

/** A cell of a table. `now` is given on a terminal: times are relative and the status has a symbol. */
export const cellOf = (column: Column, record: JsonObject, now: number | undefined): Cell => {
  const text = safeText(plainValue(valueAt(record, column.path)));
  if (text === "") return { text };
  if (column.kind === "time" && now !== undefined) {
    const then = Date.parse(text);
    return Number.isNaN(then) ? { text } : { text: relativeTime(then, now) };
  }
  if (column.kind !== "status") return { text };
  const [symbol, style] = statusLooks[text] ?? ["◆", "warning"];
  // Colour may be forced without a terminal.
  return { text: now === undefined ? text : `${symbol} ${text}`, style };
};

/** All fields without nested ones, in the API's order. */
export const pathsOfColumns = ({ known, columns, wide }: Shape): ReadonlyArray<Column> => {
  const kinds = new Map([...columns, ...(wide ?? [])].map(({ path, kind }) => [path, kind]));
  return known
    .filter((path) => !known.some((other) => other.startsWith(`${path}.`)))
    .map((path) => ({ path, kind: kinds.get(path) ?? "text" }));
};
