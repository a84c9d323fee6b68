// The man pages, made from the table of commands.
import { usageOf } from "../src/parse/Arguments.ts";
import { nameOf, type Command, type Flag } from "../src/parse/Command.ts";
import { commands, flagsOf } from "../src/parse/CommandTable.ts";
import { exitCodeMeanings } from "../src/Errors.ts";
import { environmentVariables } from "../src/config/Setting.ts";
import { everywhere } from "../src/parse/Flags.ts";

/** Text as roff takes it: no escape begins by chance, and no line begins with a request. */
const roff = (text: string): string =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replaceAll(/^([.'])/gm, "\\&$1");

const heading = (title: string): string => `.SH ${title}`;
const header = (name: string): string => `.TH ${name.toUpperCase().replaceAll("-", "\\-")} 1 "" "bne" "bne manual"`;

const flagEntry = ({ name, short, value, kind, summary }: Flag): string => {
  const names = [...(short === undefined ? [] : [`\\fB\\-${short}\\fR`]), `\\fB\\-\\-${roff(name)}\\fR`].join(", ");
  return `.TP\n${names}${kind === "switch" ? "" : ` \\fI${roff(value ?? "VALUE")}\\fR`}\n${roff(summary)}`;
};

const entry = (term: string, text: string): string => `.TP\n\\fB${roff(term)}\\fR\n${roff(text)}`;

const exitStatus = (): ReadonlyArray<string> => [
  heading('"EXIT STATUS"'),
  ...exitCodeMeanings.map(([code, meaning]) => entry(String(code), meaning)),
];

/** Name of a command's page, without its section. */
const pageName = (command: Command): string => ["bne", ...command.path].join("-");

const commandPage = (command: Command): string => {
  const own = flagsOf(command).filter((flag) => !everywhere.includes(flag));
  const values = command.positionals ?? [];
  return [
    header(pageName(command)),
    heading("NAME"),
    `${roff(pageName(command))} \\- ${roff(command.summary)}`,
    heading("SYNOPSIS"),
    `.B ${roff(nameOf(command))}`,
    [...values.map((value) => `\\fI${roff(usageOf(value))}\\fR`), "[\\fIflags\\fR]"].join(" "),
    heading("DESCRIPTION"),
    `${roff(command.summary)}.`,
    ...(command.details ?? []).map((paragraph) => `.PP\n${roff(paragraph)}`),
    ...(values.length === 0 ? [] : [heading("VALUES"), ...values.map((value) => entry(usageOf(value), value.summary))]),
    heading("FLAGS"),
    ...[...own, ...everywhere].map(flagEntry),
    heading("EXAMPLES"),
    command.examples
      .map(({ line, explains }) => `${roff(explains)}:\n.PP\n.nf\n.RS 4\n${roff(line)}\n.RE\n.fi`)
      .join("\n.PP\n"),
    ...exitStatus(),
    heading('"SEE ALSO"'),
    "\\fBbne\\fR(1)",
    "",
  ].join("\n");
};

const overviewPage = (): string =>
  [
    header("bne"),
    heading("NAME"),
    "bne \\- the engines API of ByteNite on the command line",
    heading("SYNOPSIS"),
    ".B bne",
    "\\fIcommand\\fR [\\fIvalues\\fR] [\\fIflags\\fR]",
    heading("COMMANDS"),
    ...commands.map((command) => entry(nameOf(command), command.summary)),
    heading("FLAGS"),
    ...everywhere.map(flagEntry),
    heading("ENVIRONMENT"),
    ...environmentVariables.map(([name, text]) => entry(name, text)),
    ...exitStatus(),
    heading('"SEE ALSO"'),
    commands.map((command) => `\\fB${roff(pageName(command))}\\fR(1)`).join(",\n"),
    "",
  ].join("\n");

/** All pages by their file names. */
export const manPages = (): ReadonlyMap<string, string> =>
  new Map([
    ["bne.1", overviewPage()],
    ...commands.map((command) => [`${pageName(command)}.1`, commandPage(command)] as const),
  ]);
