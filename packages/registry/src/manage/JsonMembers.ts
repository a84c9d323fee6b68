// Checked members of a JSON object, with line and column.
import { parse, type ValueNode } from "@humanwhocodes/momoa";

/** Longest list and longest text, in items and in characters. */
export const maxItems = 1_000;
export const maxTextCharacters = 64 * 1_024;

/** Most listed problems of a text. */
const maxProblems = 100;

/** Deepest nesting of objects and lists: a manifest needs two. */
const maxDepth = 32;

/** A text and its problems. */
export interface Reading {
  /** Name in messages. */
  readonly source: string;
  readonly text: string;
  readonly problems: Array<string>;
  /** The text as parsed with line numbers, after the first problem. */
  tree?: ValueNode;
}

/** A place in the text: the path of names. `key` means the name itself, not its value. */
export interface Place {
  readonly names: ReadonlyArray<string>;
  readonly key?: boolean;
}

/** Kinds of values. */
export type Kind = "text" | "texts" | "boolean" | "amount" | "object";

/** The valid members of an object that are not null. */
export type Members = Readonly<Record<string, unknown>>;

/** The value of a JSON text; undefined if it is malformed or nested too deep. Reports duplicate keys. */
export const parseJson = (reading: Reading): unknown => {
  if (!checkStructure(reading)) return undefined;
  try {
    return JSON.parse(reading.text);
  } catch {
    // The parser with line numbers is many times slower, so it reads only texts with problems.
    const { line, column, message } = syntaxProblem(reading);
    reading.problems.push(`${reading.source}:${line}:${column}: not JSON: ${message}`);
    return undefined;
  }
};

const syntaxProblem = (reading: Reading): Position & { readonly message: string } => {
  try {
    return { ...located(reading, { names: [] }), message: "cannot be read" };
  } catch (error) {
    const { line, column, message } = error as Position & { readonly message: string };
    return { line, column, message: message.replace(/ \(\d+:\d+\)$/, "") };
  }
};

const quote = 0x22;
const backslash = 0x5c;

/** The offset of the quote that ends a JSON string, or the end of the text. */
const endOfString = (text: string, start: number): number => {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== quote) at += text.charCodeAt(at) === backslash ? 2 : 1;
  return at;
};

/** Whether a colon follows, after white space. */
const isKey = (text: string, from: number): boolean => {
  let at = from;
  while (" \t\r\n".includes(text[at] ?? ".")) at++;
  return text[at] === ":";
};

const textOf = (literal: string): string => {
  try {
    return String(JSON.parse(literal));
  } catch {
    return literal;
  }
};

/**
 * Reports nesting that is too deep, where it stops, and duplicate keys, in any case: JSON.parse would overflow or use the last
 * one. Returns whether the text can be parsed.
 */
const checkStructure = (reading: Reading): boolean => {
  const { text } = reading;
  const open: Array<Set<string>> = [];
  for (let at = 0; at < text.length; at++) {
    const character = text[at];
    if (character === "{" || character === "[") {
      if (open.length === maxDepth) {
        complainAt(reading, at, `is nested deeper than ${maxDepth} levels`);
        return false;
      }
      open.push(new Set());
    } else if (character === "}" || character === "]") open.pop();
    else if (character === '"') {
      const end = endOfString(text, at);
      if (isKey(text, end + 1)) {
        const name = textOf(text.slice(at, end + 1));
        const names = open.at(-1);
        if (names?.has(name.toLowerCase()) === true) {
          complainAt(
            reading,
            at,
            `there is a second ${JSON.stringify(name.slice(0, 100))}: upper and lower case are the same`,
          );
        }
        names?.add(name.toLowerCase());
      }
      at = end;
    }
  }
  return true;
};

const complainAt = ({ source, text, problems }: Reading, offset: number, problem: string): void => {
  if (problems.length >= maxProblems) return;
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  problems.push(`${source}:${line}:${offset - before.lastIndexOf("\n")}: ${problem}`);
};

/** Adds a problem at a place. */
export const complain = (reading: Reading, place: Place, problem: string): void => {
  if (reading.problems.length >= maxProblems) return;
  const { line, column } = located(reading, place);
  reading.problems.push(`${reading.source}:${line}:${column}: ${problem}`);
};

interface Position {
  readonly line: number;
  readonly column: number;
}

const located = (reading: Reading, place: Place): Position => {
  reading.tree ??= parse(reading.text, { mode: "json" }).body;
  return walked(reading.tree, place);
};

const walked = (root: ValueNode, { names, key }: Place): Position => {
  let node = root;
  let at: { readonly loc: ValueNode["loc"] } = node;
  for (const [depth, name] of names.entries()) {
    const members = node.type === "Object" ? node.members : [];
    // Of several members of one name the last one counts, as in JSON.parse.
    const member = members.findLast((member) =>
      isSameName(member.name.type === "String" ? member.name.value : "", name),
    );
    if (member === undefined) break;
    node = member.value;
    at = key === true && depth === names.length - 1 ? member.name : node;
  }
  return at.loc.start;
};

/** Names are compared without case, as in Go's JSON reader, for which manifests were written. */
const isSameName = (one: string, other: string): boolean => one.toLowerCase() === other.toLowerCase();

const kinds: Readonly<Record<Kind, { readonly says: string; readonly holds: (value: unknown) => boolean }>> = {
  text: { says: `a text of at most ${maxTextCharacters} characters`, holds: (value) => isText(value) },
  texts: {
    says: `a list of at most ${maxItems} texts`,
    holds: (value) => Array.isArray(value) && value.length <= maxItems && value.every(isText),
  },
  boolean: { says: "true or false", holds: (value) => typeof value === "boolean" },
  amount: {
    says: "a number from 0 on that fits into a float",
    holds: (value) => typeof value === "number" && value >= 0 && Number.isFinite(Math.fround(value)),
  },
  object: { says: "an object", holds: (value) => isObject(value) },
};

/** Whether a value is a valid text. */
export const isText = (value: unknown): boolean =>
  typeof value === "string" && value.length <= maxTextCharacters && value.isWellFormed();

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The known and valid members of an object, in any case. Reports all others; null counts as absent. */
export const membersOf = (
  reading: Reading,
  value: unknown,
  at: ReadonlyArray<string>,
  known: Readonly<Record<string, Kind>>,
): Members => {
  const what = at.at(-1) ?? "the manifest";
  if (!isObject(value)) {
    complain(reading, { names: at }, `${what} must be an object`);
    return {};
  }
  const members: Record<string, unknown> = {};
  for (const name of Object.keys(value)) {
    const member = value[name];
    const key = name.toLowerCase();
    const kind = Object.hasOwn(known, key) ? known[key] : undefined;
    const names = [...at, name];
    if (kind === undefined) {
      const unknown = `${JSON.stringify(name.slice(0, 100))} is not a key of ${what}`;
      complain(reading, { names, key: true }, `${unknown}: there are ${Object.keys(known).join(", ")}`);
    } else if (member !== null) {
      if (kinds[kind].holds(member)) members[key] = member;
      else if (typeof member === "string" && !member.isWellFormed()) {
        complain(reading, { names }, `${name} has half of a surrogate pair, which is not a character`);
      } else complain(reading, { names }, `${name} must be ${kinds[kind].says}`);
    }
  }
  return members;
};
