// Help, made from the table of commands.
import { usageOf } from "./Arguments.ts";
import { nameOf, type Command, type Flag } from "./Command.ts";
import { commandAt, commands, flagsOf, groups } from "./CommandTable.ts";
import { exitCodeMeanings, exitCodes } from "../ExitCode.ts";
import { didYouMean } from "./Suggestion.ts";
import { everywhere } from "./Flags.ts";
import { wrapped } from "../terminal/Width.ts";
import { printText } from "../terminal/PlainText.ts";
import { UsageError } from "../Errors.ts";

/** Width of help, in cells: it is read in narrow windows, too. */
const helpCells = 100;

/** Prints the help of what the words name: all, a group or a command. */
export const showHelp = (words: ReadonlyArray<string>): number => {
  printText(helpText(words));
  return exitCodes.ok;
};

/** The help of what the words name. Throws UsageError when they name nothing. */
export const helpText = (words: ReadonlyArray<string>): string => {
  const [first] = words;
  if (first === undefined) return overview(commands);
  const found = commandAt(words);
  if (found !== undefined) return commandHelp(found.command);
  if (groups.includes(first)) return overview(commands.filter(({ path }) => path[0] === first));
  const names = [...commands.map(({ path }) => path.join(" ")), ...groups];
  throw new UsageError(
    `There is no command ${JSON.stringify(words.join(" "))}`,
    didYouMean(words.join(" "), names, "bne ") ?? "See `bne --help`.",
  );
};

const overview = (shown: ReadonlyArray<Command>): string =>
  [
    "bne: the engines API of ByteNite on the command line",
    "",
    "Usage: bne COMMAND [VALUES] [FLAGS]",
    "",
    "Commands",
    ...twoColumns(shown.map((command) => [synopsis(command), command.summary])),
    "",
    "Flags of every command",
    ...twoColumns(everywhere.map((flag) => [flagName(flag), flag.summary])),
    "",
    "`bne COMMAND --help` shows its flags and examples. `bne completion SHELL` sets up the shell.",
    "",
  ].join("\n");

/** The help of one command. */
export const commandHelp = (command: Command): string => {
  const own = flagsOf(command).filter((flag) => !everywhere.includes(flag));
  return [
    `${nameOf(command)}: ${command.summary}`,
    "",
    `Usage: bne ${synopsis(command)}${own.length === 0 ? "" : " [FLAGS]"}`,
    ...(command.details ?? []).flatMap((paragraph) => [""].concat(wrapped(paragraph, helpCells))),
    ...section(
      "Values",
      (command.positionals ?? []).map((each) => [usageOf(each), each.summary]),
    ),
    ...section(
      "Flags",
      own.map((flag) => [flagName(flag), flag.summary]),
    ),
    "",
    "Examples",
    ...command.examples.flatMap(({ line, explains }) => [`  # ${explains}`, `  ${line}`]),
    "",
    "Exit codes",
    ...twoColumns(exitCodeMeanings.map(([code, meaning]) => [String(code), meaning])),
    "",
  ].join("\n");
};

/** How a command is written, without flags. */
export const synopsis = ({ path, positionals = [], passesOn }: Command): string =>
  [...path, ...positionals.map(usageOf), ...(passesOn === true ? ["..."] : [])].join(" ");

/** How a flag is written: `-o, --output FORM`. */
export const flagName = ({ name, short, value, kind }: Flag): string =>
  `${short === undefined ? "" : `-${short}, `}--${name}${kind === "switch" ? "" : ` ${value ?? "VALUE"}`}`;

const section = (title: string, rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> =>
  rows.length === 0 ? [] : ["", title, ...twoColumns(rows)];

const twoColumns = (rows: ReadonlyArray<readonly [string, string]>): ReadonlyArray<string> => {
  const left = Math.max(...rows.map(([name]) => name.length)) + 4;
  return rows.flatMap(([name, text]) =>
    wrapped(text, helpCells - left).map((line, index) => `  ${(index === 0 ? name : "").padEnd(left - 2)}${line}`),
  );
};
