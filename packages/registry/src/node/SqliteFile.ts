// Decides: how this process works with one SQLite file: durable, shared with other processes, every statement prepared once.
import { DatabaseSync, type StatementSync } from "node:sqlite";
import { makeRowCache } from "./RowCache.ts";
import { DatabaseUnavailable, type Row, type SqlPort, type Statement } from "../api/SqlPort.ts";

/** Milliseconds to wait for another process that is writing. */
const busyTimeoutMs = 10_000;

/** Page cache of one connection, in KiB. */
const cacheKib = 64 * 1_024;

/** Bytes of the file that are mapped into memory for reading. */
const mappedBytes = 256 * 1_024 * 1_024;

/** Mapped pages are read without a copy. */
const forRequests = `PRAGMA foreign_keys = ON; PRAGMA mmap_size = ${mappedBytes}`;

/** To write a row costs a third less without a look at the row it refers to, and without mapped pages. */
const forManyRows = "PRAGMA foreign_keys = OFF; PRAGMA mmap_size = 0";

/** Pages of the write-ahead log after which it is folded into the file. */
const checkpointPages = 4_000;

/** Where the registry keeps its data. */
export interface SqliteFile {
  readonly port: SqlPort;
  /** Runs `work` as one transaction: all of it or nothing, on disk when it returns. */
  readonly transaction: <A>(work: (run: Run) => A) => A;
  /**
   * The same over time, for rows by the million: foreign keys are not checked, so `work` has to know that what it refers to is
   * there. Nothing else may use this connection until it ends; other processes wait to write.
   */
  readonly longTransaction: <A>(work: (run: Run) => Promise<A>) => Promise<A>;
  readonly rows: (statement: Statement) => ReadonlyArray<Row>;
  /** Rows one after the other, for results that need not fit into memory. */
  readonly iterate: (statement: Statement) => Iterable<Row>;
  readonly database: DatabaseSync;
  readonly close: () => void;
}

/** Runs a statement inside a transaction and gives its rows. */
export interface Run {
  (sql: string, ...values: Statement["values"]): ReadonlyArray<Row>;
  /** Runs one that has no rows, and gives the number of those that it changed. */
  readonly change: (sql: string, ...values: Statement["values"]) => number;
}

/** How a file is opened. */
export interface SqliteOptions {
  readonly readOnly?: boolean;
  /** Keeps the file free of companions (`-wal`, `-shm`), as a backup should be. Default false. */
  readonly selfContained?: boolean;
}

/** Opens a file, or `:memory:`. The file is created when it does not exist. */
export const openSqlite = (path: string, options: SqliteOptions = {}): SqliteFile => {
  const readOnly = options.readOnly ?? false;
  const database = new DatabaseSync(path, { readOnly, timeout: busyTimeoutMs });
  try {
    if (!readOnly) {
      database.exec(`PRAGMA journal_mode = ${options.selfContained === true ? "DELETE" : "WAL"}`);
      // FULL syncs the log at every commit: what was acknowledged survives a loss of power.
      database.exec("PRAGMA synchronous = FULL");
      database.exec(`PRAGMA wal_autocheckpoint = ${checkpointPages}`);
    }
    database.exec(forRequests);
    // What a statement with triggers changes is noted until it ends; in a file, that is half the time of an import.
    database.exec("PRAGMA temp_store = MEMORY");
    database.exec(`PRAGMA cache_size = -${cacheKib}`);
  } catch (error) {
    database.close();
    throw error;
  }
  return withStatements(database);
};

const withStatements = (database: DatabaseSync): SqliteFile => {
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
  const within = <A>(begin: string, work: () => A): A => {
    prepare(begin).run();
    try {
      const result = work();
      prepare("COMMIT").run();
      return result;
    } catch (error) {
      // A full disk ends the transaction by itself.
      if (database.isTransaction) prepare("ROLLBACK").run();
      throw error;
    }
  };
  const cache = makeRowCache();
  let ending: NodeJS.Immediate | undefined;
  let version = 0;
  /** Reads of one turn of the event loop share a snapshot, and so the taking and giving back of its locks. */
  const snapshot = (): void => {
    if (ending !== undefined) return;
    prepare("BEGIN").run();
    ending = setImmediate(endSnapshot);
    // Changes when another connection has committed (https://sqlite.org/pragma.html#pragma_data_version).
    version = Number(prepare("PRAGMA data_version").get()?.["data_version"]);
  };
  const endSnapshot = (): void => {
    if (ending === undefined) return;
    clearImmediate(ending);
    ending = undefined;
    // Runs between requests, where nothing would catch an error: a file that was closed has no snapshot any more.
    if (database.isOpen && database.isTransaction) prepare("COMMIT").run();
  };
  const transaction = <A>(work: (run: Run) => A): A => {
    endSnapshot();
    cache.clear();
    return within("BEGIN IMMEDIATE", () => work(run));
  };
  return {
    port: {
      read: async (statements) => {
        try {
          snapshot();
          return statements.map((statement) => cache.rows(statement, version, () => rows(statement)));
        } catch (error) {
          throw new DatabaseUnavailable(error);
        }
      },
      write: async (statements) => {
        // Statements that change the tables are not kept prepared: they run once.
        transaction(() => {
          for (const { sql, values } of statements) {
            database.prepare(sql).run(...values);
          }
        });
      },
    },
    transaction,
    longTransaction: async (work) => {
      endSnapshot();
      cache.clear();
      database.exec(forManyRows);
      try {
        prepare("BEGIN IMMEDIATE").run();
        const result = await work(run);
        prepare("COMMIT").run();
        return result;
      } finally {
        if (database.isTransaction) prepare("ROLLBACK").run();
        database.exec(forRequests);
      }
    },
    rows,
    iterate: ({ sql, values }) => database.prepare(sql).iterate(...values),
    database,
    close: () => {
      endSnapshot();
      prepared.clear();
      database.close();
    },
  };
};
