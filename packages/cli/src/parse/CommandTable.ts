// All commands, and the flags of each.
import type { Command, Flag } from "./Command.ts";
import { accessCommands } from "./SetupCommands.ts";
import { changeCommands, engineCommands, lifecycleCommands } from "./EngineCommands.ts";
import { everywhere, flagGroups } from "./Flags.ts";
import { shellCommands } from "./SetupCommands.ts";

/** The whole command line. */
export const commands: ReadonlyArray<Command> = [
  ...engineCommands,
  ...lifecycleCommands,
  ...changeCommands,
  ...accessCommands,
  ...shellCommands,
];

/** All flags of a command: its own, those of its groups, those of all. Its own win over the groups'. */
export const flagsOf = (command: Command): ReadonlyArray<Flag> => {
  const flags = [
    ...(command.flags ?? []),
    ...(command.takes ?? []).flatMap((group) => flagGroups[group]),
    ...everywhere,
  ];
  return flags.filter((flag, index) => flags.findIndex(({ name }) => name === flag.name) === index);
};

/** The command that words name, taking as many words as it can; and the words that are left. */
export const commandAt = (
  words: ReadonlyArray<string>,
): { readonly command: Command; readonly rest: ReadonlyArray<string> } | undefined => {
  for (let length = Math.min(2, words.length); length > 0; length--) {
    const given = words.slice(0, length).join(" ");
    const command = commands.find(({ path, aliases = [] }) =>
      [path, ...aliases].some((path) => path.join(" ") === given),
    );
    if (command !== undefined) return { command, rest: words.slice(length) };
  }
  return undefined;
};

/** Words that begin commands without being one: `auth`, `profile`, ... */
export const groups: ReadonlyArray<string> = [
  ...new Set(commands.flatMap(({ path }) => (path.length > 1 && path[0] !== undefined ? [path[0]] : []))),
];
