// Reads and changes the files of settings: JSON, in which comments are allowed and kept.
import { readFileSync } from "node:fs";
import { FileError, reasonOf, writeAtomically } from "./AtomicFile.ts";
import type { ParseError } from "jsonc-parser";
import { UsageError } from "../UsageError.ts";

/** What a file says; an empty object when there is none. */
export type ConfigValues = Readonly<Record<string, unknown>>;

/** Largest file that is read, in bytes. */
const maxBytes = 1_048_576;

/** The text of a file, or undefined when there is none. */
export const textOf = (path: string): string | undefined => {
  try {
    const text = readFileSync(path, "utf8");
    if (text.length > maxBytes) throw new FileError(`${path} is larger than ${maxBytes} bytes`);
    return text.replace(/^\ufeff/, "");
  } catch (error) {
    if (error instanceof FileError) throw error;
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw new FileError(`Cannot read ${path}: ${code === "EACCES" ? "you may not" : reasonOf(error)}`, {
      cause: error,
    });
  }
};

/** The values in a file. A broken one throws UsageError with line and column. */
export const readConfig = async (path: string): Promise<ConfigValues> => {
  const text = textOf(path);
  if (text === undefined || text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = await parseWithComments(path, text);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new UsageError(`${path}:1:1: must be a JSON object`, "It was left as it is; correct it or remove it.");
  }
  return value as ConfigValues;
};

const parseWithComments = async (path: string, text: string): Promise<unknown> => {
  const { parse, printParseErrorCode } = await import("jsonc-parser");
  const problems: Array<ParseError> = [];
  const value: unknown = parse(text, problems, { allowTrailingComma: true });
  const [first] = problems;
  if (first === undefined) return value;
  const before = text.slice(0, first.offset).split("\n");
  const said = printParseErrorCode(first.error).replaceAll(/(?!^)[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  throw new UsageError(
    `${path}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}: ${said}`,
    "It was left as it is; correct it or remove it.",
  );
};

/** Sets values by their paths (undefined takes one back) and keeps the rest of the text as it is. Writes atomically. */
export const changeConfig = async (
  path: string,
  changes: ReadonlyArray<readonly [path: ReadonlyArray<string>, value: unknown]>,
): Promise<void> => {
  await readConfig(path);
  const { applyEdits, modify } = await import("jsonc-parser");
  let text = textOf(path) ?? "";
  if (text.trim() === "") text = "{}\n";
  for (const [at, value] of changes) {
    const formattingOptions = { insertSpaces: true, tabSize: 2, eol: "\n" };
    text = applyEdits(text, modify(text, [...at], value, { formattingOptions }));
  }
  writeAtomically(path, text.endsWith("\n") ? text : `${text}\n`);
};
