// Archives of a backup, and archives that are missing or damaged.
import { randomUUID } from "node:crypto";
import { constants, copyFileSync, existsSync, statSync } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { endHoldStatement, holdStatement } from "../archive/ArchiveRows.ts";
import { objectBytes } from "../archive/ArchiveStore.ts";
import type { SqliteFile } from "../node/SqliteFile.ts";

/** The folder of archives of a database, or of a backup. */
export const archivesOf = (database: string): string => `${database}.archives`;

/** Milliseconds for which a backup that ends without a word keeps archives from being swept. */
const holdMs = 12 * 60 * 60_000;

const hasArchives = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'archives'";

/** Keeps archives from being swept until the function that it gives is called. */
export const holdArchives = (database: DatabaseSync): (() => void) => {
  if (database.prepare(hasArchives).get() === undefined) return () => {};
  const id = randomUUID();
  const run = ({ sql, values }: ReturnType<typeof holdStatement>): void => void database.prepare(sql).run(...values);
  try {
    run(holdStatement(id, Date.now() + holdMs));
  } catch {
    // Nobody sweeps for a database that cannot be written.
    return () => {};
  }
  return () => run(endHoldStatement(id, Date.now()));
};

/** An archive that a database names. */
interface NamedArchive {
  readonly key: string;
  readonly bytes: number;
  /** Whose it is, for messages. */
  readonly engine: string;
}

/** The archives of engines that are not deleted. None in a database of before there were archives. */
export const namedArchives = (file: SqliteFile): ReadonlyArray<NamedArchive> => {
  if (file.rows({ sql: hasArchives, values: [] }).length === 0) return [];
  const sql = `SELECT a.key, a.bytes, u.name AS owner, e.name, e.major, e.minor FROM archives a
    JOIN engines e ON e.number = a.engine JOIN users u ON u.number = e.owner
    WHERE a.released_at IS NULL AND e.deleted_at IS NULL ORDER BY a.key`;
  return file.rows({ sql, values: [] }).map((row) => ({
    key: String(row["key"]),
    bytes: Number(row["bytes"]),
    engine: `${String(row["name"])}@${String(row["major"])}.${String(row["minor"])} of ${String(row["owner"])}`,
  }));
};

/** What is wrong with the archives that a database names: objects that are missing or have another size. */
export const archiveProblems = function* (file: SqliteFile, folder: string): Generator<string> {
  for (const { key, bytes, engine } of namedArchives(file)) {
    const found = statSync(join(folder, key), { throwIfNoEntry: false });
    if (found === undefined) yield `the archive of ${engine} is missing: ${join(folder, key)}`;
    else if (found.size !== objectBytes(bytes)) yield `the archive of ${engine} is damaged: ${join(folder, key)}`;
  }
};

/**
 * Copies the archives that a database names from one folder into another, each whole and on disk before it has its name. What is
 * there already stays: an object is never changed. Gives what is wrong with those that cannot be copied.
 */
export const copyArchives = async (file: SqliteFile, from: string, to: string): Promise<ReadonlyArray<string>> => {
  const problems = [...archiveProblems(file, from)];
  const named = namedArchives(file);
  if (problems.length > 0 || named.length === 0) return problems;
  await mkdir(to, { recursive: true, mode: 0o700 });
  for (const { key, bytes } of named) {
    const target = join(to, key);
    if (statSync(target, { throwIfNoEntry: false })?.size === objectBytes(bytes)) continue;
    const partial = `${target}.partial`;
    await rm(partial, { force: true });
    copyFileSync(join(from, key), partial, constants.COPYFILE_FICLONE);
    await synced(partial);
    await rename(partial, target);
  }
  await synced(to);
  return [];
};

/** Removes archives that a backup does not name from its folder. */
export const removeOthers = async (file: SqliteFile, folder: string): Promise<void> => {
  if (!existsSync(folder)) return;
  const named = new Set(namedArchives(file).map(({ key }) => key));
  for (const name of await readdir(folder)) if (!named.has(name)) await rm(join(folder, name), { force: true });
};

const synced = async (path: string): Promise<void> => {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};
