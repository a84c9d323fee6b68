// Help, made from the table of commands.
import { closest } from "@bytenite-engines/core/wire";
import { UsageError } from "@bytenite-engines/registry/command";
import { usageOf } from "./Arguments.ts";
import { nameOf, type Command, type Flag } from "./Command.ts";
import { commandAt, commands, flagsOf, groupAt, groups, membersOf } from "./CommandTable.ts";
import { exitCodeMeanings, exitCodes } from "../Errors.ts";
import { environmentVariables } from "../config/Setting.ts";
import { everywhere } from "./Flags.ts";
import { isTopic, topicNames, topicTexts, type Topic } from "./Topics.ts";
import { wrapped } from "../terminal/Width.ts";
import { printText } from "../terminal/PlainText.ts";

/** Narrowest and widest help, in cells; off a terminal it is 80. */
const leastCells = 60;
const mostCells = 120;
const plainCells = 80;

/** Cells of help for a terminal of so many columns; undefined: no terminal. */
export const helpCells = (columns: number | undefined): number =>
  Math.min(mostCells, Math.max(leastCells, columns || plainCells));

/** Prints the help of everything, a group, a command or a topic. */
export const showHelp = (words: ReadonlyArray<string>): number => {
  printText(helpText(words, helpCells(process.stdout.columns)));
  return exitCodes.ok;
};

/** The same as text. Throws UsageError for unknown words. */
export const helpText = (words: ReadonlyArray<string>, cells: number): string => {
  const [first] = words;
  if (first === undefined) return overview(commands, "", cells);
  const found = commandAt(words);
  if (found !== undefined) return commandHelp(found.command, cells);
  const group = groupAt(words);
  if (group?.length === words.length) return overview(membersOf(group), group.join(" "), cells);
  if (isTopic(first)) return topicHelp(first, cells);
  const names = [...commands.map(({ path }) => path.join(" ")), ...groups, ...topicNames];
  const near = closest(words.join(" "), names).map((name) => (isTopic(name) ? `bne help ${name}` : `bne ${name}`));
  throw new UsageError(
    `There is no command or topic ${JSON.stringify(words.join(" ").slice(0, 100))}`,
    near.length > 0 ? `Did you mean ${near.join(" or ")}?` : `See \`bne --help\`. Topics: ${topicNames.join(", ")}.`,
  );
};

const overview = (shown: ReadonlyArray<Command>, group: string, cells: number): string =>
  [
    ...(group === ""
      ? ["bne: the engines API of ByteNite on the command line", "", "Usage: bne COMMAND [VALUES] [FLAGS]"]
      : [
          ...wrapped(`bne ${group}: ${membersNamed(shown, group).join(", ")}`, cells),
          "",
          `Usage: bne ${group} COMMAND [VALUES] [FLAGS]`,
        ]),
    "",
    "Commands",
    ...twoColumns(
      (group === "" ? withoutRegistry(shown) : shown).map((command) => [synopsis(command), command.summary]),
      cells,
    ),
    "",
    "Flags of every command",
    ...twoColumns(
      everywhere.map((flag) => [flagName(flag), flag.summary]),
      cells,
    ),
    ...(group === "" ? ["", ...wrapped(`Topics for \`bne help\`: ${topicNames.join(", ")}.`, cells)] : []),
    "",
    ...wrapped("`bne COMMAND --help` shows its flags and examples. `bne completion SHELL` sets up the shell.", cells),
    "",
  ].join("\n");

/** The words that follow those of a group. */
const membersNamed = (shown: ReadonlyArray<Command>, group: string): ReadonlyArray<string> => [
  ...new Set(shown.map(({ path }) => path[group.split(" ").length] ?? "")),
];

const isOfRegistry = ({ path }: Command): boolean => path[0] === "registry";

/** All commands; the many of a registry as one line. */
const withoutRegistry = (shown: ReadonlyArray<Command>): ReadonlyArray<Pick<Command, "path" | "summary">> => {
  const first = shown.findIndex(isOfRegistry);
  const together = { path: ["registry", "COMMAND"], summary: "Run, fill and manage a registry of your own" };
  return shown.filter((command) => !isOfRegistry(command)).toSpliced(first, 0, together as never);
};

/** The help of one command. */
export const commandHelp = (command: Command, cells: number): string => {
  const own = flagsOf(command).filter((flag) => !everywhere.includes(flag));
  const aliases = (command.aliases ?? []).map((path) => `bne ${path.join(" ")}`);
  return [
    ...wrapped(`${nameOf(command)}: ${command.summary}`, cells),
    "",
    `Usage: bne ${synopsis(command)}${own.length === 0 ? "" : " [FLAGS]"}`,
    ...(aliases.length === 0 ? [] : [`Also:  ${aliases.join(", ")}`]),
    ...(command.details ?? []).flatMap((paragraph) => [""].concat(wrapped(paragraph, cells))),
    ...section(
      "Values",
      (command.positionals ?? []).map((each) => [usageOf(each), each.summary]),
      cells,
    ),
    ...section(
      "Flags",
      own.map((flag) => [flagName(flag), flag.summary]),
      cells,
    ),
    "",
    ...wrapped(`Flags of every command: ${everywhere.map(flagName).join(", ")}; see \`bne --help\`.`, cells),
    "",
    "Examples",
    // Not wrapped, so that they can be copied.
    ...command.examples.flatMap(({ line, explains }) => [`  # ${explains}`, `  ${line}`]),
    "",
    "Exit codes",
    ...twoColumns(
      exitCodeMeanings.map(([code, meaning]) => [String(code), meaning]),
      cells,
    ),
    "",
  ].join("\n");
};

const topicHelp = (topic: Topic, cells: number): string => {
  const { title, parts } =
    topic === "exit-codes"
      ? { title: "Exit codes", parts: [exitCodeMeanings.map(([code, meaning]) => [String(code), meaning] as const)] }
      : topic === "environment"
        ? { title: "Environment", parts: [environmentVariables] }
        : topicTexts[topic];
  return [
    title,
    ...parts.flatMap((part) => [""].concat(typeof part === "string" ? wrapped(part, cells) : twoColumns(part, cells))),
    "",
  ].join("\n");
};

/** A command without flags. */
export const synopsis = ({ path, positionals = [] }: Pick<Command, "path" | "positionals">): string =>
  [...path, ...positionals.map(usageOf)].join(" ");

/** A flag in help: `-o, --output FORM`. */
export const flagName = ({ name, short, value, kind }: Flag): string =>
  `${short === undefined ? "" : `-${short}, `}--${name}${kind === "switch" ? "" : ` ${value ?? "VALUE"}`}`;

const section = (title: string, rows: ReadonlyArray<readonly [string, string]>, cells: number): ReadonlyArray<string> =>
  rows.length === 0 ? [] : ["", title, ...twoColumns(rows, cells)];

/** Widest first column, in cells. */
const mostNameCells = 34;

/** Names and their meanings. A name wider than the column has a line of its own. */
const twoColumns = (rows: ReadonlyArray<readonly [string, string]>, cells: number): ReadonlyArray<string> => {
  const most = Math.min(mostNameCells, cells / 2 - 4);
  const left = Math.max(...rows.map(([name]) => (name.length <= most ? name.length : 0))) + 4;
  return rows.flatMap(([name, text]) => {
    const lines = wrapped(text, cells - left);
    const fits = name.length <= left - 4;
    return [
      ...(fits ? [] : [`  ${name}`]),
      ...lines.map((line, index) => `  ${(fits && index === 0 ? name : "").padEnd(left - 2)}${line}`),
    ];
  });
};
