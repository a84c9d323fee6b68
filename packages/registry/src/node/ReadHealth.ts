// Failed database reads: counted, logged once, shown in health.
import { primaryCodeOf } from "./SqliteFile.ts";
import { DatabaseUnavailable, type Row, type SqlDriver, type Statement } from "../api/SqlDriver.ts";

/** A database port that reports failed reads. */
export interface ReadHealth {
  readonly port: SqlDriver;
  /** Reads again what failed first. Resolves to what is wrong, or undefined when all is well. Never rejects. */
  readonly problem: () => Promise<string | undefined>;
}

/** Listeners. */
export interface ReadHealthOptions {
  /** Called for every failed read, with SQLite's result code. */
  readonly onFailure: (code: number) => void;
  /** Called when the database becomes degraded, and when it no longer is: at the first failure, not at each. */
  readonly onChange: (problem: string | undefined) => void;
}

/** Watches the reads of a port. */
export const watchReads = (port: SqlDriver, { onFailure, onChange }: ReadHealthOptions): ReadHealth => {
  let failed: { readonly statements: ReadonlyArray<Statement>; readonly problem: string } | undefined;
  const read: SqlDriver["read"] = async (statements) => {
    try {
      const found = await port.read(statements);
      for (const rows of found) rows.forEach(assertWhole);
      return found;
    } catch (error) {
      const unavailable = error instanceof DatabaseUnavailable ? error : new DatabaseUnavailable(error);
      const { message } = unavailable.cause as Error;
      onFailure(primaryCodeOf(unavailable.cause));
      if (failed === undefined) {
        failed = { statements, problem: message };
        onChange(message);
      }
      throw unavailable;
    }
  };
  return {
    port: { ...port, read },
    problem: async () => {
      if (failed === undefined) return undefined;
      try {
        await read(failed.statements);
        failed = undefined;
        onChange(undefined);
      } catch {
        // Still degraded.
      }
      return failed?.problem;
    },
  };
};

/** The tables are STRICT, so that a value of another type than its column's is damage that SQLite did not notice. */
const assertWhole = (row: Row): void => {
  if ("json" in row && typeof row["json"] !== "string") throw new Error("a row is damaged");
  if ("protobuf" in row && !(row["protobuf"] instanceof Uint8Array)) throw new Error("a row is damaged");
};
