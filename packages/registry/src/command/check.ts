// How a database is checked from a command line.
import { sealedArchives } from "../manage/ArchiveFiles.ts";
import { checkDatabase } from "../manage/Check.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { noteUnread } from "./backup.ts";
import { archivesPath, assertDatabase, databasePath, environmentBox, flagsOf, userErrorOf } from "./Database.ts";
import type { CommandOutput } from "./Output.ts";
import { UserError } from "./UserError.ts";

/** A line per problem on stdout; 1 when there are any. Works while the database is served, and changes nothing. */
export const check = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const flags = flagsOf(args, ["archives"], [], 0);
  const path = databasePath(flags);
  assertDatabase(path);
  const problems = await environmentBox()
    .then((box) => checkDatabase(path, archivesPath(flags), box))
    .catch((error: unknown) => {
      throw userErrorOf(error, path);
    });
  for (const problem of problems) await output.row({ problem }, problem);
  if (problems.length > 0) {
    const isArchivesAlone = problems.every((problem) => problem.startsWith("the archive of "));
    throw new UserError(
      isArchivesAlone
        ? `${path} is sound, but not its archives: their owners upload them again, or restore a backup`
        : `${path} is damaged: move it away and restore a backup`,
    );
  }
  if ((await environmentBox()) === undefined) {
    const file = openSqlite(path, { readOnly: true });
    try {
      noteUnread(sealedArchives(file));
    } finally {
      file.close();
    }
  }
  await output.done(`${path} is sound`);
  return 0;
};
