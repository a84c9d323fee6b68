// `registry backup` and `registry restore`.
import { existsSync, statSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { archivesOf, sealedArchives } from "../manage/ArchiveFiles.ts";
import { backUp, BackupError, removeUnfinished, restore as restoreFrom, type Revival } from "../manage/Backup.ts";
import { lineOf } from "./manage.ts";
import { archivesPath, databasePath, environmentBox, flagsOf, userErrorOf, withDatabase } from "./Database.ts";
import { canAsk, isConfirmed, type CommandOutput } from "./Output.ts";
import { UsageError } from "./UserError.ts";

/** Copies the database into a file, or under the time into a directory, of which `--keep` leaves the newest. */
export const backup = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const flags = flagsOf(args, ["keep", "archives"], [], 1);
  const [given] = flags.positionals;
  if (given === undefined) throw new UsageError("backup where? name a file, or a directory");
  const keep = keepOf(flags.text("keep"));
  const isDirectory = statSync(given, { throwIfNoEntry: false })?.isDirectory() === true;
  if (keep !== undefined && !isDirectory) throw new UsageError("--keep goes with a directory that exists");
  const path = isDirectory ? join(given, datedName(new Date())) : given;
  return withDatabase(flags, "copy", async (file, box) => {
    if (isDirectory) await removeAllUnfinished(given, output);
    const { users, engines } = await backUp(file.database, path, archivesPath(flags), box);
    if (box === undefined) noteUnread(sealedArchives(file));
    await output.done(`backed up ${counted(engines, "engine")} of ${counted(users, "user")} to ${path}`);
    for (const old of keep === undefined ? [] : await rotated(given, keep)) await output.done(`removed ${old}`);
    return 0;
  });
};

const counted = (count: number, noun: string): string => `${count} ${noun}${count === 1 ? "" : "s"}`;

/** Notes archives that were not read. */
export const noteUnread = (count: number): void => {
  if (count === 0) return;
  process.stderr.write(
    `registry: ${count} ${count === 1 ? "archive" : "archives"} with secrets compared by size only: set BYTENITE_REGISTRY_KEY to read them\n`,
  );
};

const keepOf = (text: string | undefined): number | undefined => {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,3}$/.test(text)) throw new UsageError("--keep is a number from 1 to 9999");
  return Number(text);
};

/** Names of dated backups: in the order of their times. */
const dated = /^engines-\d{8}T\d{9}Z\.sqlite$/;

const datedName = (at: Date): string => `engines-${at.toISOString().replaceAll(/[-:.]/g, "")}.sqlite`;

const removeAllUnfinished = async (directory: string, output: CommandOutput): Promise<void> => {
  const names = (await readdir(directory)).flatMap((name) => /^(.*)\.partial(?:-\w+)?$/.exec(name)?.[1] ?? []);
  for (const path of new Set(names.filter((name) => dated.test(name)).map((name) => join(directory, name)))) {
    await removeUnfinished(path).catch((error: Error) =>
      output.note(`what is left of the backup ${path} cannot be removed: ${error.message}`),
    );
  }
};

/** Removes all dated backups of a directory but the newest. Gives their paths. */
const rotated = async (directory: string, keep: number): Promise<ReadonlyArray<string>> => {
  const names = (await readdir(directory)).filter((name) => dated.test(name)).toSorted();
  const old = names.slice(0, Math.max(0, names.length - keep)).map((name) => join(directory, name));
  for (const path of old.flatMap((path) => [archivesOf(path), path])) await rm(path, { recursive: true, force: true });
  return old;
};

/** Tokens and keys that are named one by one before a backup is put in place. */
const maxListed = 20;

/**
 * Puts a backup in the place of a database. One that has engines is only replaced with --force. Tokens and keys that may have
 * been revoked since come back only with --yes, or with a yes on the terminal.
 */
export const restore = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const flags = flagsOf(args, ["archives"], ["force", "yes", "revoke-all"], 1);
  const [path] = flags.positionals;
  if (path === undefined) throw new UsageError("restore what? name a backup");
  const target = databasePath(flags);
  if (!flags.isOn("force") && existsSync(target)) {
    await withDatabase(flags, "copy", async (file) => {
      const [owner] = file.rows({ sql: "SELECT 1 FROM users WHERE live_engines > 0 LIMIT 1", values: [] });
      if (owner !== undefined) {
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
    if (!canAsk()) {
      throw new BackupError("nothing was restored: use --revoke-all to end them, or --yes to let them live");
    }
    const isWanted = await isConfirmed("Restore, and let them live (y), or not (n; --revoke-all ends them)? [n] ");
    if (!isWanted) throw new BackupError("nothing was restored");
  };
  const { users, engines, keptAudit } = await environmentBox()
    .then((box) =>
      restoreFrom(path, target, { box, archives: archivesPath(flags), revokeAll: flags.isOn("revoke-all"), onRevival }),
    )
    .catch((error: unknown) => {
      throw userErrorOf(error, target);
    });
  if (keptAudit === undefined) {
    output.note(`the audit trail of ${target} is damaged: what the backup does not have of it is lost`);
  }
  await output.done(`restored ${counted(engines, "engine")} of ${counted(users, "user")} from ${path}`);
  return 0;
};
