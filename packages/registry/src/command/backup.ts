// `registry backup` and `registry restore`.
import { once } from "node:events";
import { existsSync, statSync } from "node:fs";
import { createInterface } from "node:readline/promises";
import { backUp, BackupError, restore as restoreFrom, type Revival } from "../manage/Backup.ts";
import { lineOf } from "./credentials.ts";
import { databasePath, environmentBox, flagsOf, toldOf, withDatabase } from "./Database.ts";
import { UsageError } from "./Told.ts";

/** Copies the database into a file. */
export const backup = async (args: ReadonlyArray<string>): Promise<number> => {
  const flags = flagsOf(args, [], [], 1);
  const [path] = flags.positionals;
  if (path === undefined) throw new UsageError("backup where? name a file");
  return withDatabase(flags, "copy", async (file) => {
    const { users, engines } = await backUp(file.database, path);
    process.stdout.write(`backed up ${engines} engines of ${users} users to ${path}\n`);
    return 0;
  });
};

/** Tokens and keys that are named one by one before a backup is put in place. */
const maxListed = 20;

/**
 * Puts a backup in the place of a database. One that has engines is only replaced with --force. Tokens and keys that may have
 * been revoked since come back only with --yes, or with a yes on the terminal.
 */
export const restore = async (args: ReadonlyArray<string>): Promise<number> => {
  const flags = flagsOf(args, [], ["force", "yes", "revoke-all"], 1);
  const [path] = flags.positionals;
  if (path === undefined) throw new UsageError("restore what? name a backup");
  const target = databasePath(flags);
  if (!flags.isOn("force") && existsSync(target)) {
    await withDatabase(flags, "copy", async (file) => {
      if (file.rows({ sql: "SELECT 1 FROM users WHERE live_engines > 0 LIMIT 1", values: [] }).length > 0) {
        throw new BackupError(`${target} has engines, which would be lost: use --force if that is meant`);
      }
    });
  }
  const onRevival = async ({ lastChange, live }: Revival): Promise<void> => {
    const lines = live.slice(0, maxListed).map((credential) => `  ${lineOf(credential, Date.now())}\n`);
    const more = live.length > maxListed ? `  and ${live.length - maxListed} more\n` : "";
    process.stderr.write(
      `${path} was written ${statSync(path).mtime.toISOString()}; the last change in it is of ${lastChange.toISOString()}.\n`,
    );
    if (live.length === 0) return;
    process.stderr.write(
      `Tokens and keys that would be good again, though they may have been revoked since:\n${lines.join("")}${more}`,
    );
    if (flags.isOn("yes")) return;
    if (!process.stdin.isTTY || !process.stderr.isTTY) {
      throw new BackupError("nothing was restored: use --revoke-all to end them, or --yes to let them live");
    }
    const answer = await answerTo("Restore, and let them live (y), or not (n; --revoke-all ends them)? [n] ");
    if (!/^y(es)?$/i.test(answer.trim())) throw new BackupError("nothing was restored");
  };
  const { users, engines } = await environmentBox()
    .then((box) => restoreFrom(path, target, { box, revokeAll: flags.isOn("revoke-all"), onRevival }))
    .catch((error: unknown) => {
      throw toldOf(error, target);
    });
  process.stdout.write(`restored ${engines} engines of ${users} users from ${path}\n`);
  return 0;
};

/** One line from the terminal; none when it is closed. */
const answerTo = async (question: string): Promise<string> => {
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return await Promise.race([lines.question(question).catch(() => ""), once(lines, "close").then(() => "")]);
  } finally {
    lines.close();
  }
};
