// Users and their credentials.
import { digestOf, newSecret, type SecretDigest } from "../api/Digest.ts";
import type { CredentialKind, Scope } from "../api/Authentication.ts";
import type { User } from "../api/EngineStore.ts";
import { closest, parseTag } from "@bytenite-engines/core/wire";
import type { Row } from "../api/SqlDriver.ts";
import { operatorActor, statements } from "../api/Statements.ts";
import type { Run, SqliteFile } from "../node/SqliteFile.ts";

/** An account that cannot be made or found; the message is for the operator. */
export class AccountError extends Error {
  override readonly name = "AccountError";
}

/** A user who does not exist. */
export class UnknownUserError extends AccountError {}

/** The message for a name that no user has, with those that are close. */
export const noUser = (name: string, users: ReadonlyArray<Row>): string => {
  const near = closest(
    name,
    users.map((row) => String(row["name"])),
  );
  const meant = near.length === 0 ? "" : ` (did you mean ${near.join(" or ")}?)`;
  return `there is no user ${JSON.stringify(name.slice(0, 100))}${meant}`;
};

/** A credential as it is listed: never the secret, of which only the digest exists. */
export interface ListedCredential {
  readonly id: string;
  readonly user: string;
  readonly kind: CredentialKind;
  readonly scope: Scope;
  readonly label: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  /** Last successful use, to the minute; undefined before the first. */
  readonly lastUsedAt: Date | undefined;
  readonly revokedAt: Date | undefined;
  /** Since when its user is disabled, so that it opens nothing. */
  readonly userDisabledAt: Date | undefined;
}

export { operatorActor };

/** Notes a change by a command in the audit trail, in the transaction of that change. */
export const noteChange = (run: Run, at: number, action: string, subject: string, detail: object = {}): void => {
  run(statements.note, at, operatorActor, action, subject, JSON.stringify(detail));
};

/** The user of a name, made when there is none. `id` is for seeds that must be the same everywhere. */
export const ensureUser = (file: SqliteFile, name: string, now: number, id?: string): User =>
  file.transaction((run) => ensureUserWithin(run, name, now, id));

/** The same, inside a transaction. */
export const ensureUserWithin = (run: Run, name: string, now: number, id?: string): User => {
  assertUserName(name);
  const found = userNamed(run, name);
  if (found !== undefined) return found;
  run(statements.insertUser, id ?? crypto.randomUUID(), name, now);
  return userNamed(run, name) as User;
};

const assertUserName = (name: string): void => {
  if (parseTag(name)?.name !== name) {
    throw new AccountError(`user name ${JSON.stringify(name.slice(0, 100))} is not 1 to 64 letters, digits, - or _`);
  }
};

/** The user of a name, or the one to be made with this id. Writes nothing. */
export const plannedUser = (file: SqliteFile, name: string, id?: string): User => {
  assertUserName(name);
  const [row] = file.rows({ sql: statements.userIds, values: [name] });
  return row === undefined ? { number: 0, id: id ?? crypto.randomUUID(), name } : userIn(row);
};

/** Creates a planned user, or finds an existing one. Throws AccountError if another one was created meanwhile. */
export const ensurePlanned = (run: Run, { name, id }: User, now: number): User => {
  const user = ensureUserWithin(run, name, now, id);
  if (user.id !== id) throw new AccountError(`another command has made or replaced user ${name} meanwhile: try again`);
  return user;
};

const userNamed = (run: Run, name: string): User | undefined => {
  const [row] = run(statements.userIds, name);
  return row === undefined ? undefined : userIn(row);
};

const userIn = (row: Row): User => ({
  number: Number(row["number"]),
  id: String(row["id"]),
  name: String(row["name"]),
});

/** The user of a name, who must exist. */
export const userOf = (file: SqliteFile, name: string): User => {
  const [row] = file.rows({ sql: statements.userIds, values: [name] });
  if (row === undefined) throw new UnknownUserError(noUser(name, file.rows({ sql: statements.allUsers, values: [] })));
  return userIn(row);
};

/** The user of an id, or undefined. */
export const userWithId = (file: SqliteFile, id: string): User | undefined => {
  const [row] = file.rows({ sql: statements.userOfId, values: [id] });
  return row === undefined ? undefined : userIn(row);
};

/** All users, by name. */
export const listUsers = (file: SqliteFile): ReadonlyArray<{ readonly user: User; readonly engines: number }> =>
  file
    .rows({
      sql: statements.allUsers,
      values: [],
    })
    .map((row) => ({ user: userIn(row), engines: Number(row["live_engines"]) }));

/** Makes a new secret for a user. This is the only time it can be seen. */
export const createCredential = async (
  file: SqliteFile,
  user: User,
  kind: "token" | "api-key",
  label: string,
  now: number,
  expiresAt?: number,
  scope: Scope = "read",
): Promise<{ readonly id: string; readonly secret: string }> => {
  if (/\p{Cc}/u.test(label)) throw new AccountError("a label is one line of text, without tabs");
  const secret = newSecret(kind === "token" ? "bnt" : "bnk");
  const digest = await digestOf(secret);
  const id = crypto.randomUUID();
  file.transaction((run) => {
    addDigest(run, user, kind, digest, now, label, scope, id, expiresAt);
    noteChange(run, now, "create credential", user.name, { id, kind, scope, label });
  });
  return { id, secret };
};

/** Name of the user whom the first manage token belongs to. */
const operatorName = "operator";

/** The first manage token, for user `operator`; undefined where there has been one, good or not. */
export const firstManageToken = async (file: SqliteFile, now: number): Promise<string | undefined> => {
  if (file.access !== "read-write" || file.rows({ sql: statements.anyManageToken, values: [] }).length > 0)
    return undefined;
  const user = ensureUser(file, operatorName, now);
  return (await createCredential(file, user, "token", "first manage token", now, undefined, "manage")).secret;
};

/** Adds an existing secret (of a file, the environment, a trial) as a token of a user. */
export const addCredential = async (
  file: SqliteFile,
  user: User,
  kind: "trial" | "configured" | "token" | "api-key",
  secret: string,
  now: number,
  scope: Scope = "read",
): Promise<void> => {
  const digest = await digestOf(secret);
  file.transaction((run) => addDigest(run, user, kind, digest, now, kind, scope));
};

const addDigest = (
  run: Run,
  user: User,
  kind: CredentialKind,
  digest: SecretDigest,
  now: number,
  label: string = kind,
  scope: Scope = "read",
  id: string = crypto.randomUUID(),
  expiresAt?: number,
): void => {
  run(
    statements.insertCredential,
    id,
    user.number,
    kind,
    scope,
    digest.selector,
    digest.bytes,
    label,
    now,
    expiresAt ?? null,
  );
};

/** Source of a configured token when it is unknown. */
const anyPlace = "the file of --tokens, or REGISTRY_TOKENS";

/** A configured token that was revoked and is refused although it is configured. */
export interface RevokedConfigured {
  readonly id: string;
  readonly user: string;
  readonly place: string;
}

/**
 * Adds the configured tokens, user name -> tokens, that are not in the database yet, and the users that do not exist. Deletes
 * none: another process may be configured with them. Writes nothing if all exist. Returns the revoked ones.
 */
export const addConfigured = async (
  file: SqliteFile,
  tokens: Readonly<Record<string, ReadonlyArray<string>>>,
  places: ReadonlyMap<string, string>,
  now: number,
): Promise<ReadonlyArray<RevokedConfigured>> => {
  const wanted: Array<{ readonly user: string; readonly digest: SecretDigest; readonly place: string }> = [];
  for (const [user, secrets] of Object.entries(tokens)) {
    for (const secret of secrets) {
      wanted.push({ user, digest: await digestOf(secret), place: places.get(secret) ?? anyPlace });
    }
  }
  const rowsOf = ({ selector, bytes }: SecretDigest): ReadonlyArray<Row> =>
    file.rows({
      sql: statements.credentialsOfDigest,
      values: [selector, bytes],
    });
  const revoked: Array<RevokedConfigured> = [];
  const missing: typeof wanted = [];
  for (const one of wanted) {
    const rows = rowsOf(one.digest);
    const ended = rows.find((row) => row["revoked_at"] !== null);
    if (ended !== undefined) revoked.push({ id: String(ended["id"]), user: one.user, place: one.place });
    else if (!rows.some(({ kind, name }) => kind === "configured" && name === one.user)) missing.push(one);
  }
  const unknown = Object.keys(tokens).filter(
    (name) => file.rows({ sql: statements.userIds, values: [name] }).length === 0,
  );
  if (missing.length > 0 || unknown.length > 0) {
    file.transaction((run) => {
      for (const name of unknown) ensureUserWithin(run, name, now);
      for (const { user, digest, place } of missing) {
        addDigest(run, ensureUserWithin(run, user, now), "configured", digest, now, place);
      }
    });
  }
  return revoked;
};

/** Databases before version 4 have neither scopes nor disabled users. */
export const hasScopes = (file: SqliteFile): boolean =>
  file.rows({ sql: "SELECT 1 FROM pragma_table_info('credentials') WHERE name = 'scope'", values: [] }).length > 0;

/** Columns of credentials `c` of users `u` that came with version 4, or what they would be. */
export const laterColumns = (file: SqliteFile): string =>
  hasScopes(file)
    ? "c.scope, c.last_used_at, u.disabled_at"
    : "'read' AS scope, NULL AS last_used_at, NULL AS disabled_at";

/** All credentials, or those of one user, oldest first. The file may be a backup of before there were scopes. */
export const listCredentials = (file: SqliteFile, user?: User): ReadonlyArray<ListedCredential> => {
  const where = user === undefined ? "" : "WHERE c.user = ?";
  const sql = `SELECT c.id, u.name, c.kind, c.label, c.created_at, c.expires_at, c.revoked_at, ${laterColumns(file)} FROM credentials c JOIN users u ON u.number = c.user ${where} ORDER BY c.created_at, c.id`;
  return file.rows({ sql, values: user === undefined ? [] : [user.number] }).map((row) => ({
    id: String(row["id"]),
    user: String(row["name"]),
    kind: row["kind"] as CredentialKind,
    scope: row["scope"] as Scope,
    label: String(row["label"]),
    createdAt: new Date(Number(row["created_at"])),
    expiresAt: dateOf(row["expires_at"]),
    lastUsedAt: dateOf(row["last_used_at"]),
    revokedAt: dateOf(row["revoked_at"]),
    userDisabledAt: dateOf(row["disabled_at"]),
  }));
};

const dateOf = (value: unknown): Date | undefined =>
  value === null || value === undefined ? undefined : new Date(Number(value));

/**
 * Ends a credential by its id, and with an API key all tokens signed from it. Returns the source of a configured token, from
 * which it has to be removed as well.
 */
export const revokeCredential = (file: SqliteFile, id: string, now: number): string | undefined => {
  const [row] = file.transaction((run) => {
    const rows = run(statements.revoke, now, id);
    if (rows.length > 0) noteChange(run, now, "revoke credential", id);
    return rows;
  });
  if (row === undefined) throw new AccountError(`there is no credential ${JSON.stringify(id)}`);
  if (row["kind"] !== "configured") return undefined;
  return row["label"] === "configured" ? anyPlace : String(row["label"]);
};
