// The writer of records, by --output, --jq and --columns.
import { UsageError } from "@bytenite-engines/registry/command";
import { isOn, textOf, wordsOf, type Invocation } from "../Invocation.ts";
import type { OutputForm } from "../parse/Flags.ts";
import { isInstalled, missingProgram } from "../terminal/Pager.ts";
import { safeLines, safeText } from "../terminal/SafeText.ts";
import type { Terminal } from "../terminal/Terminal.ts";
import { askedColumns } from "./EngineShape.ts";
import { colouredJson, jsonWriter, ndjsonWriter, csvWriter } from "./TextWriters.ts";
import { pathsOfColumns, textAt, type RecordWriter, type Shape, type Write } from "./Shape.ts";
import { detailsWriter, tableWriter } from "./Table.ts";

/** Options of the output. */
export interface OutputOptions {
  readonly form: OutputForm;
  /** Whether the form comes from a flag. */
  readonly named: boolean;
  readonly jq: string | undefined;
  readonly columns: ReadonlyArray<string> | undefined;
  readonly headers: boolean;
  readonly terminal: Terminal;
  readonly now: () => number;
}

/**
 * The effective form: --jq without a form means json. A setting for protobuf means json if the API has no message, and table
 * on a terminal.
 * Throws UsageError for conflicting options.
 */
export const formOf = ({ form, named, jq, columns, terminal }: OutputOptions, shape: Shape): OutputForm => {
  const isBare = form === "protobuf" && shape.protobuf !== true;
  if (isBare && named) throw new UsageError("The API has no protobuf message for this", "Use --output json.");
  if (form === "protobuf" && !named && jq === undefined && terminal.isTTY) return "table";
  const effective = !isBare && (jq === undefined || named || form === "ndjson") ? form : "json";
  if (jq !== undefined && effective !== "json" && effective !== "ndjson") {
    throw new UsageError(`--jq works on JSON, not on --output ${effective}`, "Use it with --output json or ndjson.");
  }
  if (columns !== undefined && !["table", "wide", "csv"].includes(effective)) {
    throw new UsageError(
      `--columns is for table, wide and csv, not for ${effective}`,
      "Choose fields of JSON with --jq.",
    );
  }
  if (effective === "protobuf" && terminal.isTTY) {
    throw new UsageError("--output protobuf is not for a terminal", "Send it to a file or into a pipe.");
  }
  if (columns !== undefined) askedColumns(columns, shape.known);
  return effective;
};

/** The writer of a command's records. Throws UsageError for conflicting options. */
export const writerOf = async (options: OutputOptions, shape: Shape, unsafe: Write): Promise<RecordWriter> => {
  const form = formOf(options, shape);
  const { jq } = options;
  // Tables escape each cell; whole documents are escaped when written to a terminal.
  const write: Write =
    options.terminal.isTTY && !["table", "wide", "protobuf"].includes(form) ? safely(unsafe) : unsafe;
  // Only on a terminal: programs that read JSON do not expect colours, even if the environment forces them.
  const coloured = options.terminal.isTTY && options.terminal.colour ? inColours(unsafe) : write;
  const asked = options.columns === undefined ? undefined : askedColumns(options.columns, shape.known);
  switch (form) {
    case "json":
      if (jq === undefined) return jsonWriter(shape, coloured);
      return (await import("./JqFilter.ts")).jqOnDocument(jq, (inner) => jsonWriter(shape, inner), write);
    case "ndjson":
      return jq === undefined ? ndjsonWriter(coloured) : (await import("./JqFilter.ts")).jqOnRecords(jq, write);
    case "yaml":
      return (await import("./YamlWriter.ts")).yamlWriter(shape, write);
    case "csv":
      return csvWriter(asked ?? shape.wide ?? shape.columns, options.headers, write);
    case "name":
      return namesWriter(shape, write);
    case "protobuf":
      return (await import("./ProtobufWriter.ts")).protobufWriter(shape, write);
    case "table":
    case "wide":
      return tableOrDetails(options, form, shape, asked, write);
  }
};

const safely =
  (write: Write): Write =>
  (chunk) =>
    write(typeof chunk === "string" ? safeLines(chunk) : chunk);

const inColours =
  (write: Write): Write =>
  (chunk) =>
    write(typeof chunk === "string" ? colouredJson(safeLines(chunk)) : chunk);

const tableOrDetails = (
  { headers, terminal, now }: OutputOptions,
  form: "table" | "wide",
  shape: Shape,
  asked: ReturnType<typeof askedColumns> | undefined,
  write: Write,
): RecordWriter => {
  const columns = asked ?? (form === "wide" ? shape.wide : undefined) ?? shape.columns;
  const fitted = form === "wide" ? { ...terminal, width: undefined } : terminal;
  const options = { columns, headers, asked: asked !== undefined, terminal: fitted, now };
  return shape.document === "one" && asked === undefined && form === "table"
    ? detailsWriter(pathsOfColumns(shape), options, write)
    : tableWriter(options, write);
};

const namesWriter = (shape: Shape, write: Write): RecordWriter => ({
  write: (records) => write(records.map(({ json }) => `${safeText(shape.nameOf(json))}\n`).join("")),
  end: async () => {},
});

/** Options from flags and settings. */
export const outputOptions = (invocation: Invocation): OutputOptions => {
  const { value, kind } = invocation.settings.of("output");
  return {
    form: value as OutputForm,
    named: kind === "flag",
    jq: textOf(invocation, "jq"),
    columns: wordsOf(invocation, "columns"),
    headers: !isOn(invocation, "no-headers"),
    terminal: invocation.terminal,
    now: Date.now,
  };
};

/** Sends output longer than the screen through a pager. */
export const pageOutput = (invocation: Invocation): void => {
  const { height, live } = invocation.terminal;
  if (height === undefined || !live || isOn(invocation, "no-pager")) return;
  const command = pagerOf(invocation);
  if (command !== undefined) invocation.stdout.usePager({ command, height, env: invocation.env });
};

/** Default values, which fields have if they were not sent. */
const defaults = new Set(["", "0", "false"]);

/** The writer of a command's records. `paged` false: without a pager. */
export const openOutput = async (invocation: Invocation, shape: Shape, paged = true): Promise<RecordWriter> => {
  if (paged) pageOutput(invocation);
  const writer = await writerOf(outputOptions(invocation), shape, invocation.stdout.write);
  const paths = pathsOfColumns(shape).map(({ path }) => path);
  let empty = 0;
  return {
    ...writer,
    write: (records) => {
      empty += records.filter(({ json }) => paths.every((path) => defaults.has(textAt(json, path)))).length;
      return writer.write(records);
    },
    end: async () => {
      await writer.end();
      if (empty > 0)
        invocation.notes.warn(`the server answered without any value${empty > 1 ? ` ${empty} times` : ""}`);
      const left = writer.leftOut?.();
      if (left !== undefined) noteLeftOut(invocation, left);
    },
  };
};

/** Reports columns and values that did not fit on the terminal. */
const noteLeftOut = (
  { notes }: Invocation,
  { columns, values }: ReturnType<NonNullable<RecordWriter["leftOut"]>>,
): void => {
  const parts = [
    ...(columns.length === 0 ? [] : [`columns ${columns.join(", ")}`]),
    ...(values === 0 ? [] : [`the end of ${values} ${values === 1 ? "value" : "values"}`]),
  ];
  if (parts.length === 0) return;
  notes.note(`Left out to fit the terminal: ${parts.join("; ")}; --output wide shows them.`, { columns, values });
};

const pagerOf = ({ settings, env, notes }: Invocation): string | undefined => {
  const chosen = settings.text("pager") ?? env["PAGER"] ?? (isInstalled("less", env["PATH"]) ? "less" : "");
  if (chosen === "" || chosen === "cat") return undefined;
  const missing = missingProgram(chosen, env);
  if (missing === undefined) return chosen;
  notes.warn(`there is no pager ${missing}; see \`bne config get pager --show-origin\``);
  return undefined;
};

/** The shape for the tags of a run. Throws UsageError for several as protobuf, whose messages have no delimiter. */
export const shapeOfTags = (invocation: Invocation, shapeOf: (document: "one" | "array") => Shape): Shape => {
  const many = invocation.arguments.positionals.length > 1;
  const options = outputOptions(invocation);
  const shape = shapeOf(many ? "array" : "one");
  // As a setting it means json for several.
  if (many && !options.named) return { ...shape, protobuf: undefined };
  if (many && formOf(options, shape) === "protobuf") {
    throw new UsageError(
      "--output protobuf is for one engine",
      "Ask for the engines one by one, or use --output ndjson.",
    );
  }
  return shape;
};
