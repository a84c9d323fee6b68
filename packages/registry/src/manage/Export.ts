// Exports as JSON of the API, or as SQL for D1.
import { encodeJson } from "@bytenite-engines/core/wire";
import { EngineSchema } from "@bytenite-engines/proto";
import { archiveColumns } from "../archive/ArchiveRows.ts";
import { engineColumns, engineOf, secretPlace, withSecret } from "../api/EngineRow.ts";
import { bytesOf, type User } from "../api/EngineStore.ts";
import { schemaStatements } from "../api/Migrations.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import type { SqlValue } from "../api/SqlDriver.ts";
import type { SqliteFile } from "../node/SqliteFile.ts";

/**
 * Most characters of a text, and bytes of a blob, per statement. D1 takes statements of 100 kB; a row has
 * three values that can be long, and a character can take six in hexadecimal.
 */
const pieceLength = 5_000;

/** Exporting secrets needs the key that decrypts them. */
export class ExportError extends Error {
  override readonly name = "ExportError";
}

/** A line of JSON per engine that is not deleted, by user and in order of creation; secrets only with a box. */
export const exportLines = async function* (
  file: SqliteFile,
  user?: User,
  secrets?: SecretBox,
): AsyncGenerator<string> {
  const where = user === undefined ? "" : "AND owner = ?";
  const sql = `SELECT json, secret FROM engines WHERE deleted_at IS NULL ${where} ORDER BY owner, created_at, number`;
  for (const row of file.iterate({ sql, values: user === undefined ? [] : [user.number] })) {
    const json = String(row["json"]);
    const secret = bytesOf(row["secret"]);
    yield `${secret === undefined || secrets === undefined ? json : await withToken(json, secret, secrets)}\n`;
  }
};

const withToken = async (json: string, secret: Uint8Array, box: SecretBox): Promise<string> => {
  const engine = engineOf(json);
  const token = await box.open(secret, secretPlace(engine.owner, engine.name, engine.version));
  return JSON.stringify(encodeJson(EngineSchema, withSecret(engine, token)));
};

const tables = {
  key_check: ["one", "sealed"],
  users: ["number", "id", "name", "created_at", "disabled_at", "deleted_at", "max_engines", "max_bytes"],
  credentials: [
    "id",
    "user",
    "kind",
    "scope",
    "selector",
    "digest",
    "label",
    "created_at",
    "expires_at",
    "revoked_at",
    "last_used_at",
  ],
  audit: ["number", "at", "actor", "action", "subject", "detail"],
  engines: ["number", ...engineColumns],
  archives: archiveColumns,
} as const;

/**
 * SQL statements, one per line, that make an empty database into this one: tables, users, API keys and tokens (their
 * digests), engines with their sealed secrets, deleted ones too, and the check value of the key. Trial and configured tokens stay behind. For
 * `wrangler d1 execute --file`, which takes no BEGIN.
 */
export const exportSql = function* (file: SqliteFile, now: number): Generator<string> {
  for (const line of schemaSql(now)) yield `${line}\n`;
  yield* exportRows(file);
};

/** The statements that make the tables of an empty database, one per line. */
export const schemaSql = (now = Date.now()): ReadonlyArray<string> =>
  schemaStatements(now).map(({ sql, values }) => `${bound(sql, values)};`);

/** The same for a database that has its tables already, by `wrangler d1 migrations apply`. */
export const exportRows = function* (file: SqliteFile): Generator<string> {
  // All tables of one snapshot: otherwise an engine could come without its user. A server in this process may hold a
  // snapshot already.
  const isOwn = !file.database.isTransaction;
  if (isOwn) file.database.exec("BEGIN");
  try {
    yield* rowsSql(file);
  } finally {
    if (isOwn) file.database.exec("COMMIT");
  }
};

const rowsSql = function* (file: SqliteFile): Generator<string> {
  for (const [table, columns] of Object.entries(tables)) {
    const where = table === "credentials" ? " WHERE kind IN ('token', 'api-key')" : "";
    const sql = `SELECT ${columns.join(", ")} FROM ${table}${where} ORDER BY ${columns[0]}`;
    for (const row of file.iterate({ sql, values: [] })) {
      const values = columns.map((column) => row[column] as SqlValue);
      yield* rowSql(table, columns, values);
    }
  }
};

/** The statement that inserts a row; long values are put in empty, and appended piece by piece. */
const rowSql = function* (
  table: string,
  columns: ReadonlyArray<string>,
  values: ReadonlyArray<SqlValue>,
): Generator<string> {
  const pieces = values.map(piecesOf);
  const first = pieces.map(([piece = null], index) => literal(piece ?? values[index] ?? null));
  yield `INSERT INTO ${table} (${columns.join(", ")}) VALUES (${first.join(", ")});\n`;
  const where = `${columns[0]} = ${literal(values[0] ?? null)}`;
  for (const [index, [, ...rest]] of pieces.entries()) {
    for (const piece of rest) {
      const longer = `${columns[index]} || ${literal(piece)}`;
      const value = typeof piece === "string" ? longer : `CAST(${longer} AS BLOB)`;
      yield `UPDATE ${table} SET ${columns[index]} = ${value} WHERE ${where};\n`;
    }
  }
};

const piecesOf = (value: SqlValue): ReadonlyArray<string | Uint8Array> => {
  if (typeof value !== "string" && !(value instanceof Uint8Array)) return [];
  const pieces: Array<string | Uint8Array> = [];
  for (let at = 0; at < value.length;) {
    let end = at + pieceLength;
    // A pair of surrogates is one character, and stays together.
    if (typeof value === "string" && /[\ud800-\udbff]/.test(value[end - 1] ?? "")) end += 1;
    pieces.push(value.slice(at, end));
    at = end;
  }
  return pieces;
};

const bound = (sql: string, values: ReadonlyArray<SqlValue>): string => {
  let next = 0;
  return sql.replace(/\s+/g, " ").replaceAll("?", () => literal(values[next++] ?? null));
};

const literal = (value: SqlValue): string => {
  if (value === null) return "NULL";
  if (typeof value === "number") return String(value);
  if (typeof value === "string") return textLiteral(value);
  return `X'${Buffer.from(value).toString("hex")}'`;
};

/** Text with line breaks is written in hexadecimal, so that a statement stays on its line. */
const textLiteral = (text: string): string => {
  const quoted = `'${text.replaceAll("'", "''")}'`;
  return /[\n\r\0]/.test(text) ? `CAST(X'${Buffer.from(text).toString("hex")}' AS TEXT)` : quoted;
};
