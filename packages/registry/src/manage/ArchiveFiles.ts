// Archives of a backup, and archives that are missing or damaged.
import { randomUUID } from "node:crypto";
import { accessSync, constants, copyFileSync, existsSync, statSync } from "node:fs";
import { mkdir, readdir, rename, rm, rmdir } from "node:fs/promises";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { tagIn } from "../api/EngineStore.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import { archiveOf, endHoldStatement, holdStatement, type KeptArchive } from "../archive/ArchiveRows.ts";
import { isWholeArchive, objectBytes } from "../archive/ArchiveStore.ts";
import { dataKeyOf } from "../archive/Download.ts";
import { makeArchiveFolder, nodeSha256, synced } from "../node/ArchiveFolder.ts";
import type { SqliteFile } from "../node/SqliteFile.ts";

/** The folder of archives of a database, or of a backup. */
export const archivesOf = (database: string): string => `${database}.archives`;

/** Milliseconds after which a backup that was killed no longer protects archives from the sweep. */
const holdMs = 12 * 60 * 60_000;

const hasArchives = "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'archives'";

/** Protects archives from the sweep until the returned function is called. */
export const holdArchives = (database: DatabaseSync): (() => void) => {
  const id = randomUUID();
  const run = ({ sql, values }: ReturnType<typeof holdStatement>): void => void database.prepare(sql).run(...values);
  try {
    run(holdStatement(id, Date.now() + holdMs));
  } catch {
    // Nobody sweeps for a database that cannot be written, or has no archives yet.
    return () => {};
  }
  return () => run(endHoldStatement(id, Date.now()));
};

/** An archive that a database names. */
interface NamedArchive {
  readonly archive: KeptArchive;
  /** Tag and owner, for messages. */
  readonly engine: string;
}

/** The archives of engines that are not deleted; none in a database older than archives. */
const namedArchives = (file: SqliteFile): ReadonlyArray<NamedArchive> => {
  if (file.rows({ sql: hasArchives, values: [] }).length === 0) return [];
  const sql = `SELECT a.*, u.name AS owner_name, e.name, e.major, e.minor FROM archives a
    JOIN engines e ON e.number = a.engine JOIN users u ON u.number = e.owner
    WHERE a.released_at IS NULL AND e.deleted_at IS NULL ORDER BY a.key`;
  return file.rows({ sql, values: [] }).map((row) => ({
    archive: archiveOf(row),
    engine: `${tagIn(row)} of ${String(row["owner_name"])}`,
  }));
};

/** Archives whose contents cannot be checked without the operator's key. */
export const sealedArchives = (file: SqliteFile): number =>
  namedArchives(file).filter(({ archive }) => archive.isSealed).length;

/** Folder of archives, and the operator's key: without it, archives with a secret are compared by size only. */
export interface ArchivesPlace {
  readonly folder: string;
  readonly box: SecretBox | undefined;
}

/** Reads all archives that a database names, and returns the missing and damaged ones. Throws where this user may not read one. */
export const archiveProblems = async function* (file: SqliteFile, place: ArchivesPlace): AsyncGenerator<string> {
  for (const { archive, engine } of namedArchives(file)) {
    const state = await stateOf(archive, place);
    const path = join(place.folder, archive.key);
    if (state === "damaged") accessSync(path, constants.R_OK);
    if (state === "missing" || state === "damaged") yield `the archive of ${engine} is ${state}: ${path}`;
  }
};

const stateOf = async (
  archive: KeptArchive,
  { folder, box }: ArchivesPlace,
): Promise<"whole" | "unread" | "missing" | "damaged"> => {
  const found = statSync(join(folder, archive.key), { throwIfNoEntry: false });
  if (found === undefined) return "missing";
  if (found.size !== objectBytes(archive.bytes)) return "damaged";
  if (archive.isSealed && box === undefined) return "unread";
  const dataKey = await dataKeyOf(archive, box).catch(() => undefined);
  if (dataKey === undefined) return "damaged";
  const isWhole = await isWholeArchive(makeArchiveFolder(folder), { ...archive, dataKey }, nodeSha256());
  return isWhole ? "whole" : "damaged";
};

/**
 * Copies the archives that a database names from one folder into another, each whole and on disk before it has its name, and runs
 * `finish`. What is there already and whole stays; where anything fails, what was added is removed. Returns the problems of archives
 * that cannot be copied; then none is copied, and nothing finished.
 */
export const copyArchives = async (
  file: SqliteFile,
  from: ArchivesPlace,
  to: string,
  finish: () => Promise<void> = async () => {},
): Promise<ReadonlyArray<string>> => {
  const problems: Array<string> = [];
  for await (const problem of archiveProblems(file, from)) problems.push(problem);
  if (problems.length > 0) return problems;
  const named = namedArchives(file);
  const isNew = !existsSync(to);
  const added: Array<string> = [];
  try {
    if (named.length > 0) await mkdir(to, { recursive: true, mode: 0o700 });
    for (const { archive } of named) {
      if ((await stateOf(archive, { folder: to, box: from.box })) === "whole") continue;
      const target = join(to, archive.key);
      const partial = `${target}.partial`;
      added.push(partial);
      if (!existsSync(target)) added.push(target);
      copyFileSync(join(from.folder, archive.key), partial, constants.COPYFILE_FICLONE);
      await synced(partial);
      await rename(partial, target);
    }
    if (named.length > 0) await synced(to);
    await finish();
    return [];
  } catch (error) {
    for (const path of added) await rm(path, { force: true });
    // Fails where somebody else has put something there.
    if (isNew) await rmdir(to).catch(() => {});
    throw error;
  }
};

/** The first problem, and the number of others. */
export const firstOf = ([first = "", ...others]: ReadonlyArray<string>): string =>
  others.length === 0 ? first : `${first}, and ${others.length} more: \`registry check\` names all`;

/** Removes archives that a backup does not name from its folder; other folders in there stay. */
export const removeOthers = async (file: SqliteFile, folder: string): Promise<void> => {
  if (!existsSync(folder)) return;
  const named = new Set(namedArchives(file).map(({ archive }) => archive.key));
  for (const entry of await readdir(folder, { withFileTypes: true }))
    if (!entry.isDirectory() && !named.has(entry.name)) await rm(join(folder, entry.name), { force: true });
};
