// `registry activate`, `deactivate`, `make-public`, `make-private` and `delete`.
import { userOf } from "../manage/Accounts.ts";
import { change as changeEngine, type Change } from "../manage/Engines.ts";
import { flagsOf, needed, withDatabase } from "./Database.ts";
import type { CommandOutput } from "./Output.ts";
import { UsageError } from "./UserError.ts";

const done: Readonly<Record<Change, string>> = {
  activate: "activated",
  deactivate: "deactivated",
  delete: "deleted",
  "make-public": "made public",
  "make-private": "made private",
};

/** Changes the engines that tags mean, one after the other; each is on disk when its line is printed. */
export const change = async (how: Change, args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const flags = flagsOf(args, ["user"], [], Infinity);
  const name = needed(flags, "user");
  const { positionals } = flags;
  if (positionals.length === 0) throw new UsageError(`${how} which engine? name a tag`);
  return withDatabase(flags, "change", async (file) => {
    const user = userOf(file, name);
    for (const tag of positionals) {
      const changed = changeEngine(file, user, tag, how, Date.now());
      await output.row({ tag: changed, change: done[how] }, `${done[how]} ${changed}`);
    }
    return 0;
  });
};
