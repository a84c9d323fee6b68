// Decides: how users are listed.
import { listUsers } from "../manage/Accounts.ts";
import { flagsOf, withDatabase } from "./Database.ts";

/** A line per user: name, id, number of engines. */
export const users = async (args: ReadonlyArray<string>): Promise<number> => {
  return withDatabase(flagsOf(args, [], [], 0), "refuse", async (file) => {
    for (const { user, engines } of listUsers(file)) process.stdout.write(`${user.name}\t${user.id}\t${engines}\n`);
    return 0;
  });
};
