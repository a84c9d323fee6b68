// SQL of users, credentials, single engines, audit trail and key check.
import type { EngineTag } from "@bytenite-engines/core/wire";
import { updateEngineSql } from "./EngineRow.ts";
import type { SqlValue, Statement } from "./SqlDriver.ts";

const userColumns = "number, id, name, created_at, disabled_at, live_engines, max_engines, max_bytes";

/** Statements by purpose. `EngineStore.ts` makes those of lists and tags, `ArchiveRows.ts` has those of archives. */
export const statements = {
  users: `SELECT ${userColumns} FROM users WHERE deleted_at IS NULL AND name > ? ORDER BY name LIMIT ?`,
  user: `SELECT ${userColumns} FROM users WHERE name = ? AND deleted_at IS NULL`,
  addUser: `INSERT INTO users (id, name, created_at, max_engines, max_bytes) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (name) DO NOTHING RETURNING ${userColumns}`,
  changeUser: `UPDATE users SET disabled_at = CASE ? WHEN 1 THEN coalesce(disabled_at, ?) WHEN 0 THEN NULL ELSE disabled_at END,
    max_engines = CASE WHEN ? THEN ? ELSE max_engines END, max_bytes = CASE WHEN ? THEN ? ELSE max_bytes END
    WHERE number = ? AND deleted_at IS NULL RETURNING ${userColumns}`,
  removeUser: `UPDATE users SET deleted_at = ?, disabled_at = coalesce(disabled_at, ?), name = 'deleted:' || id
    WHERE number = ? AND deleted_at IS NULL AND live_engines = 0 RETURNING number`,
  endCredentials: "UPDATE credentials SET revoked_at = coalesce(revoked_at, ?) WHERE user = ?",
  /** In the order in which they were made. */
  credentials: `SELECT c.rowid AS number, c.id, (SELECT name FROM users WHERE number = c.user) AS user, c.kind, c.scope, c.label,
    c.created_at, c.expires_at, c.revoked_at, c.last_used_at,
    (SELECT disabled_at FROM users WHERE number = c.user) AS user_disabled_at FROM credentials c
    WHERE c.rowid > ? AND (? IS NULL OR c.user = ?) ORDER BY c.rowid LIMIT ?`,
  addCredential: `INSERT INTO credentials (id, user, kind, scope, selector, digest, label, created_at, expires_at)
    SELECT ?, number, ?, ?, ?, ?, ?, ?, ? FROM users WHERE number = ? AND deleted_at IS NULL RETURNING id`,
  revoke: "UPDATE credentials SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? RETURNING id, kind, label",
  /** The same, unless no other credential could manage then. */
  revokeUnlessLast: `UPDATE credentials SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? AND (scope <> 'manage' OR EXISTS
    (SELECT 1 FROM credentials o JOIN users u ON u.number = o.user WHERE o.scope = 'manage' AND o.id <> credentials.id
      AND o.revoked_at IS NULL AND (o.expires_at IS NULL OR o.expires_at > ?) AND u.disabled_at IS NULL))
    RETURNING id, kind, label`,
  credential: "SELECT id FROM credentials WHERE id = ?",
  /** What a user did, and what was done to the user, their engines and credentials. */
  audit: `SELECT number, at, actor, action, subject, detail FROM audit WHERE number < ? AND at >= ?
    AND (? IS NULL OR ? IN (actor, substr(subject, 1, instr(subject || '/', '/') - 1))
      OR subject IN (SELECT id FROM credentials WHERE user = (SELECT number FROM users WHERE name = ?)))
    ORDER BY number DESC LIMIT ?`,
  statistics: `SELECT (SELECT count(*) FROM users WHERE deleted_at IS NULL) AS users,
    (SELECT count(*) FROM users WHERE deleted_at IS NULL AND disabled_at IS NOT NULL) AS disabledUsers,
    (SELECT coalesce(sum(live_engines), 0) FROM users) AS engines,
    (SELECT live_engines FROM public_total) AS publicEngines,
    (SELECT count(*) FROM credentials c JOIN users u ON u.number = c.user
      WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?) AND disabled_at IS NULL) AS credentials`,
  userIds: "SELECT number, id, name FROM users WHERE name = ?",
  userOfId: "SELECT number, id, name FROM users WHERE id = ?",
  allUsers: "SELECT number, id, name, live_engines FROM users WHERE deleted_at IS NULL ORDER BY name",
  insertUser: "INSERT INTO users (id, name, created_at) VALUES (?, ?, ?)",
  remainingEngines: "SELECT max_engines - live_engines AS remaining FROM users WHERE number = ?",
  insertCredential: `INSERT INTO credentials (id, user, kind, scope, selector, digest, label, created_at, expires_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  anyManageToken: "SELECT 1 AS found FROM credentials WHERE scope = 'manage' LIMIT 1",
  credentialsOfDigest: `SELECT c.id, c.kind, c.revoked_at, u.name FROM credentials c JOIN users u ON u.number = c.user
    WHERE c.selector = ? AND c.digest = ?`,
  used: "UPDATE credentials SET last_used_at = max(coalesce(last_used_at, 0), ?) WHERE id = ?",
  engines: `SELECT e.number, e.id, u.name AS owner, e.name, e.major, e.minor, e.status, e.is_public, e.revision, e.created_at, e.updated_at
    FROM engines e JOIN users u ON u.number = e.owner
    WHERE e.number > ? AND (? IS NULL OR e.owner = ?) AND e.deleted_at IS NULL ORDER BY e.number LIMIT ?`,
  version: `SELECT number, id, json, secret, revision, updated_at FROM engines INDEXED BY engines_by_tag
    WHERE owner = ? AND name = ? AND major = ? AND minor = ? AND deleted_at IS NULL`,
  owned: `SELECT number, id, json, secret, revision, updated_at FROM engines INDEXED BY engines_by_tag
    WHERE owner = ? AND deleted_at IS NULL LIMIT ?`,
  clashes: `SELECT e.name, e.major, e.minor FROM engines e INDEXED BY engines_by_tag WHERE e.owner = ? AND e.deleted_at IS NULL
    AND EXISTS (SELECT 1 FROM engines t WHERE t.owner = ? AND t.name = e.name AND t.major = e.major AND t.minor = e.minor
      AND t.deleted_at IS NULL) LIMIT 10`,
  /** Only if nobody has changed it since it was read. */
  changeEngine: `${updateEngineSql} AND revision = ? AND updated_at = ? AND deleted_at IS NULL RETURNING id`,
  /** The newest live version of an owner's engine that a tag names; its values: the owner, and `newestValues`. */
  newest: `SELECT number, id, json, secret, revision, updated_at, name, major, minor FROM engines INDEXED BY engines_by_tag
    WHERE owner = ? AND name = ? AND (? IS NULL OR major = ?) AND (? IS NULL OR minor = ?) AND deleted_at IS NULL
    ORDER BY major DESC, minor DESC LIMIT 1`,
  /** Any other engine with an id, deleted or not. */
  otherOfId: `SELECT name, major, minor FROM engines INDEXED BY engines_by_id
    WHERE id = ? AND NOT (owner = ? AND name = ? AND major = ? AND minor = ?) LIMIT 1`,
  /** The archive of what an engine was before is not that of what it is now. */
  releaseArchive: "UPDATE archives SET released_at = ? WHERE engine = ? AND released_at IS NULL",
  note: "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)",
  keyCheck: "SELECT sealed FROM key_check",
  addKeyCheck: "INSERT INTO key_check (one, sealed) VALUES (1, ?) ON CONFLICT DO NOTHING",
} as const;

/** The values of a tag for `newest`. */
export const newestValues = ({ name, major, minor }: EngineTag): ReadonlyArray<SqlValue> => [
  name,
  ...[major, major, minor, minor].map((number) => number ?? null),
];

const good = "c.revoked_at IS NULL AND (c.expires_at IS NULL OR c.expires_at > ?)";
/** A subquery instead of a join, for which statistics of few users would make SQLite scan the table. */
const found = `SELECT c.id, c.kind, c.scope, c.digest, c.user, (SELECT id FROM users WHERE number = c.user) AS uuid,
  (SELECT name FROM users WHERE number = c.user) AS name,
  (SELECT disabled_at FROM users WHERE number = c.user) AS disabled FROM credentials c`;
const foundBySelector = `${found} INDEXED BY credentials_by_selector WHERE c.selector = ? AND ${good}`;
const foundById = `${found} WHERE c.id = ? AND ${good}`;

/** The statement that looks credentials up by the selector of their digest. */
export const bySelector = (selector: string, now: number): Statement => ({
  sql: foundBySelector,
  values: [selector, now],
});

/** The statement that looks a credential up by its id, as a signed token names it. */
export const byId = (id: string, now: number): Statement => ({
  sql: foundById,
  values: [id, now],
});

/** Fails, and with it its transaction, unless a credential is valid: "malformed JSON" is an error that every SQLite has. */
const onlyGood = `SELECT json(coalesce((SELECT 1 FROM credentials c WHERE c.id = ? AND ${good}
  AND (SELECT disabled_at FROM users WHERE number = c.user) IS NULL), 'not valid'))`;

/** The statement that makes a transaction fail unless a credential is valid. */
export const onlyIfGood = (id: string, now: number): Statement => ({ sql: onlyGood, values: [id, now] });

/** Actor of commands in the audit trail; no user can have this name. */
export const operatorActor = "(bne registry --database)";

/** Nothing is written where the statement before changed no row (`changes()`). */
const noteIfChanged = "INSERT INTO audit (at, actor, action, subject, detail) SELECT ?, ?, ?, ?, ? WHERE changes() > 0";

/** A statement that notes in the audit trail what the statement before it has changed, in one transaction. */
export const auditStatement = (
  at: number,
  actor: string,
  action: string,
  subject: string,
  detail: object,
): Statement => ({ sql: noteIfChanged, values: [at, actor, action, subject, JSON.stringify(detail)] });
