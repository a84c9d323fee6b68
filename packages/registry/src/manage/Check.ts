// Damaged parts of a database, by name.
import { fromBinary } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import { engineColumns, rowOf } from "../api/EngineRow.ts";
import { bytesOf, tagIn } from "../api/EngineStore.ts";
import { assertKey } from "../api/KeyCheck.ts";
import { KeyError, type SecretBox } from "../api/SecretBox.ts";
import { migrations, schemaOf } from "../api/Migrations.ts";
import { archiveProblems, archivesOf } from "./ArchiveFiles.ts";
import { isCorrupt, openSqlite, type SqliteFile } from "../node/SqliteFile.ts";

/** Most listed problems of one kind. */
const maxProblems = 100;

/**
 * Reads all of a database and names what is damaged: tables, indexes and triggers, then engines by tag and owner, then
 * counts, then archives, whose contents are read; of those with a secret only with the operator's key. Empty when all is well. Changes nothing. Throws the error of SQLite when the file cannot be opened at all.
 */
export const checkDatabase = async (
  path: string,
  archives: string = archivesOf(path),
  box?: SecretBox,
): Promise<ReadonlyArray<string>> => {
  let file: SqliteFile;
  try {
    file = openSqlite(path, { readOnly: true });
  } catch (error) {
    if (!isCorrupt(error)) throw error;
    return [`the schema cannot be read: ${(error as Error).message}`];
  }
  try {
    const problems: Array<string> = [];
    const archiveFiles = async function* (from: SqliteFile): AsyncGenerator<string> {
      if (box !== undefined) await assertKey(from.port, box);
      yield* archiveProblems(from, { folder: archives, box });
    };
    for (const part of [structure, missingParts, engines, countProblems, archiveFiles]) {
      try {
        for await (const problem of part(file)) problems.push(problem);
      } catch (error) {
        // What this user may not read is not damaged.
        if (error instanceof KeyError || (error as NodeJS.ErrnoException).code === "EACCES") throw error;
        const problem = `cannot be read to the end: ${(error as Error).message}`;
        if (!problems.includes(problem)) problems.push(problem);
      }
    }
    return problems;
  } finally {
    file.close();
  }
};

/** Lines of SQLite's own check that name no damage. Orphaned pages follow from a damaged one. */
export const soundLine = /^ok$|^\*\*\*|: never used$/;

/** SQLite's own check, with names in place of page numbers. */
const structure = function* (file: SqliteFile): Generator<string> {
  const names = new Map<string, string>();
  try {
    for (const { type, name, rootpage } of file.rows({
      sql: "SELECT type, name, rootpage FROM sqlite_master",
      values: [],
    })) {
      names.set(String(rootpage), `${String(type)} ${String(name)}`);
    }
  } catch {
    // The check reports this, too.
  }
  // Row by row: it may fail after many results.
  for (const row of file.iterate({ sql: `PRAGMA integrity_check(${maxProblems})`, values: [] })) {
    for (const line of String(Object.values(row)[0]).split("\n")) {
      if (soundLine.test(line)) continue;
      yield line.replace(/^Tree (\d+)/, (tree, root: string) =>
        root === "1" ? "the schema" : (names.get(root) ?? tree),
      );
    }
  }
};

/** Missing tables and indexes, which SQLite's check does not notice. */
const missingParts = function* (file: SqliteFile): Generator<string> {
  const [version] = file.rows({ sql: "SELECT max(version) AS version FROM migrations", values: [] });
  if (Number(version?.["version"]) !== migrations.length) {
    yield `schema version is ${String(version?.["version"])}, this registry knows ${migrations.length}`;
    return;
  }
  yield* schemaProblems(file, migrations.length);
};

/** How the schema of a database differs from that of a version: parts that are missing, changed, or of somebody else. */
export const schemaProblems = function* (file: SqliteFile, version: number): Generator<string> {
  const select = { sql: "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL", values: [] };
  const model = openSqlite(":memory:");
  try {
    for (const sql of schemaOf(version)) model.database.exec(sql);
    const found = new Map(file.rows(select).map((row) => [row["name"], row]));
    for (const { type, name, sql } of model.rows(select)) {
      if (!found.has(name)) yield `${String(type)} ${String(name)} is missing`;
      else if (found.get(name)?.["sql"] !== sql) yield `${String(type)} ${String(name)} is not as it was made`;
      found.delete(name);
    }
    for (const { type, name } of found.values()) {
      if (!String(name).startsWith("sqlite_")) yield `${String(type)} ${String(name)} is not one of a registry`;
    }
  } finally {
    model.close();
  }
};

/** Each engine, by an index, which leads past a damaged page of the table. */
const engines = function* (file: SqliteFile): Generator<string> {
  const owners = new Map(
    file.rows({ sql: "SELECT number, name FROM users", values: [] }).map((row) => [row["number"], String(row["name"])]),
  );
  const all = file.iterate({
    sql: `SELECT number, owner, name, major, minor FROM engines INDEXED BY engines_by_tag WHERE deleted_at IS NULL
      ORDER BY owner, name, major, minor`,
    values: [],
  });
  let found = 0;
  for (const row of all) {
    const { number, owner } = row;
    if (isWhole(file, Number(number))) continue;
    found += 1;
    if (found > maxProblems) {
      yield `more than ${maxProblems} engines are damaged`;
      return;
    }
    yield `engine ${tagIn(row)} of ${owners.get(owner) ?? `owner ${String(owner)}`} is damaged`;
  }
};

/** Whether a row equals its protobuf: SQLite has no checksums, but each row holds its values twice. */
const isWhole = (file: SqliteFile, number: number): boolean => {
  try {
    const [row] = file.rows({
      sql: `SELECT ${engineColumns.join(", ")} FROM engines WHERE number = ?`,
      values: [number],
    });
    const secret = bytesOf(row?.["secret"]) ?? null;
    const made = rowOf(
      fromBinary(EngineSchema, bytesOf(row?.["protobuf"]) ?? new Uint8Array()),
      Number(row?.["owner"]),
      secret,
    );
    return engineColumns.every((column, index) => column === "protobuf" || row?.[column] === made[index]);
  } catch {
    return false;
  }
};

/** Wrong stored counts, and rows with dangling references. */
export const countProblems = function* (file: SqliteFile): Generator<string> {
  const wrong = `SELECT name, live_engines AS kept,
    (SELECT count(*) FROM engines WHERE owner = users.number AND deleted_at IS NULL) AS counted FROM users WHERE kept <> counted
    UNION ALL SELECT 'everybody (public)', live_engines AS kept,
    (SELECT count(*) FROM engines WHERE is_public = 1 AND deleted_at IS NULL) AS counted FROM public_total WHERE kept <> counted`;
  for (const { name, kept, counted } of file.rows({ sql: wrong, values: [] })) {
    yield `the number of engines of ${String(name)} is kept as ${String(kept)}, counted are ${String(counted)}`;
  }
  for (const { table, rowid, parent } of file.rows({ sql: "PRAGMA foreign_key_check", values: [] })) {
    yield `table ${String(table)}: row ${String(rowid)} refers to a row of ${String(parent)} that is not there`;
  }
};
