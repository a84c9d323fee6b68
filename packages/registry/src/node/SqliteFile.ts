// One SQLite file: durable, shared with other processes, each statement prepared once.
import { accessSync, closeSync, constants, existsSync, openSync, statSync } from "node:fs";
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { setTimeout as wait } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { regularFileExists, UnreadableFileError } from "./BoundedFile.ts";
import { makeRowCache } from "./RowCache.ts";
import { DatabaseUnavailable, type Row, type Snapshot, type SqlDriver, type Statement } from "../api/SqlDriver.ts";

/** Milliseconds to wait for another process that is writing. */
const busyTimeoutMs = 10_000;

/** Milliseconds after which a write is tried again while another process writes, and SQLite's code for that. */
const busyRetryMs = 20;
export const busyCode = 5;

/** SQLite's primary result codes of a file or disk that fails: READONLY, IOERR, CORRUPT, FULL, CANTOPEN. */
const unavailableCodes: ReadonlySet<number> = new Set([8, 10, 11, 13, 14]);

/** Whether a file was found damaged (https://sqlite.org/rescode.html). */
export const isCorrupt = (error: unknown): boolean => primaryCodeOf(error) === 11;

/** Whether there was no space, for SQLite or for a file. */
export const isDiskFull = (error: unknown): boolean =>
  primaryCodeOf(error) === 13 || ["ENOSPC", "EDQUOT"].includes((error as NodeJS.ErrnoException).code ?? "");

/** Page cache of one connection, in KiB. */
const cacheKib = 64 * 1_024;

/** The file is not mapped into memory: a disk that fails, or a file cut short, would end the process (SIGBUS). */
const unmapped = "PRAGMA mmap_size = 0";

/** Pages of the write-ahead log after which it is folded into the file. */
const checkpointPages = 4_000;

/** The registry's database file. */
export interface SqliteFile {
  readonly port: SqlDriver;
  /** Runs `work` as one transaction: all of it or nothing, on disk when it returns. */
  readonly transaction: <A>(work: (run: Run) => A) => A;
  /**
   * The same for rows by the million: foreign keys are not checked, so `work` must know that referenced rows exist.
   * Other processes wait to write until it ends, so everything has to be ready before it begins.
   */
  readonly bulkTransaction: <A>(work: (run: Run) => A) => A;
  readonly rows: (statement: Statement) => ReadonlyArray<Row>;
  /** Rows one after the other, for results that need not fit into memory. */
  readonly iterate: (statement: Statement) => Iterable<Row>;
  readonly database: DatabaseSync;
  /** How it can be used. `frozen` is a file that cannot be written and is read as one that nobody changes. */
  readonly access: "read-write" | "read-only" | "frozen";
  readonly close: () => void;
}

/** Runs a statement inside a transaction and returns its rows. */
export interface Run {
  (sql: string, ...values: Statement["values"]): ReadonlyArray<Row>;
  /** Runs a statement without rows and returns the number of changed rows. */
  readonly change: (sql: string, ...values: Statement["values"]) => number;
}

/** Options of a file. */
export interface SqliteOptions {
  readonly readOnly?: boolean;
  /** Keeps the file free of companions (`-wal`, `-shm`), as a backup should be. Default false. */
  readonly selfContained?: boolean;
}

/** SQLite's primary result codes of a file, or a directory, that may not be written: READONLY and CANTOPEN. */
const unwritableCodes: ReadonlySet<number> = new Set([8, 14]);

/**
 * Opens a file, or `:memory:`. The file is created when it does not exist. One that exists and cannot be written is opened to
 * be read.
 */
export const openSqlite = (path: string, options: SqliteOptions = {}): SqliteFile => {
  const isFile = path !== ":memory:";
  if (isFile && !existingFile(path) && options.readOnly !== true) createPrivate(path);
  if (options.readOnly === true || (existsSync(path) && !isWritable(path))) return openToRead(path);
  try {
    // FULL syncs the log at every commit.
    const durable = `
      PRAGMA journal_mode = ${options.selfContained === true ? "DELETE" : "WAL"};
      PRAGMA synchronous = FULL;
      PRAGMA wal_autocheckpoint = ${checkpointPages};`;
    return prepared(new DatabaseSync(path, { timeout: busyTimeoutMs }), "read-write", durable);
  } catch (error) {
    if (!unwritableCodes.has(primaryCodeOf(error))) throw error;
    return openToRead(path);
  }
};

/** Whether there is a file. SQLite would wait for a writer of a FIFO, and say of a directory that it is damaged. */
const existingFile = (path: string): boolean => {
  try {
    return regularFileExists(path);
  } catch (error) {
    throw error instanceof UnreadableFileError
      ? Object.assign(new Error(`cannot use the database ${path}: it ${error.message}`), { code: error.code })
      : error;
  }
};

/** Makes an empty file that nobody else can read. SQLite's -wal and -shm files get the mode of the database. */
export const createPrivate = (path: string): void => {
  try {
    closeSync(openSync(path, "a", 0o600));
  } catch {
    // SQLite says what is wrong when it opens the file.
  }
};

/**
 * A file in WAL mode needs -wal and -shm files, or the promise that nobody changes it (https://sqlite.org/wal.html#readonly). The
 * promise is given only where they cannot be made and nothing waits in a log.
 */
const openToRead = (path: string): SqliteFile => {
  const open = (access: "read-only" | "frozen"): SqliteFile => {
    const location = access === "frozen" ? new URL(`${pathToFileURL(path).href}?immutable=1`) : path;
    return prepared(new DatabaseSync(location, { readOnly: true, timeout: busyTimeoutMs }), access, "");
  };
  try {
    return open("read-only");
  } catch (error) {
    const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
    if (!unwritableCodes.has(primaryCodeOf(error)) || (log !== undefined && log.size > 0)) throw error;
    return open("frozen");
  }
};

/** SQLite's primary result code of an error, 0 for others: extended codes carry it in their low byte. */
export const primaryCodeOf = (error: unknown): number => ((error as { readonly errcode?: number }).errcode ?? 0) & 0xff;

const isWritable = (path: string): boolean => {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
};

/** Configures a connection, or closes it on failure. */
const prepared = (database: DatabaseSync, access: SqliteFile["access"], pragmas: string): SqliteFile => {
  try {
    // SQLite journals the changes of a statement with triggers; in a file (temp_store), that is half the time of an import.
    // The last pragma reads the schema: a file that cannot be read fails here.
    database.exec(`
      ${pragmas}
      PRAGMA foreign_keys = ON;
      ${unmapped};
      PRAGMA temp_store = MEMORY;
      PRAGMA cache_size = -${cacheKib}`);
  } catch (error) {
    database.close();
    throw error;
  }
  return withStatements(database, access);
};

const withStatements = (database: DatabaseSync, access: SqliteFile["access"]): SqliteFile => {
  const prepared = new Map<string, StatementSync>();
  const prepare = (sql: string): StatementSync => {
    let statement = prepared.get(sql);
    if (statement === undefined) {
      statement = database.prepare(sql);
      prepared.set(sql, statement);
    }
    return statement;
  };
  const run: Run = Object.assign(
    (sql: string, ...values: Statement["values"]): ReadonlyArray<Row> => prepare(sql).all(...values),
    {
      change: (sql: string, ...values: Statement["values"]): number => Number(prepare(sql).run(...values).changes),
    },
  );
  const rows = ({ sql, values }: Statement): ReadonlyArray<Row> => prepare(sql).all(...values);
  /** A full disk has ended the transaction by itself. Errors of the rollback are ignored: the first one says more. */
  const rollBack = (): void => {
    try {
      if (database.isTransaction) prepare("ROLLBACK").run();
    } catch {
      // The database may be closed, too.
    }
  };
  const within = <A>(begin: string, work: () => A): A => {
    prepare(begin).run();
    try {
      const result = work();
      prepare("COMMIT").run();
      return result;
    } catch (error) {
      rollBack();
      throw error;
    }
  };
  const cache = makeRowCache();
  let isReading = false;
  let version = Number.NaN;
  /** Reads of one turn of the event loop share a snapshot and its locks. */
  const snapshot = (): void => {
    if (isReading) return;
    prepare("BEGIN").run();
    isReading = true;
    setImmediate(endSnapshot);
    // Changes when another connection has committed (https://sqlite.org/pragma.html#pragma_data_version).
    version = Number(prepare("PRAGMA data_version").get()?.["data_version"]);
  };
  const current: Snapshot = { rows, remembered: (key, make) => cache.made(key, version, make) };
  /** Never throws: between requests nothing catches. A rollback suffices after reads, and works after one of a damaged page. */
  const endSnapshot = (): void => {
    // Not a transaction that somebody else began meanwhile.
    if (isReading) rollBack();
    isReading = false;
  };
  const transaction = <A>(work: (run: Run) => A): A => {
    endSnapshot();
    cache.clear();
    return within("BEGIN IMMEDIATE", () => work(run));
  };
  /** Does not wait for another process that writes: SQLite's own wait would stop everything else that this process does. */
  const writeNow = (statements: ReadonlyArray<Statement>): ReadonlyArray<ReadonlyArray<Row>> => {
    database.exec("PRAGMA busy_timeout = 0");
    try {
      // Statements that change the tables are not kept prepared: they run once.
      return transaction(() => statements.map(({ sql, values }) => database.prepare(sql).all(...values)));
    } finally {
      database.exec(`PRAGMA busy_timeout = ${busyTimeoutMs}`);
    }
  };
  return {
    access,
    port: {
      readOnly: access !== "read-write",
      read: async (statements) => {
        try {
          snapshot();
          return statements.map((statement) =>
            cache.rows(statement, version, () => rows(statement.faster?.(current) ?? statement)),
          );
        } catch (error) {
          throw new DatabaseUnavailable(error);
        }
      },
      write: async (statements) => {
        for (const start = performance.now(); ; await wait(busyRetryMs)) {
          try {
            return writeNow(statements);
          } catch (error) {
            if (primaryCodeOf(error) !== busyCode)
              throw unavailableCodes.has(primaryCodeOf(error)) ? new DatabaseUnavailable(error) : error;
            if (performance.now() - start > busyTimeoutMs) throw new DatabaseUnavailable(error);
          }
        }
      },
    },
    transaction,
    bulkTransaction: (work) => {
      endSnapshot();
      // To write a row costs a third less without a look at the row it refers to. Means nothing inside a transaction.
      database.exec("PRAGMA foreign_keys = OFF");
      try {
        return transaction(work);
      } finally {
        database.exec("PRAGMA foreign_keys = ON");
      }
    },
    rows,
    iterate: ({ sql, values }) => database.prepare(sql).iterate(...values),
    database,
    close: () => database.close(),
  };
};
