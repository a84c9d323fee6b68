// Backup of a database in use, and its restore.
import { accessSync, existsSync, rmSync } from "node:fs";
import { access, constants, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { assertKey } from "../api/KeyCheck.ts";
import { migrations, stepsFrom } from "../api/Migrations.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import type { Row, SqlValue } from "../api/SqlDriver.ts";
import { synced } from "../node/ArchiveFolder.ts";
import {
  busyCode,
  createPrivate,
  isCorrupt,
  isDiskFull,
  openSqlite,
  primaryCodeOf,
  type Run,
  type SqliteFile,
} from "../node/SqliteFile.ts";
import { archivesOf, copyArchives, firstOf, holdArchives, removeOthers } from "./ArchiveFiles.ts";
import { countProblems, schemaProblems, soundLine } from "./Check.ts";
import { databaseOf, SqlDumpError } from "./SqlDump.ts";
import { hasScopes, laterColumns, listCredentials, noteChange, type ListedCredential } from "./Accounts.ts";

/** Pages per step: all, so that a copy is one snapshot, even during writes. */
const pagesPerStep = 0x7fff_ffff;

/** SQLite's primary result code of a value that a table does not take. */
const constraintCode = 19;

/** SQLite's primary result codes of a file that cannot be made, read or written: READONLY, IOERR, CANTOPEN. */
const copyFailures: ReadonlySet<number> = new Set([8, 10, 14]);

/** A backup that cannot be made or used; the message is for the operator. */
export class BackupError extends Error {
  override readonly name = "BackupError";
}

/** Contents of a backup. */
export interface BackupSummary {
  readonly users: number;
  readonly engines: number;
}

/** Result of a restore. */
export interface Restored extends BackupSummary {
  /** Kept lines of the audit trail that the backup lacks; undefined if they could not be read. */
  readonly keptAudit: number | undefined;
}

/**
 * Copies a database into a file, whole and consistent, while others read and write it. The file appears under its name
 * only when it is complete, checked and on disk; an existing one is replaced then. Archives are read and copied into its
 * folder, before it has its name. Rejects with BackupError where one is missing or damaged; those with a secret are only compared by
 * size where no box is given.
 */
export const backUp = async (
  database: DatabaseSync,
  path: string,
  archives: string = archivesOf(database.location() ?? ""),
  box?: SecretBox,
): Promise<BackupSummary> => {
  // Renaming a copy over the database would lose later writes of processes that have it open.
  if (await isSame(database.location() ?? "", path)) throw new BackupError(`${path} is the database itself`);
  if (await isSame(archives, archivesOf(path)))
    throw new BackupError(`${archivesOf(path)} has the database's own archives`);
  // Checked first: SQLite's own error would read as if the database could not be opened.
  await access(dirname(path), constants.W_OK).catch(() => {
    throw new BackupError(`${path} cannot be written: does its directory exist, and may this user write there?`);
  });
  const partial = partialOf(path);
  using lock = locked(path);
  if (lock === undefined) throw new BackupError(`another process is making the backup ${path}`);
  const release = holdArchives(database);
  try {
    await removePartial(path);
    createPrivate(partial);
    await backup(database, partial, { rate: pagesPerStep });
    const copy = openSqlite(partial, { selfContained: true });
    let summary: BackupSummary;
    try {
      summary = contentsOf(copy, partial);
      const problems = await copyArchives(copy, { folder: archives, box }, archivesOf(path), async () => {
        await synced(partial);
        await rename(partial, path);
      });
      if (problems.length > 0) throw new BackupError(firstOf(problems));
      await removeOthers(copy, archivesOf(path));
    } finally {
      copy.close();
    }
    // Companions of an earlier file of this name belong to that file.
    for (const end of ["-wal", "-shm"]) await rm(path + end, { force: true });
    await synced(dirname(path));
    return summary;
  } catch (error) {
    // SQLite does not say which of the two files it means.
    if (!copyFailures.has(primaryCodeOf(error))) throw namingFullDisk(error, path);
    throw new BackupError(`cannot make the backup ${path}: ${(error as Error).message}`, { cause: error });
  } finally {
    release();
    await removePartial(path);
  }
};

/** The name of a backup that is not complete. */
const partialOf = (path: string): string => `${path}.partial`;

/** Locks the name of a backup, by a file beside it, at most until the process ends; undefined while another one of it is made. */
const locked = (path: string): Disposable | undefined => {
  const lock = `${partialOf(path)}-lock`;
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(lock);
    // Nothing is written, so that it needs no file for a journal.
    database.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
    // One that may only be read is shared, and whoever had the lock may have removed the file that was opened here.
    accessSync(lock, constants.W_OK);
  } catch (error) {
    database?.close();
    if (primaryCodeOf(error) === busyCode || (error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new BackupError(`${lock} cannot be used as a lock: ${(error as Error).message}`, { cause: error });
  }
  return {
    [Symbol.dispose]: () => {
      rmSync(lock, { force: true });
      database.close();
    },
  };
};

const removePartial = async (path: string): Promise<void> => {
  for (const end of ["", "-wal", "-shm", "-journal"]) await rm(partialOf(path) + end, { force: true });
};

/** Removes what a backup that was killed has left. */
export const removeUnfinished = async (path: string): Promise<void> => {
  using lock = locked(path);
  if (lock === undefined) return;
  await removePartial(path);
  if (!existsSync(path)) await rm(archivesOf(path), { recursive: true, force: true });
};

/** SQLite's own error would read as if the database's disk were full. */
const namingFullDisk = (error: unknown, path: string): unknown =>
  isDiskFull(error)
    ? new BackupError(`cannot write ${path}: the disk is full: nothing of this was kept`, { cause: error })
    : error;

/** Facts to confirm before a restore. */
export interface Revival {
  /** Newest time in the backup; it lacks later revocations. */
  readonly lastChange: Date;
  /** Tokens and keys that are valid in the backup and unknown to the current database. */
  readonly live: ReadonlyArray<ListedCredential>;
}

/** Options of a restore. */
export interface RestoreOptions {
  /** The operator's key; a backup made with another one is refused. */
  readonly box?: SecretBox | undefined;
  /** Folder of the archives of the database. Default: its path with `.archives` behind it. */
  readonly archives?: string | undefined;
  /** Ends every token and API key of the backup. Default false. */
  readonly revokeAll?: boolean | undefined;
  /**
   * Called before anything is written if there is no database yet, or if tokens or keys would become valid that may have
   * been revoked. It may reject.
   */
  readonly onRevival?: ((revival: Revival) => Promise<void>) | undefined;
}

/**
 * Puts the contents of a backup into a database, in one transaction: others that have it open see the old or the new
 * contents, and so does whoever opens it after a crash. A backup is a copy of a database, or the SQL text that makes one
 * (`wrangler d1 export`); it is checked first. What is revoked in the database stays
 * revoked, and its audit trail stays, too. Rejects with BackupError or KeyError.
 */
export const restore = async (
  path: string,
  target: string,
  { box, archives = archivesOf(target), revokeAll = false, onRevival }: RestoreOptions = {},
): Promise<Restored> => {
  if (await isSame(path, target)) throw new BackupError(`${path} is the database itself`);
  await using loaded = await databaseOf(path).catch((error: unknown) => {
    throw unusable(error, path);
  });
  const source = opened(loaded.path, path);
  try {
    const summary = contentsOf(source, path);
    if (box !== undefined) await assertKey(source.port, box);
    const known = knownIn(target);
    const live = revokeAll ? [] : revived(source, known ?? new Set());
    if (known === undefined || live.length > 0) await onRevival?.({ lastChange: lastChangeOf(source), live });
    const isNew = !existsSync(target);
    let keptAudit: number | undefined;
    const problems = await copyArchives(source, { folder: archivesOf(path), box }, archives, async () => {
      try {
        keptAudit = putInPlace(loaded.path, target, revokeAll, Date.now());
      } catch (error) {
        if (isNew) for (const end of ["", "-wal", "-shm"]) await rm(target + end, { force: true });
        throw error;
      }
    }).catch((error: unknown) => {
      throw namingFullDisk(error, archives);
    });
    if (problems.length > 0) throw new BackupError(firstOf(problems));
    return { ...summary, keptAudit };
  } finally {
    source.close();
  }
};

const lastChangeOf = (file: SqliteFile): Date => {
  const [row] = file.rows({
    sql: `SELECT max(at) AS at FROM (SELECT max(applied_at) AS at FROM migrations
      UNION ALL SELECT max(created_at) FROM users
      UNION ALL SELECT max(max(created_at, coalesce(revoked_at, 0))) FROM credentials
      UNION ALL SELECT max(updated_at) FROM engines)`,
    values: [],
  });
  return new Date(Number(row?.["at"]));
};

/** Configured tokens depend on the configuration, not on a backup. */
const revived = (source: SqliteFile, known: ReadonlySet<string>): ReadonlyArray<ListedCredential> => {
  const now = Date.now();
  return listCredentials(source).filter(
    ({ id, kind, expiresAt, revokedAt }) =>
      kind !== "configured" &&
      revokedAt === undefined &&
      (expiresAt === undefined || expiresAt.getTime() > now) &&
      !known.has(id),
  );
};

/** The ids of the credentials of a database, or undefined where there is none. */
const knownIn = (target: string): ReadonlySet<string> | undefined => {
  if (!existsSync(target)) return undefined;
  let file: SqliteFile | undefined;
  try {
    file = openSqlite(target, { readOnly: true });
    return hasRegistry(file) ? new Set(listCredentials(file).map(({ id }) => id)) : undefined;
  } catch (error) {
    throw damaged(error, target);
  } finally {
    file?.close();
  }
};

/** Whether there are tables of a registry. Throws if there are only others: the file belongs to another program. */
const hasRegistry = (file: SqliteFile): boolean => {
  const tables = file.rows({ sql: "SELECT name FROM sqlite_master", values: [] });
  const isRegistry = tables.some(({ name }) => name === "migrations");
  if (tables.length > 0 && !isRegistry) {
    throw new BackupError("what is in its place is a database of something else: name another --database");
  }
  return isRegistry;
};

const damaged = (error: unknown, target: string): unknown =>
  isCorrupt(error) ? new BackupError(damageProblem(target)) : error;

/** Whether an error is of a damaged page, or of a damaged value that its table would not take: a backup, which is checked, has none. */
const isDamage = (error: unknown): boolean => isCorrupt(error) || primaryCodeOf(error) === constraintCode;

const damageProblem = (target: string): string =>
  `${target} is damaged, so that it cannot be read what was revoked there: move it away with its -wal and -shm, restore again, and start again what serves it`;

const putInPlace = (path: string, target: string, revokeAll: boolean, now: number): number | undefined => {
  let opened: SqliteFile | undefined;
  try {
    const file = openSqlite(target);
    opened = file;
    file.database.exec("PRAGMA foreign_keys = OFF");
    file.database.prepare("ATTACH ? AS backup").run(`${pathToFileURL(resolve(path)).href}?mode=ro`);
    const replace = (dropTables: (run: Run) => void, keepsAudit: boolean): number | undefined =>
      file.transaction((run) => {
        const kept = hasRegistry(file) ? run(keptCredentials(file)) : [];
        const disabled = hasScopes(file) ? run(disabledUsers) : [];
        const keptAudit = keepsAudit ? setAuditAside(run) : undefined;
        dropTables(run);
        copyTables(run);
        const [version] = run("SELECT max(version) AS version FROM migrations");
        for (const { sql, values } of stepsFrom(Number(version?.["version"]), now))
          file.database.prepare(sql).run(...values);
        for (const row of kept) keepCredential(run, row);
        for (const { id, disabled_at: at } of disabled) {
          run("UPDATE users SET disabled_at = ? WHERE id = ?", at as number, id as string);
        }
        if (revokeAll) {
          run("UPDATE credentials SET revoked_at = ? WHERE revoked_at IS NULL AND kind <> 'configured'", now);
        }
        if (keepsAudit)
          run("INSERT INTO main.audit (at, actor, action, subject, detail) SELECT * FROM temp.kept_audit");
        noteChange(run, now, "restore database", "", { revokeAll, keptAudit: keptAudit ?? null });
        // Damaged pages may be in use again.
        if (integrityProblem(run, "main") !== undefined) throw new BackupError(damageProblem(target));
        return keptAudit;
      });
    // A transaction that has met damage writes no more: what is left to do is done in another one.
    try {
      return replace(dropTables, true);
    } catch (error) {
      if (!isDamage(error)) throw error;
    }
    const leave = (run: Run): void => leaveTables(file, run, target);
    let keptAudit: number | undefined;
    try {
      keptAudit = replace(leave, true);
    } catch (error) {
      if (!isDamage(error)) throw error;
      keptAudit = replace(leave, false);
    }
    try {
      // Frees the pages of the removed tables.
      file.database.exec("VACUUM");
    } catch {
      // What was restored is there without.
    }
    return keptAudit;
  } catch (error) {
    throw damaged(namingFullDisk(error, target), target);
  } finally {
    opened?.close();
  }
};

/** Sets aside the lines of the audit trail that the backup does not have, and counts them. */
const setAuditAside = (run: Run): number => {
  const line = "at, actor, action, subject, detail";
  const has = (schema: string): boolean => run(`SELECT 1 FROM ${schema}.sqlite_master WHERE name = 'audit'`).length > 0;
  run("CREATE TEMP TABLE kept_audit (at, actor, action, subject, detail)");
  if (!has("main")) return 0;
  const known = has("backup") ? ` EXCEPT SELECT ${line} FROM backup.audit` : "";
  return run.change(`INSERT INTO temp.kept_audit SELECT ${line} FROM main.audit${known} ORDER BY at`);
};

/** Problems that SQLite finds in a database or a table, without orphaned pages. */
const integrityProblem = (run: Run, what: string): string | undefined =>
  run(`PRAGMA main.integrity_check${what === "main" ? "" : `(${what})`}`)
    .flatMap((row) => String(row["integrity_check"]).split("\n"))
    .find((line) => !soundLine.test(line));

/**
 * Takes all tables out of the schema without reading them, as DROP would: that fails where their pages are damaged. Refuses
 * where it cannot be read for certain what was revoked.
 */
const leaveTables = (file: SqliteFile, run: Run, target: string): void => {
  for (const table of ["users", "credentials"]) {
    if (integrityProblem(run, table) !== undefined) throw new BackupError(damageProblem(target));
  }
  // Node before 24.12 has no such mode.
  const database: Partial<Pick<DatabaseSync, "enableDefensive">> = file.database;
  database.enableDefensive?.(false);
  file.database.exec("PRAGMA writable_schema = ON; DELETE FROM main.sqlite_master; PRAGMA writable_schema = RESET");
};

/** Revocations, and the configured tokens of serving processes. */
const keptCredentials = (file: SqliteFile): string =>
  `SELECT c.id, c.kind, c.selector, c.digest, c.label, c.created_at, c.expires_at, c.revoked_at, ${laterColumns(file)},
    u.id AS user_id, u.name AS user_name, u.created_at AS user_created_at
    FROM credentials c JOIN users u ON u.number = c.user WHERE c.revoked_at IS NOT NULL OR c.kind = 'configured'`;

const disabledUsers = "SELECT id, disabled_at FROM users WHERE disabled_at IS NOT NULL";

const quoted = (name: unknown): string => `"${String(name).replaceAll('"', '""')}"`;

const partsOf = (run: Run, schema: "main" | "backup", which: string): ReadonlyArray<Row> =>
  run(`SELECT type, name, sql FROM ${schema}.sqlite_master WHERE name NOT LIKE 'sqlite_%' AND ${which}`);

const dropTables = (run: Run): void => {
  for (const { type, name } of partsOf(run, "main", "type IN ('table', 'view')")) {
    run(`DROP ${String(type)} ${quoted(name)}`);
  }
};

/** Indexes and triggers come last: so they cost least, and count nothing twice. */
const copyTables = (run: Run): void => {
  for (const { name, sql } of partsOf(run, "backup", "type = 'table'")) {
    run(String(sql));
    run(`INSERT INTO main.${quoted(name)} SELECT * FROM backup.${quoted(name)}`);
  }
  for (const { sql } of partsOf(run, "backup", "type IN ('index', 'trigger')")) run(String(sql));
};

const credentialColumns = "id kind selector digest label created_at expires_at scope last_used_at revoked_at".split(
  " ",
);

const keepCredential = (run: Run, row: Row): void => {
  const values = (...columns: ReadonlyArray<string>) => columns.map((column) => row[column] as SqlValue);
  const [revokedAt = null, userId = null, userName = null, userCreatedAt = null] = values(
    "revoked_at",
    "user_id",
    "user_name",
    "user_created_at",
  );
  const known = run(
    "SELECT id FROM credentials WHERE id = ? OR (selector = ? AND digest = ?)",
    ...values("id", "selector", "digest"),
  );
  for (const { id } of known) {
    run("UPDATE credentials SET revoked_at = coalesce(revoked_at, ?) WHERE id = ?", revokedAt, id as string);
  }
  if (known.length > 0) return;
  const findUser = (): SqlValue | undefined =>
    run("SELECT number FROM users WHERE name = ?", userName)[0]?.["number"] as SqlValue | undefined;
  if (findUser() === undefined) {
    run(
      `INSERT INTO users (id, name, created_at)
       VALUES (iif(EXISTS (SELECT 1 FROM users WHERE id = ?1), ?2, ?1), ?3, ?4)`,
      userId,
      crypto.randomUUID(),
      userName,
      userCreatedAt,
    );
  }
  run(
    `INSERT INTO credentials (user, ${credentialColumns.join(", ")}) VALUES (?, ${credentialColumns.map(() => "?").join(", ")})`,
    findUser() ?? null,
    ...values(...credentialColumns),
  );
};

/** Whether two paths are one file, through links too. */
const isSame = async (one: string, other: string): Promise<boolean> => {
  const [first, second] = await Promise.all([one, other].map((path) => stat(path).catch(() => undefined)));
  return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
};

const opened = (path: string, named: string): SqliteFile => {
  try {
    return openSqlite(path, { readOnly: true });
  } catch (error) {
    throw unusable(error, named);
  }
};

const unusable = (error: unknown, path: string): BackupError =>
  new BackupError(
    error instanceof SqlDumpError ? error.message : `${path} cannot be read as a backup: ${(error as Error).message}`,
    { cause: error },
  );

/** Contents of a database. Throws BackupError if it is damaged or not a registry's. */
const contentsOf = (file: SqliteFile, path: string): BackupSummary => {
  const { database } = file;
  const one = (sql: string): unknown => Object.values(database.prepare(sql).get() ?? {})[0];
  try {
    const verdict = one("PRAGMA integrity_check");
    if (verdict !== "ok") throw new BackupError(`${path} is damaged: ${String(verdict)}`);
    const version = Number(one("SELECT max(version) FROM migrations"));
    if (version > migrations.length) throw new BackupError(`${path} was made by a newer registry`);
    const [problem] = [...schemaProblems(file, version), ...countProblems(file)];
    if (problem !== undefined) throw new BackupError(`${path} is not as a registry wrote it: ${problem}`);
    return {
      users: Number(one("SELECT count(*) FROM users")),
      engines: Number(one("SELECT count(*) FROM engines WHERE deleted_at IS NULL")),
    };
  } catch (error) {
    if (error instanceof BackupError) throw error;
    throw new BackupError(`${path} is not a registry's database: ${(error as Error).message}`);
  }
};
