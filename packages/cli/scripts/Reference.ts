// The reference in Markdown, made from the table of commands.
import { nameOf, type Command, type Flag } from "../src/parse/Command.ts";
import { commands, flagsOf } from "../src/parse/CommandTable.ts";
import { exitCodeMeanings } from "../src/ExitCode.ts";
import { flagName, synopsis } from "../src/parse/Help.ts";
import { connection, everywhere, output } from "../src/parse/Flags.ts";
import { usageOf } from "../src/parse/Arguments.ts";

const list = (rows: ReadonlyArray<readonly [string, string]>): string =>
  rows.map(([name, text]) => `- \`${name}\`: ${text}`).join("\n");

const flagList = (flags: ReadonlyArray<Flag>): string => list(flags.map((flag) => [flagName(flag), flag.summary]));

const group = {
  connection: "[connection flags](#connection-flags)",
  output: "[output flags](#output-flags)",
} as const;

const section = (command: Command): string => {
  const common = new Set([...everywhere, ...connection, ...output]);
  const own = flagsOf(command).filter((flag) => !common.has(flag));
  const groups = (command.takes ?? []).map((name) => group[name]);
  return [
    `## ${nameOf(command)}`,
    `${command.summary}.`,
    `\`\`\`\nbne ${synopsis(command)} [FLAGS]\n\`\`\``,
    ...((command.aliases ?? []).length === 0
      ? []
      : [`Also ${(command.aliases ?? []).map((path) => `\`bne ${path.join(" ")}\``).join(", ")}.`]),
    ...(command.details ?? []),
    ...((command.positionals ?? []).length === 0
      ? []
      : [list((command.positionals ?? []).map((value) => [usageOf(value), value.summary]))]),
    ...(own.length === 0 ? [] : [flagList(own)]),
    ...(groups.length === 0 ? [] : [`It takes ${groups.join(" and ")}, too.`]),
    `\`\`\`sh\n${command.examples.map(({ line, explains }) => `# ${explains}\n${line}`).join("\n")}\n\`\`\``,
  ].join("\n\n");
};

/** The whole reference. */
export const reference = (): string =>
  [
    "# bne: reference",
    "Made from the table of commands by `pnpm generate`; every example is run by the tests.",
    commands
      .map((command) => `- [${nameOf(command)}](#${nameOf(command).replaceAll(" ", "-")}): ${command.summary}`)
      .join("\n"),
    ...commands.map(section),
    "## Flags of every command",
    flagList(everywhere),
    "## Connection flags",
    flagList(connection),
    "## Output flags",
    flagList(output),
    "## Exit codes",
    exitCodeMeanings.map(([code, meaning]) => `- ${code}: ${meaning}`).join("\n"),
    "",
  ]
    .join("\n\n")
    .trimEnd() + "\n";
