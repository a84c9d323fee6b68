// Decides: how users and their credentials come, are listed and end.
import { digestOf, newSecret, type SecretDigest } from "../api/Digest.ts";
import type { CredentialKind } from "../api/Authentication.ts";
import type { User } from "../api/EngineStore.ts";
import { parseTag } from "@bytenite-engines/core/wire";
import type { Row } from "../api/SqlPort.ts";
import type { Run, SqliteFile } from "../node/SqliteFile.ts";

/** An account that cannot be made or found; the message is for the operator. */
export class AccountError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = "AccountError";
  }
}

/** A credential as it is listed: never the secret, of which only the digest exists. */
export interface ListedCredential {
  readonly id: string;
  readonly user: string;
  readonly kind: CredentialKind;
  readonly label: string;
  readonly createdAt: Date;
  readonly expiresAt: Date | undefined;
  readonly revokedAt: Date | undefined;
}

/** The user of a name, made when there is none. `id` is for seeds that must be the same everywhere. */
export const ensureUser = (file: SqliteFile, name: string, now: number, id?: string): User =>
  file.transaction((run) => ensureUserWithin(run, name, now, id));

/** The same, inside a transaction. */
export const ensureUserWithin = (run: Run, name: string, now: number, id?: string): User => {
  assertUserName(name);
  const found = userNamed(run, name);
  if (found !== undefined) return found;
  run("INSERT INTO users (id, name, created_at) VALUES (?, ?, ?)", id ?? crypto.randomUUID(), name, now);
  return userNamed(run, name) as User;
};

const assertUserName = (name: string): void => {
  if (parseTag(name)?.name !== name) {
    throw new AccountError(`user name ${JSON.stringify(name.slice(0, 100))} is not 1 to 64 letters, digits, - or _`);
  }
};

/** The user of a name, or, where there is none, what it will be once it is made with this id. Writes nothing. */
export const plannedUser = (file: SqliteFile, name: string): User => {
  assertUserName(name);
  const [row] = file.rows({ sql: selectUser, values: [name] });
  return row === undefined ? { number: 0, id: crypto.randomUUID(), name } : userIn(row);
};

/** Makes a planned user, or finds the one that was there. Throws AccountError if another one has come in between. */
export const ensurePlanned = (run: Run, { name, id }: User, now: number): User => {
  const user = ensureUserWithin(run, name, now, id);
  if (user.id !== id) throw new AccountError(`another command has made or replaced user ${name} meanwhile: try again`);
  return user;
};

const userNamed = (run: Run, name: string): User | undefined => {
  const [row] = run(selectUser, name);
  return row === undefined ? undefined : userIn(row);
};

const selectUser = "SELECT number, id, name FROM users WHERE name = ?";

const userIn = (row: Row): User => ({
  number: Number(row["number"]),
  id: String(row["id"]),
  name: String(row["name"]),
});

/** The user of a name, who must exist. */
export const userOf = (file: SqliteFile, name: string): User => {
  const [row] = file.rows({ sql: selectUser, values: [name] });
  if (row === undefined) throw new AccountError(`there is no user ${JSON.stringify(name)}`);
  return userIn(row);
};

/** All users, by name. */
export const listUsers = (file: SqliteFile): ReadonlyArray<{ readonly user: User; readonly engines: number }> =>
  file
    .rows({ sql: "SELECT number, id, name, live_engines FROM users ORDER BY name", values: [] })
    .map((row) => ({ user: userIn(row), engines: Number(row["live_engines"]) }));

const insertCredential =
  "INSERT INTO credentials (id, user, kind, selector, digest, label, created_at, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";

/** Makes a new secret for a user. This is the only time it can be seen. */
export const createCredential = async (
  file: SqliteFile,
  user: User,
  kind: "token" | "api-key",
  label: string,
  now: number,
  expiresAt?: number,
): Promise<{ readonly id: string; readonly secret: string }> => {
  if (/\p{Cc}/u.test(label)) throw new AccountError("a label is one line of text, without tabs");
  const secret = newSecret(kind === "token" ? "bnt" : "bnk");
  const digest = await digestOf(secret);
  const id = crypto.randomUUID();
  file.transaction((run) =>
    run(insertCredential, id, user.number, kind, digest.selector, digest.bytes, label, now, expiresAt ?? null),
  );
  return { id, secret };
};

/** Lets a secret that exists elsewhere (a file, the environment, a trial) open the API for a user. */
export const addCredential = async (
  file: SqliteFile,
  user: User,
  kind: "trial" | "configured" | "token" | "api-key",
  secret: string,
  now: number,
): Promise<void> => {
  const digest = await digestOf(secret);
  file.transaction((run) => addDigest(run, user, kind, digest, now));
};

const addDigest = (run: Run, user: User, kind: CredentialKind, digest: SecretDigest, now: number): void => {
  run(insertCredential, crypto.randomUUID(), user.number, kind, digest.selector, digest.bytes, kind, now, null);
};

/**
 * Makes the configured tokens exactly these: user name -> tokens. One that was configured before and is not any more
 * stops to work. Users that do not exist yet are made.
 */
export const replaceConfigured = async (
  file: SqliteFile,
  tokens: Readonly<Record<string, ReadonlyArray<string>>>,
  now: number,
): Promise<void> => {
  const wanted: Array<{ readonly user: User; readonly digest: SecretDigest }> = [];
  for (const [name, secrets] of Object.entries(tokens)) {
    const user = ensureUser(file, name, now);
    for (const secret of secrets) wanted.push({ user, digest: await digestOf(secret) });
  }
  file.transaction((run) => {
    run("DELETE FROM credentials WHERE kind = 'configured'");
    for (const { user, digest } of wanted) addDigest(run, user, "configured", digest, now);
  });
};

/** All credentials, or those of one user, oldest first. */
export const listCredentials = (file: SqliteFile, user?: User): ReadonlyArray<ListedCredential> => {
  const where = user === undefined ? "" : "WHERE c.user = ?";
  const sql = `SELECT c.id, u.name, c.kind, c.label, c.created_at, c.expires_at, c.revoked_at FROM credentials c JOIN users u ON u.number = c.user ${where} ORDER BY c.created_at, c.id`;
  return file.rows({ sql, values: user === undefined ? [] : [user.number] }).map((row) => ({
    id: String(row["id"]),
    user: String(row["name"]),
    kind: row["kind"] as CredentialKind,
    label: String(row["label"]),
    createdAt: new Date(Number(row["created_at"])),
    expiresAt: dateOf(row["expires_at"]),
    revokedAt: dateOf(row["revoked_at"]),
  }));
};

const dateOf = (value: unknown): Date | undefined =>
  value === null || value === undefined ? undefined : new Date(Number(value));

/** Ends a credential by its id, and with an API key all tokens signed from it. */
export const revokeCredential = (file: SqliteFile, id: string, now: number): void => {
  const rows = file.transaction((run) =>
    run("UPDATE credentials SET revoked_at = coalesce(revoked_at, ?) WHERE id = ? RETURNING id", now, id),
  );
  if (rows.length === 0) throw new AccountError(`there is no credential ${JSON.stringify(id)}`);
};
