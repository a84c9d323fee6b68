// Cache of rows until the database changes.
import QuickLRU from "quick-lru";
import type { Row, Statement } from "../api/SqlDriver.ts";

/** Bytes of all cached rows. The bodies of lists made of them take at most as much again. */
const maxBytes = 32 * 1_024 * 1_024;

/** Statements known to have been read once: rows are cached from the second read on. */
const maxSeen = 10_000;

/** Most cached values made of rows. */
const maxMade = 200;

/** Approximate overhead of a row in addition to its texts and blobs, in bytes. */
const rowBytes = 200;

/** Rows by statement. They are shared: nobody may change them. */
export interface RowCache {
  /** The rows of a statement, from memory or from `read`. `version` is that of the file; another one empties the memory. */
  readonly rows: (statement: Statement, version: number, read: () => ReadonlyArray<Row>) => ReadonlyArray<Row>;
  /** The cached value of a key, or the result of `make`. */
  readonly made: <A extends object>(key: string, version: number, make: () => A) => A;
  /** Clears the cache, after a change through the same connection, which leaves the version as it was. */
  readonly clear: () => void;
}

/** An empty cache. */
export const makeRowCache = (limitBytes = maxBytes): RowCache => {
  const remembered = new Map<string, ReadonlyArray<Row>>();
  const seen = new QuickLRU<string, undefined>({ maxSize: maxSeen });
  let bytes = Number.NaN;
  let current = Number.NaN;
  const made = new QuickLRU<string, object>({ maxSize: maxMade });
  const clear = (): void => {
    remembered.clear();
    seen.clear();
    made.clear();
    bytes = 0;
  };
  const at = (version: number): void => {
    if (version === current) return;
    clear();
    current = version;
  };
  return {
    clear,
    made: <A extends object>(key: string, version: number, make: () => A): A => {
      at(version);
      const known = made.get(key) as A | undefined;
      if (known !== undefined) return known;
      const value = make();
      made.set(key, value);
      return value;
    },
    rows: (statement, version, read) => {
      at(version);
      const key = keyOf(statement);
      const known = remembered.get(key);
      if (known !== undefined) return known;
      const rows = read();
      if (!seen.has(key)) {
        seen.set(key, undefined);
        return rows;
      }
      const size = sizeOf(rows) + key.length;
      // Clears everything: the next requests fill it again.
      if (bytes + size > limitBytes) clear();
      if (size <= limitBytes) {
        remembered.set(key, rows);
        bytes += size;
      }
      return rows;
    },
  };
};

/** Texts of statements by number: they are few and constant, and long to compare as a part of each key. */
const numbers = new Map<string, number>();

/** Values are texts and numbers; JSON keeps `1` and `"1"` apart. */
const keyOf = ({ sql, values }: Statement): string => {
  let number = numbers.get(sql);
  if (number === undefined) numbers.set(sql, (number = numbers.size));
  return `${JSON.stringify(values)}${number}`;
};

const sizeOf = (rows: ReadonlyArray<Row>): number => {
  let bytes = rowBytes;
  for (const row of rows) {
    bytes += rowBytes;
    for (const name in row) {
      const value = row[name];
      if (typeof value === "string") bytes += value.length;
      else if (value instanceof Uint8Array) bytes += value.length;
    }
  }
  return bytes;
};
