// Decides: how a database is backed up and restored from a command line.
import { existsSync } from "node:fs";
import { listUsers } from "../manage/Accounts.ts";
import { backUp, BackupError, restore as restoreFrom } from "../manage/Backup.ts";
import { databasePath, environmentBox, flagsOf, toldOf, withDatabase } from "./Database.ts";
import { UsageError } from "./Told.ts";

/** Copies the database into a file. */
export const backup = async (args: ReadonlyArray<string>): Promise<number> => {
  const flags = flagsOf(args, [], [], 1);
  const [path] = flags.positionals;
  if (path === undefined) throw new UsageError("backup where? name a file");
  return withDatabase(flags, "refuse", async (file) => {
    const { users, engines } = await backUp(file.database, path);
    process.stdout.write(`backed up ${engines} engines of ${users} users to ${path}\n`);
    return 0;
  });
};

/** Puts a backup in the place of a database. One that has engines is only replaced with --force. */
export const restore = async (args: ReadonlyArray<string>): Promise<number> => {
  const flags = flagsOf(args, [], ["force"], 1);
  const [path] = flags.positionals;
  if (path === undefined) throw new UsageError("restore what? name a backup");
  const target = databasePath(flags);
  if (!flags.isOn("force") && existsSync(target)) {
    await withDatabase(flags, "refuse", async (file) => {
      if (listUsers(file).some(({ engines }) => engines > 0)) {
        throw new BackupError(`${target} has engines, which would be lost: use --force if that is meant`);
      }
    });
  }
  const { users, engines } = await environmentBox()
    .then((box) => restoreFrom(path, target, box))
    .catch((error: unknown) => {
      throw toldOf(error, target);
    });
  process.stdout.write(`restored ${engines} engines of ${users} users from ${path}\n`);
  return 0;
};
