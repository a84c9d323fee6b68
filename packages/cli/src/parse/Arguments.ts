// Command lines, parsed by the table of commands.
import { didYouMean } from "@bytenite-engines/core/wire";
import { UsageError } from "@bytenite-engines/registry/command";
import { parseArgs } from "node:util";
import { nameOf, type Command, type Flag, type Positional } from "./Command.ts";
import { allFlags, commandAt, commands, flagsOf, groupAt, groups, maxWords, membersOf } from "./CommandTable.ts";
import { parseDuration } from "./Units.ts";
import { everywhere, flagsElsewhere } from "./Flags.ts";

/** The value of a flag: true for a switch, milliseconds for a duration, a list for words. */
export type FlagValue = boolean | string | number | ReadonlyArray<string>;

/** A parsed command line. */
export interface Arguments {
  readonly command: Command;
  readonly flags: Readonly<Record<string, FlagValue>>;
  readonly positionals: ReadonlyArray<string>;
}

/** Words without a command to run, and why. */
export type Request =
  | { readonly kind: "run"; readonly arguments: Arguments }
  | { readonly kind: "help"; readonly words: ReadonlyArray<string> }
  | { readonly kind: "version" };

const largestCount = 4_294_967_295;

/** Parses a command line. Throws UsageError with a hint. */
export const parseCommandLine = (argv: ReadonlyArray<string>): Request => {
  const known = allFlags();
  const { tokens } = parseArgs({
    args: [...argv],
    strict: false,
    tokens: true,
    options: Object.fromEntries(
      [...known.values()].map(({ name, short, kind }) => [
        name,
        { type: kind === "switch" ? "boolean" : "string", ...(short === undefined ? {} : { short }) } as const,
      ]),
    ),
  });
  const words = tokens.flatMap((token) => (token.kind === "positional" ? [token.value] : []));
  const options = tokens.filter((token) => token.kind === "option");
  if (options.some(({ name }) => name === "help")) return { kind: "help", words };
  if (options.some(({ name }) => name === "version")) return { kind: "version" };
  if (tokens.length === 0) return { kind: "help", words: [] };
  const misspelled = words.length > 0 ? undefined : options.find(({ name }) => !known.has(name));
  if (misspelled !== undefined) {
    const { rawName } = misspelled;
    const names = everywhere.map(({ name }) => `--${name}`);
    throw new UsageError(`bne has no flag ${quoted(rawName)}`, didYouMean(rawName, names) ?? "See `bne --help`.");
  }
  const { command, rest } = commandOf(words);
  const flags: Record<string, FlagValue> = {};
  const allowed = flagsOf(command);
  for (const { name, rawName, value } of options) {
    const flag = allowed.find((candidate) => candidate.name === name);
    if (flag === undefined) throw unknownFlag(rawName, command, known);
    // `-o=json`, as in other programs.
    const read = valueOf(flag, rawName.startsWith("--") ? value : value?.replace(/^=/, ""));
    const before = flags[flag.name];
    flags[flag.name] =
      flag.kind === "pairs" && Array.isArray(before) && Array.isArray(read) ? [...before, ...read] : read;
  }
  return { kind: "run", arguments: { command, flags, positionals: checked(command, rest) } };
};

const commandOf = (words: ReadonlyArray<string>): NonNullable<ReturnType<typeof commandAt>> => {
  const found = commandAt(words);
  if (found !== undefined) return found;
  const [first] = words;
  if (first === undefined)
    throw new UsageError("No command is given", "See `bne --help`; `bne --version` is the version.");
  const meant = namedElsewhere(words);
  if (meant !== undefined) {
    const given = words.slice(0, meant.words).join(" ");
    throw new UsageError(`There is no command bne ${given}`, `Did you mean ${meant.name}?`);
  }
  const group = groupAt(words);
  if (group !== undefined) {
    const name = group.join(" ");
    const members = [...new Set(membersOf(group).map(({ path }) => path[group.length] ?? ""))];
    const next = words[group.length];
    if (next === undefined) {
      throw new UsageError(`bne ${name} needs one of: ${members.join(", ")}`, `See \`bne ${name} --help\`.`);
    }
    throw new UsageError(
      `There is no command bne ${name} ${quoted(next)}`,
      didYouMean(next, members, `bne ${name} `) ?? `There are: ${members.join(", ")}.`,
    );
  }
  const names = [...commands.flatMap(({ path }) => (path.length === 1 ? path : [])), ...groups];
  throw new UsageError(
    `There is no command ${quoted(first)}`,
    didYouMean(first, names, "bne ") ?? "See `bne --help` for those there are.",
  );
};

/** Names that other programs put before their commands. */
const nouns = new Set(["engine", "engines"]);

/** The command that words name in other programs, and the number of these words. */
const namedElsewhere = (
  words: ReadonlyArray<string>,
): { readonly name: string; readonly words: number } | undefined => {
  const [first = "", second] = words;
  if (nouns.has(first) && second !== undefined) {
    const command = commandAt(words.slice(1))?.command;
    return command === undefined ? undefined : { name: nameOf(command), words: 2 };
  }
  for (let given = words.slice(0, maxWords); given.length > 0; given = given.slice(0, -1)) {
    const name = given.join(" ");
    const command = commands.find(({ elsewhere = [] }) => elsewhere.includes(name));
    if (command !== undefined) return { name: nameOf(command), words: given.length };
  }
  return undefined;
};

const unknownFlag = (rawName: string, command: Command, known: ReadonlyMap<string, Flag>): UsageError => {
  const names = flagsOf(command).map(({ name }) => `--${name}`);
  const other = rawName.replace(/^--?/, "");
  const ours = (Object.hasOwn(flagsElsewhere, other) ? (flagsElsewhere[other] ?? []) : []).find(
    (text) =>
      names.includes(text.split(" ")[0] ?? "") ||
      text.startsWith(`${nameOf(command)} `) ||
      commandAt(text.split(" ").slice(1))?.rest.length === 0,
  );
  const elsewhere = rawName.startsWith("--") && known.has(other);
  return new UsageError(
    `${nameOf(command)} has no flag ${quoted(rawName)}`,
    (ours === undefined ? undefined : `Did you mean ${ours}?`) ??
      didYouMean(rawName, names) ??
      (elsewhere ? `Other commands have it; see \`${nameOf(command)} --help\`.` : `See \`${nameOf(command)} --help\`.`),
  );
};

/** Reads the value of a flag by its kind. */
export const valueOf = (flag: Flag, text: string | undefined): FlagValue => {
  const name = `--${flag.name}`;
  if (flag.kind === "switch") {
    if (text !== undefined) throw new UsageError(`${name} takes no value`);
    return true;
  }
  if (text === undefined) throw new UsageError(`${name} needs a value: ${name} ${flag.value ?? "VALUE"}`);
  switch (flag.kind) {
    case "count": {
      const least = flag.least ?? 0;
      const [, digits, more] = /^(\d+)(\D*)$/.exec(text) ?? [];
      const isAllowed = Number(digits) >= least && Number(digits) <= largestCount;
      if (isAllowed && more === "") return Number(digits);
      throw new UsageError(
        `${name} must be a whole number from ${least} to ${largestCount}, not ${quoted(text)}`,
        isAllowed ? `Did you mean ${digits}?` : undefined,
      );
    }
    case "duration": {
      const ms = parseDuration(text);
      if (ms !== undefined && ms < (flag.least ?? 0)) throw new UsageError(`${name} must be at least ${flag.least} ms`);
      if (ms !== undefined) return ms;
      throw new UsageError(
        `${name} must be a time such as 500ms, 30s, 5m or 1h30m, not ${quoted(text)}`,
        (parseDuration(`${text}s`) ?? -1) < (flag.least ?? 0) ? undefined : `Did you mean ${text}s?`,
      );
    }
    case "url":
      return urlIn(text, name);
    case "pairs":
      if (/^[^=]+=/.test(text)) return [text];
      throw new UsageError(`${name} must be NAME=VALUE, not ${quoted(text)}`);
    case "words":
      return text
        .split(",")
        .map((word) => word.trim())
        .filter((word) => word !== "");
    case "choice": {
      const { choices = [] } = flag;
      if (choices.includes(text)) return text;
      throw new UsageError(
        `${name} must be one of ${choices.join(", ")}, not ${quoted(text)}`,
        didYouMean(text, choices),
      );
    }
    default:
      return text;
  }
};

const urlIn = (text: string, name: string): string => {
  if (!URL.canParse(text) || !/^https?:/i.test(text)) {
    throw new UsageError(`${name} must be an http or https URL, not ${quoted(text.replace(/^(.*?\/\/)?.*@/s, "$1"))}`);
  }
  const { username, password, search, hash } = new URL(text);
  if (username !== "" || password !== "") {
    throw new UsageError(
      `${name} must not carry a user name or password`,
      "Use BYTENITE_TOKEN or `bne auth login`; for `bne registry` set BYTENITE_MANAGE_TOKEN.",
    );
  }
  if (search !== "" || hash !== "") throw new UsageError(`${name} must not carry a query or fragment`);
  return text;
};

const checked = (command: Command, given: ReadonlyArray<string>): ReadonlyArray<string> => {
  const wanted = command.positionals ?? [];
  // An optional value may precede a required one.
  const needed = wanted.filter(({ optional }) => optional !== true);
  const missing = needed[given.length];
  if (missing !== undefined) {
    throw new UsageError(
      `${nameOf(command)} needs ${usageOf(missing)}: ${missing.summary}`,
      `See \`${nameOf(command)} --help\`.`,
    );
  }
  const extra = given[wanted.length];
  if (extra !== undefined && wanted.at(-1)?.many !== true) {
    const members = membersOf(command.path).map(({ path }) => path[command.path.length] ?? "");
    const meant = namedElsewhere([...command.path, ...given])?.name;
    throw new UsageError(
      `${nameOf(command)} does not take ${quoted(extra)}`,
      (meant === undefined ? didYouMean(extra, members, `${nameOf(command)} `) : `Did you mean ${meant}?`) ??
        command.instead ??
        `See \`${nameOf(command)} --help\`.`,
    );
  }
  return given;
};

/** A positional in a synopsis. */
export const usageOf = ({ name, optional, many }: Positional): string => {
  const whole = many === true ? `${name}...` : name;
  return optional === true ? `[${whole}]` : whole;
};

const quoted = (text: string): string => JSON.stringify(text.slice(0, 100));
