// How a database is checked from a command line.
import { existsSync } from "node:fs";
import { checkDatabase } from "../manage/Check.ts";
import { archivesPath, databasePath, flagsOf, userErrorOf } from "./Database.ts";
import type { CommandOutput } from "./Output.ts";
import { UserError } from "./UserError.ts";

/** A line per problem on stdout; 1 when there are any. Works while the database is served, and changes nothing. */
export const check = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const flags = flagsOf(args, ["archives"], [], 0);
  const path = databasePath(flags);
  if (!existsSync(path)) throw new UserError(`there is no database ${path}`);
  const problems = await checkDatabase(path, archivesPath(flags)).catch((error: unknown) => {
    throw userErrorOf(error, path);
  });
  for (const problem of problems) await output.row({ problem }, problem);
  if (problems.length > 0) {
    throw new UserError(`${path} is damaged: move it away and restore a backup`);
  }
  await output.done(`${path} is sound`);
  return 0;
};
