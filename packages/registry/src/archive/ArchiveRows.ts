// SQL of archives: tables, uploads, links, sweeping, holds of backups.
import { engineColumns, updateEngineSql, type EngineRow } from "../api/EngineRow.ts";
import { bytesOf, numberOrNull, type User } from "../api/EngineStore.ts";
import type { Row, SqlDriver, Statement } from "../api/SqlDriver.ts";
import { statements } from "../api/Statements.ts";
import type { StoredArchive } from "./ArchiveStore.ts";

/** The tables of archives. An object is live while `released_at` is null; its row goes before the object does. */
export const archiveTables: ReadonlyArray<string> = [
  `CREATE TABLE archives (
    key TEXT PRIMARY KEY,
    engine INTEGER NOT NULL,
    owner INTEGER NOT NULL REFERENCES users (number),
    hash TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    media_type TEXT NOT NULL,
    data_key BLOB NOT NULL,
    is_sealed INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    released_at INTEGER
  ) STRICT`,
  "CREATE INDEX archives_by_engine ON archives (engine) WHERE released_at IS NULL",
  "CREATE INDEX archives_by_owner ON archives (owner, bytes) WHERE released_at IS NULL",
  "CREATE INDEX archives_by_release ON archives (released_at) WHERE released_at > 0",
  "CREATE TABLE archive_holds (id TEXT PRIMARY KEY, until INTEGER NOT NULL) STRICT",
  `CREATE TRIGGER archives_with_engine AFTER UPDATE OF deleted_at ON engines
   WHEN old.deleted_at IS NULL AND new.deleted_at > 0
   BEGIN UPDATE archives SET released_at = new.deleted_at WHERE engine = new.number AND released_at IS NULL; END`,
  `CREATE TRIGGER archives_with_owner AFTER UPDATE OF owner ON engines WHEN old.owner <> new.owner
   BEGIN UPDATE archives SET owner = new.owner WHERE engine = new.number AND released_at IS NULL; END`,
];

/** The columns of an archive, the key first. */
export const archiveColumns = [
  "key",
  "engine",
  "owner",
  "hash",
  "bytes",
  "media_type",
  "data_key",
  "is_sealed",
  "created_at",
  "released_at",
] as const;

const live = "deleted_at IS NULL";
const usedBytes = "SELECT coalesce(sum(bytes), 0) FROM archives WHERE owner = u.number AND released_at IS NULL";

const texts = {
  usage: `SELECT live_engines, max_engines, max_bytes, (${usedBytes}) AS used_bytes FROM users u WHERE number = ?`,
  archive: "SELECT * FROM archives WHERE engine = ? AND released_at IS NULL ORDER BY created_at DESC LIMIT 1",
  ofId: `SELECT owner, is_public FROM engines INDEXED BY engines_by_id WHERE id = ? AND ${live} LIMIT 1`,
  /** A new engine, unless its owner has that version by now, is disabled, or over its quota. */
  insert: `INSERT INTO engines (${engineColumns.join(", ")}) SELECT ${engineColumns.map(() => "?").join(", ")}
    WHERE EXISTS (SELECT 1 FROM users u WHERE u.number = ? AND u.disabled_at IS NULL AND u.deleted_at IS NULL
      AND (u.max_engines IS NULL OR u.live_engines < u.max_engines)
      AND (u.max_bytes IS NULL OR (${usedBytes}) + ? <= u.max_bytes))
    ON CONFLICT (owner, name, major, minor) WHERE deleted_at IS NULL DO NOTHING RETURNING number`,
  /** As `changeEngine`, if the bytes of its owner's archives still fit. */
  overwrite: `${updateEngineSql} AND revision = ? AND updated_at = ? AND ${live}
    AND EXISTS (SELECT 1 FROM users u WHERE u.number = ? AND u.disabled_at IS NULL AND u.deleted_at IS NULL
      AND (u.max_bytes IS NULL OR (${usedBytes}) - ? + ? <= u.max_bytes)) RETURNING number`,
  /** Only where the statement before it has changed a row. */
  keep: `INSERT INTO archives (key, engine, owner, hash, bytes, media_type, data_key, is_sealed, created_at)
    SELECT ?, number, owner, ?, ?, ?, ?, ?, ? FROM engines INDEXED BY engines_by_tag
    WHERE owner = ? AND name = ? AND major = ? AND minor = ? AND ${live} AND changes() > 0`,
  add: `INSERT INTO archives (key, engine, owner, hash, bytes, media_type, data_key, is_sealed, created_at)
    SELECT ?, number, owner, ?, ?, ?, ?, ?, ? FROM engines INDEXED BY engines_by_id WHERE id = ? AND ${live}`,
  release: `UPDATE archives SET released_at = ? WHERE released_at IS NULL AND key <> ?
    AND engine = (SELECT engine FROM archives WHERE key = ?)`,
  download: `SELECT a.*, e.name, e.major, e.minor, e.is_public,
    (SELECT disabled_at FROM users WHERE number = e.owner) AS owner_disabled FROM archives a JOIN engines e ON e.number = a.engine
    WHERE a.key = ? AND a.released_at IS NULL AND e.${live}`,
  byKey: "SELECT key, released_at FROM archives WHERE key = ?",
  hold: "INSERT INTO archive_holds (id, until) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET until = excluded.until",
  endHold: "DELETE FROM archive_holds WHERE id = ? OR until < ?",
  forget: `DELETE FROM archives WHERE key IN (SELECT key FROM archives INDEXED BY archives_by_release
    WHERE released_at > 0 AND released_at < ? LIMIT 100)
    AND NOT EXISTS (SELECT 1 FROM archive_holds WHERE until > ?) RETURNING key`,
  held: "SELECT 1 AS held FROM archive_holds WHERE until > ? LIMIT 1",
} as const;

const first = async (sql: SqlDriver, text: string, ...values: Statement["values"]): Promise<Row | undefined> =>
  (await sql.read([{ sql: text, values }]))[0]?.[0];

/** What a user has and may have; null: no limit. */
export interface Usage {
  readonly engines: number;
  readonly maxEngines: number | null;
  readonly bytes: number;
  readonly maxBytes: number | null;
}

/** What a user has and may have. */
export const readUsage = async (sql: SqlDriver, user: User): Promise<Usage> => {
  const row = await first(sql, texts.usage, user.number);
  return {
    engines: Number(row?.["live_engines"]),
    maxEngines: numberOrNull(row?.["max_engines"]),
    bytes: Number(row?.["used_bytes"]),
    maxBytes: numberOrNull(row?.["max_bytes"]),
  };
};

/** A version of a user's engine as it is kept. */
export interface KeptVersion {
  readonly number: number;
  readonly id: string;
  readonly json: string;
  readonly secret: Uint8Array | undefined;
  readonly revision: number;
  readonly updatedAt: number;
}

/** The name and version of an engine. */
export interface FullTag {
  readonly name: string;
  readonly major: number;
  readonly minor: number;
}

/** The version of a user's engine, or undefined. */
export const readVersion = async (sql: SqlDriver, user: User, tag: FullTag): Promise<KeptVersion | undefined> => {
  const row = await first(sql, statements.version, user.number, tag.name, tag.major, tag.minor);
  return row === undefined ? undefined : keptVersionOf(row);
};

/** A version of a row. */
export const keptVersionOf = (row: Row): KeptVersion => ({
  number: Number(row["number"]),
  id: String(row["id"]),
  json: String(row["json"]),
  secret: bytesOf(row["secret"]),
  revision: Number(row["revision"]),
  updatedAt: Number(row["updated_at"]),
});

/** An archive, and what a download of it says. */
export interface KeptArchive extends StoredArchive {
  readonly mediaType: string;
  /** Whether its data key is sealed with the operator's: it holds a secret, and is its owner's alone. */
  readonly isSealed: boolean;
  readonly owner: number;
}

/** An archive of a row. */
export const archiveOf = (row: Row): KeptArchive => ({
  key: String(row["key"]),
  hash: String(row["hash"]),
  bytes: Number(row["bytes"]),
  mediaType: String(row["media_type"]),
  dataKey: bytesOf(row["data_key"]) ?? new Uint8Array(),
  isSealed: Number(row["is_sealed"]) === 1,
  owner: Number(row["owner"]),
});

/** The archive of an engine, by the number of its row. */
export const readArchiveOf = async (sql: SqlDriver, engine: number): Promise<KeptArchive | undefined> => {
  const row = await first(sql, texts.archive, engine);
  return row === undefined ? undefined : archiveOf(row);
};

/** The archive of a key, while an engine that is not deleted has it, and the tag of that engine. */
export const readDownload = async (
  sql: SqlDriver,
  key: string,
): Promise<
  (KeptArchive & { readonly tag: FullTag; readonly isPublic: boolean; readonly isOwnerEnabled: boolean }) | undefined
> => {
  const row = await first(sql, texts.download, key);
  if (row === undefined) return undefined;
  const tag = { name: String(row["name"]), major: Number(row["major"]), minor: Number(row["minor"]) };
  return {
    ...archiveOf(row),
    tag,
    isPublic: Number(row["is_public"]) === 1,
    isOwnerEnabled: row["owner_disabled"] === null,
  };
};

/** Whose the engine of an id is, and whether everybody sees it. */
export const readOwnerOfId = async (
  sql: SqlDriver,
  id: string,
): Promise<{ readonly owner: number; readonly isPublic: boolean } | undefined> => {
  const row = await first(sql, texts.ofId, id);
  return row === undefined ? undefined : { owner: Number(row["owner"]), isPublic: Number(row["is_public"]) === 1 };
};

/** Inserts an engine, if it is new and the quota allows `bytes` more. */
export const insertEngine = (row: EngineRow, user: User, bytes: number): Statement => ({
  sql: texts.insert,
  values: [...row, user.number, bytes],
});

/** Writes an engine over one that was read, if nobody has changed that since. */
export const changeEngine = (row: EngineRow, before: KeptVersion): Statement => ({
  sql: statements.changeEngine,
  values: [...row, before.number, before.revision, before.updatedAt],
});

/** The same with another archive, whose bytes take the place of those before. */
export const overwriteEngine = (
  row: EngineRow,
  before: KeptVersion,
  user: User,
  bytesBefore: number,
  bytes: number,
): Statement => ({
  sql: texts.overwrite,
  values: [...row, before.number, before.revision, before.updatedAt, user.number, bytesBefore, bytes],
});

/** Gives an engine its archive. Does nothing unless the statement before it has changed a row. */
export const keepArchive = (archive: Omit<KeptArchive, "owner">, user: User, tag: FullTag, at: number): Statement => ({
  sql: texts.keep,
  values: [...valuesOf(archive, at), user.number, tag.name, tag.major, tag.minor],
});

/** Gives the engine of an id an archive. */
export const addArchive = (archive: Omit<KeptArchive, "owner">, engine: string, at: number): Statement => ({
  sql: texts.add,
  values: [...valuesOf(archive, at), engine],
});

const valuesOf = (archive: Omit<KeptArchive, "owner">, at: number) => [
  archive.key,
  archive.hash,
  archive.bytes,
  archive.mediaType,
  archive.dataKey,
  archive.isSealed ? 1 : 0,
  at,
];

/** Releases the other archives of the engine that has this one. */
export const releaseOthers = (key: string, at: number): Statement => ({ sql: texts.release, values: [at, key, key] });

/** Keeps objects from being swept until then, or for longer. */
export const holdStatement = (id: string, untilMs: number): Statement => ({ sql: texts.hold, values: [id, untilMs] });

/** Ends a hold, and those that have run out. */
export const endHoldStatement = (id: string, nowMs: number): Statement => ({ sql: texts.endHold, values: [id, nowMs] });

/** Takes rows of archives away that were released before then, at most 100, unless there is a hold; gives their keys. */
export const forgetReleased = async (sql: SqlDriver, beforeMs: number, nowMs: number): Promise<ReadonlyArray<string>> =>
  ((await sql.write([{ sql: texts.forget, values: [beforeMs, nowMs] }]))[0] ?? []).map(({ key }) => String(key));

/** Whether a key has a row. */
export const isKnownKey = async (sql: SqlDriver, key: string): Promise<boolean> =>
  (await first(sql, texts.byKey, key)) !== undefined;

/** Whether somebody holds all objects now. */
export const isHeld = async (sql: SqlDriver, nowMs: number): Promise<boolean> =>
  (await first(sql, texts.held, nowMs)) !== undefined;
