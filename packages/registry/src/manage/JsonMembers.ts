// Decides: whether the members of a JSON object are the ones that are known, of the right kinds; complains by line and column.
import { parse, type ValueNode } from "@humanwhocodes/momoa";

/** Longest list and longest text that is taken, in items and in characters. */
export const maxItems = 1_000;
export const maxTextCharacters = 64 * 1_024;

/** A text that is being read, and what was found wrong with it. */
export interface Reading {
  /** How messages name it. */
  readonly source: string;
  readonly text: string;
  readonly problems: Array<string>;
}

/** Where something is in the text: the names that lead to it. `key` means the name itself, not what it stands for. */
export interface Place {
  readonly names: ReadonlyArray<string>;
  readonly key?: boolean;
}

/** The kinds of values that are read here. */
export type Kind = "text" | "texts" | "boolean" | "amount" | "object";

/** The members of an object that are right and not null. */
export type Members = Readonly<Record<string, unknown>>;

/** The value in a JSON text, or undefined when it is none. */
export const parseJson = (reading: Reading): unknown => {
  try {
    return JSON.parse(reading.text);
  } catch {
    // The parser that knows lines is many times slower, so it only looks at what is wrong already.
    const { line, column, message } = syntaxProblem(reading.text);
    reading.problems.push(`${reading.source}:${line}:${column}: not JSON: ${message}`);
    return undefined;
  }
};

const syntaxProblem = (text: string): { line: number; column: number; message: string } => {
  try {
    parse(text, { mode: "json" });
  } catch (error) {
    const { line = 1, column = 1, message } = error as { line?: number; column?: number; message: string };
    return { line, column, message: message.replace(/ \(\d+:\d+\)$/, "") };
  }
  return { line: 1, column: 1, message: "cannot be read" };
};

/** Writes down a problem at a place. */
export const complain = (reading: Reading, place: Place, problem: string): void => {
  const { line, column } = located(reading.text, place);
  reading.problems.push(`${reading.source}:${line}:${column}: ${problem}`);
};

interface Position {
  readonly line: number;
  readonly column: number;
}

const located = (text: string, place: Place): Position => {
  try {
    return walked(parse(text, { mode: "json" }).body, place);
  } catch {
    // Nested too deep for the parser that knows lines.
    return { line: 1, column: 1 };
  }
};

const walked = (root: ValueNode, { names, key }: Place): Position => {
  let node = root;
  let at: { readonly loc: ValueNode["loc"] } = node;
  for (const [depth, name] of names.entries()) {
    const members = node.type === "Object" ? node.members : [];
    // Of several members of one name the last one counts, as in JSON.parse.
    const member = members.findLast((member) => (member.name.type === "String" ? member.name.value : "") === name);
    if (member === undefined) break;
    node = member.value;
    at = key === true && depth === names.length - 1 ? member.name : node;
  }
  return at.loc.start;
};

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

/** Whether a value is a text that is taken. */
export const isText = (value: unknown): boolean =>
  typeof value === "string" && value.length <= maxTextCharacters && value.isWellFormed();

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** The members of an object that are known and right. Complains about all others; null is the same as absent. */
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
    const kind = Object.hasOwn(known, name) ? known[name] : undefined;
    const names = [...at, name];
    if (kind === undefined) {
      complain(reading, { names, key: true }, `${what} has no ${JSON.stringify(name.slice(0, 100))}`);
    } else if (member !== null) {
      if (kinds[kind].holds(member)) members[name] = member;
      else complain(reading, { names }, `${name} must be ${kinds[kind].says}`);
    }
  }
  return members;
};
