// Engines staged for one write, in memory or a temporary file.
import { DatabaseSync } from "node:sqlite";
import { deserialize, serialize } from "node:v8";
import { primaryCodeOf } from "../node/SqliteFile.ts";
import type { SealedEngine } from "./Engines.ts";

/** Memory of staged engines, in KiB; more go to a temporary file. */
const memoryKib = 32 * 1_024;

/** SQLite's result code of a full disk. */
const diskFull = 13;

/** No space for staged engines; the message is for the operator. */
export class StagingError extends Error {
  override readonly name = "StagingError";
}

/** Engines in the order of arrival, with encrypted secrets. */
export interface Staging extends Disposable {
  readonly add: (engines: ReadonlyArray<SealedEngine>) => void;
  readonly all: () => Iterable<SealedEngine>;
}

/** Empty staging. It ends with the process: SQLite deletes the file when it opens it. */
export const makeStaging = (): Staging => {
  // A database without a name is private, and on disk only as far as its cache does not hold it (https://sqlite.org/inmemorydb.html).
  const database = new DatabaseSync("");
  database.exec(
    `PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -${memoryKib}; CREATE TABLE staged (engines BLOB)`,
  );
  const insert = database.prepare("INSERT INTO staged VALUES (?)");
  return {
    add: (engines) => {
      try {
        insert.run(serialize(engines.map((engine) => ({ ...engine, secret: { ...engine.secret, token: "" } }))));
      } catch (error) {
        if (primaryCodeOf(error) !== diskFull) throw error;
        throw new StagingError("the disk for temporary files is full: set TMPDIR to a directory with more space");
      }
    },
    all: function* () {
      for (const { engines } of database.prepare("SELECT engines FROM staged ORDER BY rowid").iterate()) {
        yield* deserialize(engines as Uint8Array) as ReadonlyArray<SealedEngine>;
      }
    },
    [Symbol.dispose]: () => database.close(),
  };
};
