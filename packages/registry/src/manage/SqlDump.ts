// Databases from SQL dumps of wrangler and sqlite3.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { constants, DatabaseSync } from "node:sqlite";
import { openRegular } from "../node/BoundedFile.ts";
import { createPrivate } from "../node/SqliteFile.ts";

/** Longest statement of a dump, in characters: a row of D1 has at most 2 MB, and a byte takes two characters. */
const maxStatementCharacters = 16 * 1_024 * 1_024;

/** How SQLite's own files begin (https://sqlite.org/fileformat.html). */
const magic = "SQLite format 3\0";

/** An invalid dump, or one that does more than fill a database. The message is for the operator. */
export class SqlDumpError extends Error {
  override readonly name = "SqlDumpError";
}

/** A database file, and the removal of its temporary files. */
export interface LoadedFile extends AsyncDisposable {
  readonly path: string;
}

/** The file itself where it is a database, or one that its SQL text makes, in a directory for this user alone. */
export const databaseOf = async (path: string): Promise<LoadedFile> => {
  if (!(await isText(path))) return { path, [Symbol.asyncDispose]: async () => undefined };
  const folder = await mkdtemp(join(tmpdir(), "registry-dump-"));
  const remove = (): Promise<void> => rm(folder, { recursive: true });
  const made = join(folder, "dump.sqlite");
  try {
    createPrivate(made);
    await load(path, made);
    return { path: made, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
};

const isText = async (path: string): Promise<boolean> => {
  await using handle = await openRegular(path);
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(magic.length), 0, magic.length, 0);
  const start = buffer.toString("latin1", 0, bytesRead);
  return start !== magic && /^\s*(?:PRAGMA|BEGIN|CREATE|INSERT|--)/i.test(start);
};

const load = async (path: string, made: string): Promise<void> => {
  await using handle = await openRegular(path);
  const database = new DatabaseSync(made);
  try {
    database.exec("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; BEGIN");
    database.setAuthorizer(authorize);
    let lineNumber = 0;
    let statement = "";
    for await (const line of createInterface({ input: handle.createReadStream() })) {
      lineNumber += 1;
      statement += statement === "" ? line : `\n${line}`;
      if (statement.length > maxStatementCharacters) {
        throw new SqlDumpError(
          `${path}:${lineNumber}: a statement is longer than ${maxStatementCharacters} characters`,
        );
      }
      if (!isWhole(statement)) continue;
      try {
        if (!/^(?:BEGIN|COMMIT)\b/i.test(statement)) database.exec(statement);
      } catch (error) {
        throw new SqlDumpError(`${path}:${lineNumber}: ${(error as Error).message}`);
      }
      statement = "";
    }
    if (statement.trim() !== "") throw new SqlDumpError(`${path}: the last statement is cut short`);
    // Tables of D1 and its migrations.
    for (const { name } of database
      .prepare(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND (name = 'd1_migrations' OR name LIKE '\\_cf\\_%' ESCAPE '\\')",
      )
      .all()) {
      database.exec(`DROP TABLE "${String(name).replaceAll('"', '""')}"`);
    }
    database.exec("COMMIT");
  } finally {
    database.close();
  }
};

/** Refuses statements on other files or settings: a dump fills one database. */
const authorize = (action: number, first: string | null): number => {
  const isSetting = action === constants.SQLITE_PRAGMA && !/^(?:defer_)?foreign_keys$/i.test(first ?? "");
  const isOther = action === constants.SQLITE_ATTACH || action === constants.SQLITE_DETACH;
  return isSetting || isOther ? constants.SQLITE_DENY : constants.SQLITE_OK;
};

/** Whether lines are a statement to its end: not within a text, nor within a trigger. */
const isWhole = (statement: string): boolean => {
  if (!statement.endsWith(";")) return false;
  if (/^CREATE TRIGGER\b/i.test(statement)) return /\bEND;$/i.test(statement);
  return statement.split("'").length % 2 === 1;
};
