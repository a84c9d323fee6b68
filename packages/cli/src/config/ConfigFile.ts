// Files of settings: JSON, in which comments are allowed and kept.
import { UsageError } from "@bytenite-engines/registry/command";
import type { ParseError } from "jsonc-parser";
import { maxFileBytes, readText, writeAtomically, writeOwn, type Trust } from "./Files.ts";

/** What a file says; an empty object when there is none. */
export type ConfigValues = Readonly<Record<string, unknown>>;

/** The values in a file. One that is broken, or not to be trusted, throws UsageError; a broken one with line and column. */
export const readConfig = async (
  path: string,
  trust: Trust = "own",
  maxBytes = maxFileBytes,
): Promise<ConfigValues> => {
  const text = readText(path, trust, maxBytes);
  if (text === undefined || text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = await parseWithComments(path, text);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw broken(`${path}:1:1: must be a JSON object`);
  return value as ConfigValues;
};

const broken = (message: string): UsageError =>
  new UsageError(message, "It was left as it is; correct it or remove it.");

const parseWithComments = async (path: string, text: string): Promise<unknown> => {
  const { parse, printParseErrorCode } = await import("jsonc-parser");
  const problems: Array<ParseError> = [];
  let value: unknown;
  try {
    value = parse(text, problems, { allowTrailingComma: true });
  } catch (error) {
    // The parser calls itself for each level.
    if (error instanceof RangeError) throw broken(`${path}:1:1: nested too deep`);
    throw error;
  }
  const [first] = problems;
  if (first === undefined) return value;
  const before = text.slice(0, first.offset).split("\n");
  const said = printParseErrorCode(first.error).replaceAll(/(?!^)[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  throw broken(`${path}:${before.length}:${(before.at(-1)?.length ?? 0) + 1}: ${said}`);
};

/**
 * Sets values by their paths (undefined takes one back) and keeps the rest of the text as it is. Writes atomically. A file with
 * trust `any` is one that others may read, and work on.
 */
export const changeConfig = async (
  path: string,
  changes: ReadonlyArray<readonly [path: ReadonlyArray<string>, value: unknown]>,
  trust: "any" | "own" = "own",
): Promise<void> => {
  await readConfig(path, trust);
  const { applyEdits, modify } = await import("jsonc-parser");
  let text = readText(path, trust) ?? "";
  if (text.trim() === "") text = "{}\n";
  for (const [at, value] of changes) {
    const formattingOptions = { insertSpaces: true, tabSize: 2, eol: "\n" };
    text = applyEdits(text, modify(text, [...at], value, { formattingOptions }));
  }
  if (!text.endsWith("\n")) text += "\n";
  if (trust === "own") writeOwn(path, text);
  else writeAtomically(path, text, 0o644);
};
