// SQL driver interface, for SQLite and D1.

/** A value that a statement binds or a row holds. Bytes come back as Uint8Array, ArrayBuffer or an array of numbers. */
export type SqlValue = string | number | null | Uint8Array;

/** One SQL statement with its values, bound to `?` in order. The text is constant, so it can be prepared once. */
export interface Statement {
  readonly sql: string;
  readonly values: ReadonlyArray<SqlValue>;
  /** A statement with the same rows that reads less. Drivers that cache rows use it for those they lack. */
  readonly faster?: (snapshot: Snapshot) => Statement;
}

/** Data that does not change meanwhile. */
export interface Snapshot {
  readonly rows: (statement: Statement) => ReadonlyArray<Row>;
  /** Cached result of `make` for a key, until the data changes; a few hundred are kept. */
  readonly remembered: <A extends object>(key: string, make: () => A) => A;
}

/** A row by column name. */
export type Row = Readonly<Record<string, unknown>>;

/** The database is busy, full, missing or damaged; see `cause`. Clients get UNAVAILABLE. */
export class DatabaseUnavailable extends Error {
  override readonly name = "DatabaseUnavailable";
  constructor(cause: unknown) {
    super("the database cannot be reached", { cause });
  }
}

/** Database access of the API. */
export interface SqlDriver {
  /** The rows of each statement, in order, all from one snapshot of the data. Rejects with DatabaseUnavailable. */
  readonly read: (statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<ReadonlyArray<Row>>>;
  /**
   * Runs all statements or none: they are one transaction, and it is on disk when the promise resolves to the rows that each
   * returns. Rejects with DatabaseUnavailable, or with the error of a statement that the database refuses.
   */
  readonly write: (statements: ReadonlyArray<Statement>) => Promise<ReadonlyArray<ReadonlyArray<Row>>>;
  /** Whether it can only be read. Default false. */
  readonly readOnly?: boolean;
  /** Whether long BLOBs are better read as `hex(...)`, since others arrive as arrays of numbers. Default false. */
  readonly bytesAsHex?: boolean;
}
