// Decides: how a database is copied while it is used, and how a copy takes its place again.
import { access, constants, open, rename, rm, stat } from "node:fs/promises";
import { dirname } from "node:path";
import { backup, type DatabaseSync } from "node:sqlite";
import { assertKey } from "../api/KeyCheck.ts";
import { migrations } from "../api/Migrations.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import { openSqlite, type SqliteFile } from "../node/SqliteFile.ts";

/** Pages per step: all of them, so that a copy is one snapshot, whatever is written meanwhile. */
const pagesPerStep = 0x7fff_ffff;

/** A backup that cannot be made or used; the message is for the operator. */
export class BackupError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = "BackupError";
  }
}

/** What a backup holds. */
export interface BackupSummary {
  readonly users: number;
  readonly engines: number;
}

/**
 * Copies a database into a file, whole and consistent, while others read and write it. The file appears under its name
 * only when it is complete, checked and on disk; an existing one is replaced then.
 */
export const backUp = async (database: DatabaseSync, path: string): Promise<BackupSummary> => {
  // Renamed over the database, a copy would take the file away from whoever has it open: their next writes would be lost.
  if (await isSame(database.location() ?? "", path)) throw new BackupError(`${path} is the database itself`);
  // Asked first: SQLite's own complaint would read as if the database could not be opened.
  await access(dirname(path), constants.W_OK).catch(() => {
    throw new BackupError(`${path} cannot be written: does its directory exist, and may this user write there?`);
  });
  const partial = `${path}.partial`;
  await rm(partial, { force: true });
  try {
    await backup(database, partial, { rate: pagesPerStep });
    const summary = checked(partial);
    await synced(partial);
    await rename(partial, path);
    // What an earlier file of this name has left behind belongs to that one.
    for (const end of ["-wal", "-shm"]) await rm(path + end, { force: true });
    await synced(dirname(path));
    return summary;
  } finally {
    for (const end of ["", "-wal", "-shm", "-journal"]) await rm(partial + end, { force: true });
  }
};

/**
 * Puts the contents of a backup into a database, in one transaction: others that have it open see the old or the new
 * contents, and so does whoever opens it after a crash. The backup is checked first; with a box, that its key is the one
 * of the backup, too. Rejects with BackupError or KeyError.
 */
export const restore = async (path: string, target: string, box?: SecretBox): Promise<BackupSummary> => {
  if (await isSame(path, target)) throw new BackupError(`${path} is the database itself`);
  const source = opened(path);
  try {
    const summary = contentsOf(source.database, path);
    if (box !== undefined) await assertKey(source.port, box);
    await backup(source.database, target, { rate: pagesPerStep });
    return summary;
  } finally {
    source.close();
  }
};

/** Whether two paths lead to one file, by whatever links. */
const isSame = async (one: string, other: string): Promise<boolean> => {
  const [first, second] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)));
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
};

const opened = (path: string): SqliteFile => {
  try {
    return openSqlite(path, { readOnly: true });
  } catch (error) {
    throw new BackupError(`${path} cannot be read as a backup: ${(error as Error).message}`);
  }
};

const checked = (path: string): BackupSummary => {
  const file = openSqlite(path, { selfContained: true });
  try {
    return contentsOf(file.database, path);
  } finally {
    file.close();
  }
};

/** What a database holds. Throws BackupError when it is damaged, or not one of ours. */
const contentsOf = (database: DatabaseSync, path: string): BackupSummary => {
  const one = (sql: string): unknown => Object.values(database.prepare(sql).get() ?? {})[0];
  try {
    const verdict = one("PRAGMA integrity_check");
    if (verdict !== "ok") throw new BackupError(`${path} is damaged: ${String(verdict)}`);
    const version = Number(one("SELECT max(version) FROM migrations"));
    if (version > migrations.length) throw new BackupError(`${path} was made by a newer registry`);
    return {
      users: Number(one("SELECT count(*) FROM users")),
      engines: Number(one("SELECT count(*) FROM engines WHERE deleted_at IS NULL")),
    };
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw new BackupError(`${path} is not a registry's database: ${(error as Error).message}`);
  }
};

const synced = async (path: string): Promise<void> => {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};
