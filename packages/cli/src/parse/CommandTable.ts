// All commands, and the flags of each.
import type { Command, Flag } from "./Command.ts";
import { accessCommands } from "./SetupCommands.ts";
import { changeCommands, engineCommands, lifecycleCommands } from "./EngineCommands.ts";
import { everywhere, flagGroups } from "./Flags.ts";
import { registryCommands } from "./RegistryCommands.ts";
import { shellCommands } from "./SetupCommands.ts";

/** The whole command line. */
export const commands: ReadonlyArray<Command> = [
  ...engineCommands,
  ...lifecycleCommands,
  ...changeCommands,
  ...accessCommands,
  ...registryCommands,
  ...shellCommands,
];

/** All flags of a command: its own, those of its groups, those of all. Its own win over the groups'. */
export const flagsOf = (command: Command): ReadonlyArray<Flag> => {
  const own = command.flags ?? [];
  const others = [...(command.takes ?? []).flatMap((group) => flagGroups[group]), ...everywhere];
  return [...own, ...others.filter(({ name }) => !own.some((flag) => flag.name === name))];
};

/** Flags of all commands by their names: a flag may stand before the command's name. */
export const allFlags = (): ReadonlyMap<string, Flag> =>
  new Map(
    [...commands.flatMap(({ flags = [] }) => flags), ...Object.values(flagGroups).flat(), ...everywhere].map((flag) => [
      flag.name,
      flag,
    ]),
  );

/** Words of a command, here and in other programs, at most. */
export const maxWords = 3;

/** The command with the longest match of words, and the remaining words. */
export const commandAt = (
  words: ReadonlyArray<string>,
): { readonly command: Command; readonly rest: ReadonlyArray<string> } | undefined => {
  for (let given = words.slice(0, maxWords); given.length > 0; given = given.slice(0, -1)) {
    const name = given.join(" ");
    const command = commands.find(({ path, aliases = [] }) =>
      [path, ...aliases].some((path) => path.join(" ") === name),
    );
    if (command !== undefined) return { command, rest: words.slice(given.length) };
  }
  return undefined;
};

/** Groups: first words of commands that are not commands, such as `auth` and `registry`. */
export const groups: ReadonlyArray<string> = [
  ...new Set(commands.flatMap(({ path: [group = "", member] }) => (member === undefined ? [] : [group]))),
];

/** The commands below these words. */
export const membersOf = (words: ReadonlyArray<string>): ReadonlyArray<Command> =>
  commands.filter(({ path }) => path.length > words.length && words.every((word, index) => path[index] === word));

/** The longest group at the begin of the words, such as `registry token`. */
export const groupAt = (words: ReadonlyArray<string>): ReadonlyArray<string> | undefined => {
  for (let group = words.slice(0, maxWords); group.length > 0; group = group.slice(0, -1)) {
    if (membersOf(group).length > 0) return group;
  }
  return undefined;
};
