// Database schema by version, and its migrations.
import { byId, bySelector } from "./Statements.ts";
import { listStatements, tagStatement } from "./EngineStore.ts";
import { archiveTables } from "../archive/ArchiveRows.ts";
import { orders } from "./OrderBy.ts";
import { pageOf } from "./Page.ts";
import { assertKey, rememberKey } from "./KeyCheck.ts";
import type { SecretBox } from "./SecretBox.ts";
import { DatabaseUnavailable, type SqlDriver, type Statement } from "./SqlDriver.ts";

const firstTables: ReadonlyArray<string> = [
  `CREATE TABLE users (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL UNIQUE,
    created_at INTEGER NOT NULL,
    live_engines INTEGER NOT NULL DEFAULT 0
  ) STRICT`,
  `CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    user INTEGER NOT NULL REFERENCES users (number),
    kind TEXT NOT NULL CHECK (kind IN ('token', 'api-key', 'trial', 'configured')),
    selector TEXT NOT NULL,
    digest BLOB NOT NULL,
    label TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    revoked_at INTEGER
  ) STRICT`,
  "CREATE INDEX credentials_by_selector ON credentials (selector)",
  "CREATE INDEX credentials_by_user ON credentials (user)",
  // Both forms are written once, when an engine changes, so that answering is copying.
  `CREATE TABLE engines (
    number INTEGER PRIMARY KEY,
    id TEXT NOT NULL,
    owner INTEGER NOT NULL REFERENCES users (number),
    name TEXT NOT NULL,
    major INTEGER NOT NULL,
    minor INTEGER NOT NULL,
    status TEXT NOT NULL,
    is_public INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    secret BLOB,
    json TEXT NOT NULL,
    protobuf BLOB NOT NULL
  ) STRICT`,
  "CREATE UNIQUE INDEX engines_by_tag ON engines (owner, name, major, minor) WHERE deleted_at IS NULL",
  "CREATE INDEX engines_by_creation ON engines (owner, created_at) WHERE deleted_at IS NULL",
  "CREATE INDEX public_by_tag ON engines (name, major, minor) WHERE deleted_at IS NULL AND is_public = 1",
  "CREATE INDEX public_by_creation ON engines (created_at) WHERE deleted_at IS NULL AND is_public = 1",
  // Totals are kept, not counted: a page of a long list must not read all of it.
  "CREATE TABLE public_total (one INTEGER PRIMARY KEY CHECK (one = 1), live_engines INTEGER NOT NULL) STRICT",
  "INSERT INTO public_total (one, live_engines) VALUES (1, 0)",
  ...totals("inserted", "INSERT", "new", "+"),
  ...totals("uncounted", "UPDATE OF deleted_at, is_public, owner", "old", "-"),
  ...totals("counted", "UPDATE OF deleted_at, is_public, owner", "new", "+"),
  ...totals("removed", "DELETE", "old", "-"),
];

function totals(name: string, event: string, row: "old" | "new", sign: "+" | "-"): ReadonlyArray<string> {
  const live = `${row}.deleted_at IS NULL`;
  return [
    `CREATE TRIGGER engines_${name} AFTER ${event} ON engines WHEN ${live}
     BEGIN UPDATE users SET live_engines = live_engines ${sign} 1 WHERE number = ${row}.owner; END`,
    `CREATE TRIGGER public_${name} AFTER ${event} ON engines WHEN ${live} AND ${row}.is_public = 1
     BEGIN UPDATE public_total SET live_engines = live_engines ${sign} 1 WHERE one = 1; END`,
  ];
}

/** Check value of the operator's key. */
const keyCheck: ReadonlyArray<string> = [
  "CREATE TABLE key_check (one INTEGER PRIMARY KEY CHECK (one = 1), sealed BLOB NOT NULL) STRICT",
];

/** Index for existing ids of imported engines. */
const idIndex: ReadonlyArray<string> = ["CREATE INDEX engines_by_id ON engines (id)"];

/** What a credential may do and when it was last used, who is switched off, how much each user may keep, and who changed what. */
const management: ReadonlyArray<string> = [
  "ALTER TABLE credentials ADD COLUMN scope TEXT NOT NULL DEFAULT 'read' CHECK (scope IN ('read', 'publish', 'manage'))",
  "ALTER TABLE credentials ADD COLUMN last_used_at INTEGER",
  "ALTER TABLE users ADD COLUMN disabled_at INTEGER",
  "ALTER TABLE users ADD COLUMN deleted_at INTEGER",
  "ALTER TABLE users ADD COLUMN max_engines INTEGER",
  "ALTER TABLE users ADD COLUMN max_bytes INTEGER",
  `CREATE TABLE audit (
    number INTEGER PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
  ) STRICT`,
  "CREATE INDEX audit_by_subject ON audit (subject)",
];

/** Each entry takes the database from its index to the next version. Entries are never changed, only added. */
export const migrations: ReadonlyArray<ReadonlyArray<string>> = [
  firstTables,
  keyCheck,
  idIndex,
  management,
  archiveTables,
];

const versionTable = "CREATE TABLE IF NOT EXISTS migrations (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)";

/** The statements that bring a database of a version up to date. */
export const stepsFrom = (found: number, now: number): ReadonlyArray<Statement> =>
  migrations.slice(found).flatMap((_, index) => statementsOf(found + index, now));

/** The statements that make the tables of a version. */
export const schemaOf = (version: number): ReadonlyArray<string> => [
  versionTable,
  ...migrations.slice(0, version).flat(),
];

/**
 * The steps as files for `wrangler d1 migrations apply`, by name. A step never changes once it was released: D1 remembers by name
 * what was applied.
 */
export const migrationFiles = (): ReadonlyMap<string, string> =>
  new Map(
    migrations.map((step, index) => {
      const version = index + 1;
      const first = index === 0 ? [versionTable] : [];
      const note = `INSERT INTO migrations (version, applied_at) VALUES (${version}, unixepoch() * 1000)`;
      const statements = [...first, note, ...step].map((sql) => `${sql};\n`);
      return [`${String(version).padStart(4, "0")}_schema_${version}.sql`, statements.join("")];
    }),
  );

/** Whether a database has the tables of this version or, where it can be read, of a newer one. Rejects with DatabaseUnavailable. */
export const schemaProblem = async (sql: SqlDriver): Promise<string | undefined> => {
  const found = await versionOf(sql);
  if (found < migrations.length) {
    return `the database has schema version ${found}, this registry needs ${migrations.length}: wrangler d1 migrations apply`;
  }
  if (found > migrations.length && !(await isReadable(sql))) return new NewerDatabaseError(found).message;
  return undefined;
};

/** The statements that turn an empty database into a current one; also what an export for another database begins with. */
export const schemaStatements = (now: number): ReadonlyArray<Statement> => [
  { sql: versionTable, values: [] },
  ...stepsFrom(0, now),
];

const statementsOf = (version: number, now: number): ReadonlyArray<Statement> => [
  // Fails, and with it the whole step, when another process has taken the same step in between.
  { sql: "INSERT INTO migrations (version, applied_at) VALUES (?, ?)", values: [version + 1, now] },
  ...(migrations[version] ?? []).map((sql) => ({ sql, values: [] })),
];

/** A file written by a newer registry: this one must not touch it. */
export class NewerDatabaseError extends Error {
  constructor(found: number) {
    super(
      `the database has schema version ${found}, this registry knows ${migrations.length}: use a newer registry, or restore a backup from before the upgrade`,
    );
    this.name = "NewerDatabaseError";
  }
}

/** A file written by an older registry, for what changes nothing. */
export class OlderDatabaseError extends Error {
  constructor(found: number) {
    super(
      `the database has schema version ${found}, this registry needs ${migrations.length}: back it up, then "serve" or any command that changes it brings it up to date`,
    );
    this.name = "OlderDatabaseError";
  }
}

/** For those who only read: throws where the database is not of this version, or of another key than that of the box. */
export const assertCurrent = async (
  sql: SqlDriver,
  box: SecretBox | undefined,
  { acceptOlder = false }: { readonly acceptOlder?: boolean } = {},
): Promise<void> => {
  const found = await versionOf(sql);
  if (found > migrations.length) throw new NewerDatabaseError(found);
  if (found < migrations.length && !acceptOlder) throw new OlderDatabaseError(found);
  if (box !== undefined) await assertKey(sql, box);
};

/**
 * Brings the database up to date. Answers whether it was new (had no tables at all). Safe to run from two sides at once.
 * With a box, its key is checked first: another one than that of the database is a KeyError, and nothing is written.
 */
export const migrate = async (sql: SqlDriver, now: number, box?: SecretBox): Promise<{ readonly wasNew: boolean }> => {
  const found = await versionOf(sql);
  if (found > migrations.length) throw new NewerDatabaseError(found);
  const isKnown = box === undefined || (await assertKey(sql, box));
  for (let version = found; version < migrations.length; version++) {
    const first = version === 0 ? [{ sql: versionTable, values: [] }] : [];
    try {
      await sql.write([...first, ...statementsOf(version, now)]);
    } catch (error) {
      if ((await versionOf(sql)) <= version) throw error;
    }
  }
  if (!isKnown && sql.readOnly !== true) await rememberKey(sql, box);
  return { wasNew: found === 0 };
};

/** Whether SQLite takes all statements that requests are answered with: the tables, columns and indexes that they name are there. */
const isReadable = async (sql: SqlDriver): Promise<boolean> => {
  const nobody = { number: -1, id: "", name: "" };
  const page = pageOf(undefined);
  const lists = (["json", "protobuf"] as const).flatMap((form) =>
    [true, false].flatMap((isPublic) => orders.map((order) => listStatements(nobody, { isPublic }, order, page, form))),
  );
  const engines = (["json", "protobuf", "status"] as const).map((what) => tagStatement(nobody, { name: "" }, what));
  const statements = [...lists.map(({ rows }) => rows(0, 0)), ...lists.map(({ total }) => total), ...engines];
  try {
    await sql.read([...statements, bySelector("", 0), byId("", 0)]);
    return true;
  } catch (error) {
    if (error instanceof DatabaseUnavailable) throw error;
    return false;
  }
};

const versionOf = async (sql: SqlDriver): Promise<number> => {
  const [tables] = await sql.read([
    { sql: "SELECT 1 AS found FROM sqlite_master WHERE type = 'table' AND name = 'migrations'", values: [] },
  ]);
  if (tables?.length !== 1) return 0;
  const [rows] = await sql.read([{ sql: "SELECT max(version) AS version FROM migrations", values: [] }]);
  return Number(rows?.[0]?.["version"]);
};
