// Management API: users, credentials, engines, quotas, audit, statistics.
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { formatOf, parseTag, requestIdFrom } from "@bytenite-engines/core/wire";
import type { Engine } from "@bytenite-engines/proto";
import { requireScope, scopes, writingAs, type Credential, type Scope } from "./Authentication.ts";
import { digestOf, newSecret } from "./Digest.ts";
import { changeEngine as changeEngineStatement, keptVersionOf, type KeptVersion } from "../archive/ArchiveRows.ts";
import { engineOf, rowOf, secretPlace } from "./EngineRow.ts";
import { numberOrNull, tagIn, type User } from "./EngineStore.ts";
import { noUser } from "../manage/Accounts.ts";
import { parseJson } from "../manage/JsonMembers.ts";
import { ApiError } from "./ApiError.ts";
import { errorAnswer, type Answer, type RequestHead } from "./Answer.ts";
import type { Authorize, ReadSession } from "./Routes.ts";
import type { SecretBox } from "./SecretBox.ts";
import type { Row, SqlDriver, SqlValue, Statement } from "./SqlDriver.ts";
import { auditStatement, newestValues, operatorActor, statements } from "./Statements.ts";
import { methodNotAllowed, otherMethod } from "./Web.ts";

/** Base path of the management API. */
export const managementPath = "/manage/v1";

/** Must be `1` on every request: pages of other origins need a CORS preflight to send it, which is refused. */
export const managementHeader = "Bytenite-Management";

/** Longest body of a request, in bytes. */
const maxBodyBytes = 16 * 1_024;

/** Rows on a page, unless fewer are asked for. */
const maxPageRows = 1_000;
const defaultPageRows = 100;

/** Most engines that one transaction deletes or hands over. */
const chunkEngines = 50;

/** Longest lifetime of a credential, in days. */
export const maxLifetimeDays = 3_650;

/** Largest quota: the largest integer that is exact in JSON. */
const maxQuota = Number.MAX_SAFE_INTEGER;

const dayMs = 86_400_000;

/** Dependencies of the management API. */
export interface ManagementOptions {
  readonly sql: SqlDriver;
  readonly box: SecretBox | undefined;
  readonly authorize: Authorize;
  /** Database session, if not `sql`; its fields are response headers. */
  readonly session?: ((head: RequestHead, from: "primary") => ReadSession) | undefined;
  readonly onFault?: ((error: unknown, requestId: string) => void) | undefined;
  readonly now: () => number;
}

type Input = Readonly<Record<string, unknown>>;

interface Call {
  readonly sql: SqlDriver;
  readonly box: SecretBox | undefined;
  readonly at: number;
  readonly actor: Credential;
  readonly query: URLSearchParams;
  /** The JSON object of the body; other members than the named ones are errors. */
  readonly input: (...members: ReadonlyArray<string>) => Promise<Input>;
  /** Decoded path parameters. */
  readonly parts: ReadonlyArray<string>;
}

interface Done {
  readonly status?: number;
  readonly body: unknown;
}

type Operation = (call: Call) => Promise<Done>;

const rowsOf = async (sql: SqlDriver, text: string, ...values: ReadonlyArray<SqlValue>): Promise<ReadonlyArray<Row>> =>
  (await sql.read([{ sql: text, values }]))[0] ?? [];

const invalid = (message: string): ApiError => new ApiError("INVALID_ARGUMENT", message);

const unsupported = (message: string): ApiError => new ApiError("INVALID_ARGUMENT", message, { status: 415 });

const conflict = (message: string): ApiError => new ApiError("FAILED_PRECONDITION", message, { status: 409 });

const missing = (what: string): ApiError => new ApiError("NOT_FOUND", what);

const timeOf = (value: unknown): string | null =>
  value === null || value === undefined ? null : new Date(Number(value)).toISOString();

const shownUser = (row: Row) => ({
  id: String(row["id"]),
  name: String(row["name"]),
  createdAt: timeOf(row["created_at"]),
  disabledAt: timeOf(row["disabled_at"]),
  engines: Number(row["live_engines"]),
  maxEngines: numberOrNull(row["max_engines"]),
  maxBytes: numberOrNull(row["max_bytes"]),
});

const shownCredential = (row: Row) => ({
  id: String(row["id"]),
  user: String(row["user"]),
  kind: String(row["kind"]),
  scope: String(row["scope"]),
  label: String(row["label"]),
  createdAt: timeOf(row["created_at"]),
  expiresAt: timeOf(row["expires_at"]),
  revokedAt: timeOf(row["revoked_at"]),
  lastUsedAt: timeOf(row["last_used_at"]),
  userDisabledAt: timeOf(row["user_disabled_at"]),
});

const shownEngine = (row: Row) => ({
  id: String(row["id"]),
  tag: tagIn(row),
  owner: String(row["owner"]),
  status: String(row["status"]),
  isPublic: Number(row["is_public"]) === 1,
  revision: Number(row["revision"]),
  createdAt: timeOf(row["created_at"]),
  updatedAt: timeOf(row["updated_at"]),
});

const shownChange = (row: Row) => ({
  at: timeOf(row["at"]),
  actor: String(row["actor"]),
  action: String(row["action"]),
  subject: String(row["subject"]),
  detail: JSON.parse(String(row["detail"])) as unknown,
});

const limitIn = (query: URLSearchParams): number => {
  const text = query.get("limit");
  if (text === null) return defaultPageRows;
  if (!/^[1-9]\d{0,3}$/.test(text) || Number(text) > maxPageRows) {
    throw invalid(`limit is a number from 1 to ${maxPageRows}`);
  }
  return Number(text);
};

const numberIn = (query: URLSearchParams, name: string, otherwise: number): number => {
  const text = query.get(name);
  if (text === null) return otherwise;
  if (!/^\d{1,15}$/.test(text)) throw invalid(`${name} is the "next" of the page before`);
  return Number(text);
};

const timeIn = (query: URLSearchParams, name: string): number => {
  const text = query.get(name) ?? "1970-01-01";
  const time = Date.parse(text);
  if (Number.isNaN(time) || !rfc3339.test(text)) {
    throw invalid(`${name} is a date, 2026-11-28, or a time, 2026-11-28T10:20:30Z`);
  }
  return time;
};

/** A date, or a time with its offset (RFC 3339, 5.6). */
const rfc3339 = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d))?$/;

/** A page: its rows, and `after` of the next one; null on the last. */
const paged = (
  name: string,
  rows: ReadonlyArray<Row>,
  limit: number,
  shown: (row: Row) => object,
  key: string,
): Done => {
  const last = rows.length < limit ? undefined : (rows.at(-1)?.[key] as string | number | undefined);
  return { body: { [name]: rows.map(shown), next: last === undefined ? null : `${last}` } };
};

const quotaIn = (input: Input, name: string): number | null | undefined => {
  const value = input[name];
  if (value === undefined || value === null) return value;
  if (!Number.isSafeInteger(value) || Number(value) < 0 || Number(value) > maxQuota) {
    throw invalid(`${name} is a whole number from 0 on, or null for no limit`);
  }
  return Number(value);
};

const textIn = (input: Input, name: string, longest: number): string => {
  const value = input[name];
  if (typeof value !== "string" || value.length > longest || /\p{Cc}/u.test(value)) {
    throw invalid(`${name} is one line of text of at most ${longest} characters`);
  }
  return value;
};

const userNameIn = (input: Input): string => {
  const name = textIn(input, "name", 64);
  if (parseTag(name)?.name !== name) throw invalid("name is 1 to 64 letters, digits, - or _");
  return name;
};

const userRow = async (sql: SqlDriver, name: string): Promise<Row> => {
  const [row] = await rowsOf(sql, statements.user, name);
  if (row !== undefined) return row;
  throw missing(noUser(name, await rowsOf(sql, statements.users, "", maxPageRows)));
};

/** Refuses a disabled user, who could use nothing of what is given to them. */
const assertEnabled = ({ name, disabled_at }: Row): void => {
  if (disabled_at === null) return;
  throw conflict(`${String(name)} is disabled: enable the user first`);
};

/** Runs a change with its audit entry in one transaction; returns the rows of the change. */
const noted = async (
  { sql, at, actor }: Call,
  change: Statement,
  action: string,
  subject: string,
  detail: object = {},
): Promise<ReadonlyArray<Row>> =>
  (await sql.write([change, auditStatement(at, actor.user.name, action, subject, detail)]))[0] ?? [];

const createUser: Operation = async (call) => {
  const input = await call.input("name", "maxEngines", "maxBytes");
  const name = userNameIn(input);
  const quotas = { maxEngines: quotaIn(input, "maxEngines") ?? null, maxBytes: quotaIn(input, "maxBytes") ?? null };
  const values = [crypto.randomUUID(), name, call.at, quotas.maxEngines, quotas.maxBytes];
  const [row] = await noted(call, { sql: statements.addUser, values }, "create user", name, quotas);
  if (row === undefined) throw new ApiError("ALREADY_EXISTS", "there is a user of this name");
  return { status: 201, body: shownUser(row) };
};

const changeUser: Operation = async (call) => {
  const input = await call.input("disabled", "maxEngines", "maxBytes");
  const { disabled } = input;
  if (disabled !== undefined && typeof disabled !== "boolean") throw invalid("disabled is true or false");
  const maxEngines = quotaIn(input, "maxEngines");
  const maxBytes = quotaIn(input, "maxBytes");
  const user = await userRow(call.sql, call.parts[0] ?? "");
  if (disabled === true && Number(user["number"]) === call.actor.user.number) {
    throw conflict("you cannot disable yourself: use a token of another user");
  }
  const values: ReadonlyArray<SqlValue> = [
    disabled === undefined ? null : Number(disabled),
    call.at,
    Number(maxEngines !== undefined),
    maxEngines ?? null,
    Number(maxBytes !== undefined),
    maxBytes ?? null,
    Number(user["number"]),
  ];
  const [row] = await noted(call, { sql: statements.changeUser, values }, "change user", String(user["name"]), input);
  if (row === undefined) throw missing("there is no such user");
  return { body: shownUser(row) };
};

/** The statement that updates an engine, unless it has changed since it was read. */
const engineChange = (
  before: KeptVersion,
  engine: Engine,
  owner: number,
  at: number,
  secret: Uint8Array | null = before.secret ?? null,
): Statement => {
  engine.updatedAt = timestampFromMs(at);
  return changeEngineStatement(rowOf(engine, owner, secret), before);
};

const ownerOf = (row: Row): User => ({
  number: Number(row["number"]),
  id: String(row["id"]),
  name: String(row["name"]),
});

/** An engine under another owner, with its secret encrypted again for that owner. */
const handedOver = async (before: KeptVersion, to: User, { box, at }: Call): Promise<Statement> => {
  const engine = engineOf(before.json);
  let { secret } = before;
  if (secret !== undefined) {
    if (box === undefined) {
      throw conflict("an engine has a sealed secret: set BYTENITE_REGISTRY_KEY to hand it over");
    }
    const token = await box.open(secret, secretPlace(engine.owner, engine.name, engine.version));
    secret = await box.seal(token, secretPlace(to.id, engine.name, engine.version));
  }
  engine.owner = to.id;
  engine.userName = to.name;
  return engineChange(before, engine, to.number, at, secret ?? null);
};

const deleted = (before: KeptVersion, owner: number, at: number): Statement => {
  const engine = engineOf(before.json);
  engine.deletedAt = timestampFromMs(at);
  return engineChange(before, engine, owner, at);
};

/**
 * Disables the user, deletes or hands over the engines in parts, then deletes credentials and user. After an interruption the same request
 * continues.
 */
const deleteUser: Operation = async (call) => {
  const { sql, at, actor, query } = call;
  const row = await userRow(sql, call.parts[0] ?? "");
  const user = ownerOf(row);
  if (user.number === actor.user.number) {
    throw conflict("you cannot delete yourself: use a token of another user");
  }
  const target = query.get("handOverTo");
  const engines = query.get("engines");
  if (engines !== null && (engines !== "delete" || target !== null)) {
    throw invalid("engines=delete, or handOverTo=USER, or neither for a user without engines");
  }
  if (Number(row["live_engines"]) > 0 && engines === null && target === null) {
    throw conflict("the user has engines: engines=delete or handOverTo=USER says what becomes of them");
  }
  const targetRow = target === null ? undefined : await userRow(sql, target);
  const to = targetRow === undefined ? undefined : ownerOf(targetRow);
  if (to?.number === user.number) throw invalid("handOverTo is another user");
  if (targetRow !== undefined) assertEnabled(targetRow);
  if (to !== undefined) {
    const clashes = await rowsOf(sql, statements.clashes, user.number, to.number);
    if (clashes.length > 0) {
      throw new ApiError("ALREADY_EXISTS", `${to.name} has these already: ${clashes.map(tagIn).join(", ")}`);
    }
    const quota = numberOrNull(targetRow?.["max_engines"]);
    if (quota !== null && Number(targetRow?.["live_engines"]) + Number(row["live_engines"]) > quota) {
      throw conflict(`${to.name} may have ${quota} engines: raise the quota first`);
    }
  }
  await sql.write([{ sql: statements.changeUser, values: [1, at, 0, null, 0, null, user.number] }]);
  let count = 0;
  for (;;) {
    const owned = (await rowsOf(sql, statements.owned, user.number, chunkEngines)).map(keptVersionOf);
    if (owned.length === 0) break;
    const changes = await Promise.all(
      owned.map(async (engine) => (to === undefined ? deleted(engine, user.number, at) : handedOver(engine, to, call))),
    );
    const written = await sql.write(changes);
    const changed = written.filter((rows) => rows.length > 0).length;
    if (changed === 0) throw new ApiError("ABORTED", "the engines of the user are being changed: try again");
    count += changed;
  }
  const detail = to === undefined ? { deletedEngines: count } : { handedOverTo: to.name, engines: count };
  const [[removed] = []] = await sql.write([
    { sql: statements.removeUser, values: [at, at, user.number] },
    auditStatement(at, actor.user.name, "delete user", user.name, detail),
    { sql: statements.endCredentials, values: [at, user.number] },
  ]);
  if (removed === undefined) throw new ApiError("ABORTED", "the engines of the user are being changed: try again");
  return { body: { name: user.name, ...detail } };
};

const createCredential: Operation = async (call) => {
  const { at } = call;
  const input = await call.input("kind", "scope", "label", "expiresInDays");
  const { kind = "token", scope = "read", expiresInDays } = input;
  if (kind !== "token" && kind !== "api-key") throw invalid("kind is token or api-key");
  if (!scopes.includes(scope as Scope)) throw invalid(`scope is ${scopes.join(", ")}`);
  if (
    expiresInDays !== undefined &&
    (!Number.isInteger(expiresInDays) || Number(expiresInDays) < 1 || Number(expiresInDays) > maxLifetimeDays)
  ) {
    throw invalid(`expiresInDays is a whole number from 1 to ${maxLifetimeDays}`);
  }
  const label = input["label"] === undefined ? "" : textIn(input, "label", 200);
  const row = await userRow(call.sql, call.parts[0] ?? "");
  assertEnabled(row);
  const user = ownerOf(row);
  const secret = newSecret(kind === "token" ? "bnt" : "bnk");
  const digest = await digestOf(secret);
  const id = crypto.randomUUID();
  const expiresAt = expiresInDays === undefined ? null : at + Number(expiresInDays) * dayMs;
  const values = [id, kind, scope as Scope, digest.selector, digest.bytes, label, at, expiresAt, user.number];
  const detail = { id, kind, scope, label, expiresAt: timeOf(expiresAt) };
  const [added] = await noted(call, { sql: statements.addCredential, values }, "create credential", user.name, detail);
  if (added === undefined) throw missing("there is no such user");
  return { status: 201, body: { ...detail, user: user.name, secret } };
};

const revokeCredential: Operation = async (call) => {
  const id = call.parts[0] ?? "";
  const { sql, at, actor } = call;
  // An operator at the database can always make another one.
  const change =
    actor.user.name === operatorActor
      ? { sql: statements.revoke, values: [at, id] }
      : { sql: statements.revokeUnlessLast, values: [at, id, at] };
  const [row] = await noted(call, change, "revoke credential", id);
  if (row === undefined) {
    if ((await rowsOf(sql, statements.credential, id)).length === 0) throw missing("there is no such credential");
    throw conflict("this is the last credential that can manage: create another one first");
  }
  const configuredIn = row["kind"] === "configured" ? String(row["label"]) : null;
  return { body: { id, revoked: true, configuredIn } };
};

/** The engine of a user by tag; of a partial tag the newest version. */
const engineRow = async ({ sql, parts: [name = "", text = ""] }: Call, isWhole: boolean) => {
  const tag = parseTag(text);
  if (tag === undefined || (isWhole && tag.minor === undefined)) {
    throw invalid(`the tag is ${isWhole ? "" : "name, name@major or "}name@major.minor`);
  }
  const user = ownerOf(await userRow(sql, name));
  const [row] = await rowsOf(sql, statements.newest, user.number, ...newestValues(tag));
  if (row === undefined) throw missing(`${user.name} has no engine ${text}`);
  return { user, version: keptVersionOf(row), tag: tagIn(row), subject: `${user.name}/${tagIn(row)}` };
};

const changed = (rows: ReadonlyArray<Row>): void => {
  if (rows.length === 0) throw new ApiError("ABORTED", "somebody else has changed the engine meanwhile: try again");
};

const changeEngine: Operation = async (call) => {
  const input = await call.input("status", "isPublic");
  const { status, isPublic } = input;
  if (status !== undefined && status !== "active" && status !== "inactive")
    throw invalid("status is active or inactive");
  if (isPublic !== undefined && typeof isPublic !== "boolean") throw invalid("isPublic is true or false");
  const { user, version, tag, subject } = await engineRow(call, false);
  if (isPublic === true && version.secret !== undefined) {
    throw conflict("an engine with a platform_config.token cannot be made public");
  }
  const engine = engineOf(version.json);
  if (status !== undefined) engine.status = status;
  if (isPublic !== undefined) engine.isPublic = isPublic;
  const change = engineChange(version, engine, user.number, call.at);
  changed(await noted(call, change, "change engine", subject, { ...input, hash: engine.hash }));
  return { body: { id: engine.id, tag, status: engine.status, isPublic: engine.isPublic } };
};

const deleteEngine: Operation = async (call) => {
  const { user, version, subject } = await engineRow(call, true);
  const { hash } = engineOf(version.json);
  changed(await noted(call, deleted(version, user.number, call.at), "delete engine", subject, { hash }));
  return { body: { deleted: subject } };
};

/** A list in the order of numbers, of all users or one. */
const listed =
  (name: "engines" | "credentials", shown: (row: Row) => object): Operation =>
  async ({ sql, query }) => {
    const limit = limitIn(query);
    const user = query.get("user");
    const owner = user === null ? null : Number((await userRow(sql, user))["number"]);
    const rows = await rowsOf(sql, statements[name], numberIn(query, "after", 0), owner, owner, limit);
    return paged(name, rows, limit, shown, "number");
  };

/** Methods by path; `*` is a path parameter. */
const routes: ReadonlyArray<readonly [path: string, methods: Readonly<Record<string, Operation>>]> = [
  [
    "users",
    {
      GET: async ({ sql, query }) => {
        const limit = limitIn(query);
        const rows = await rowsOf(sql, statements.users, query.get("after") ?? "", limit);
        return paged("users", rows, limit, shownUser, "name");
      },
      POST: createUser,
    },
  ],
  [
    "users/*",
    {
      GET: async ({ sql, parts: [name = ""] }) => ({ body: shownUser(await userRow(sql, name)) }),
      PATCH: changeUser,
      DELETE: deleteUser,
    },
  ],
  ["users/*/credentials", { POST: createCredential }],
  ["users/*/engines/*", { PATCH: changeEngine, DELETE: deleteEngine }],
  ["credentials", { GET: listed("credentials", shownCredential) }],
  ["credentials/*", { DELETE: revokeCredential }],
  ["engines", { GET: listed("engines", shownEngine) }],
  [
    "audit",
    {
      GET: async ({ sql, query }) => {
        const limit = limitIn(query);
        const user = query.get("user");
        const before = numberIn(query, "after", Number.MAX_SAFE_INTEGER);
        const rows = await rowsOf(sql, statements.audit, before, timeIn(query, "since"), user, user, user, limit);
        // The changes of a deleted user are still there.
        if (user === "" || (user !== null && rows.length === 0 && !query.has("after"))) await userRow(sql, user);
        return paged("audit", rows, limit, shownChange, "number");
      },
    },
  ],
  [
    "statistics",
    {
      GET: async ({ sql, at }) => {
        const [row = {}] = await rowsOf(sql, statements.statistics, at);
        return { body: Object.fromEntries(Object.entries(row).map(([name, value]) => [name, Number(value)])) };
      },
    },
  ],
];

/** The methods of a path, and the values of its `*`; undefined if no route matches. */
const routeOf = (path: string) => {
  const given = path.slice(managementPath.length + 1).split("/");
  for (const [pattern, methods] of routes) {
    const wanted = pattern.split("/");
    if (wanted.length !== given.length || !wanted.every((part, at) => part === "*" || part === given[at])) continue;
    try {
      return { methods, parts: given.filter((_, at) => wanted[at] === "*").map(decodeURIComponent) };
    } catch {
      throw invalid("the path has a malformed percent-encoding");
    }
  }
  return undefined;
};

const inputOf =
  (head: RequestHead): Call["input"] =>
  async (...members) => {
    const type = head.header("content-type");
    if (formatOf(type) !== "json") throw unsupported("the body is sent as application/json");
    if (/;\s*charset=(?!"?utf-?8"?\s*(?:;|$))/i.test(type ?? "")) {
      throw unsupported("the body is sent in UTF-8");
    }
    if ((head.header("content-encoding") ?? "identity").trim().toLowerCase() !== "identity") {
      throw unsupported("the body is sent without Content-Encoding");
    }
    const bytes = await head.body(maxBodyBytes);
    const reading = { source: "body", text: "", problems: [] as Array<string> };
    try {
      reading.text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    } catch {
      throw invalid("the body is not UTF-8");
    }
    // Duplicate keys are ambiguous.
    const parsed = parseJson(reading);
    if (reading.problems.length > 0) throw invalid(reading.problems.join("; "));
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
      throw invalid("the body is a JSON object");
    const extra = Object.keys(parsed).find((name) => !members.includes(name));
    if (extra !== undefined) {
      throw invalid(`there is no member ${JSON.stringify(extra.slice(0, 100))}: there are ${members.join(", ")}`);
    }
    return parsed as Input;
  };

/** Builds the management API: JSON only, for credentials of scope `manage`. Never rejects. */
export const makeManagement =
  ({ sql, box, authorize, session, onFault, now }: ManagementOptions) =>
  async (head: RequestHead): Promise<Answer> => {
    const requestId = requestIdFrom(head.header("x-request-id"));
    const headers = { "Content-Type": "application/json", "Cache-Control": "no-store", "X-Request-Id": requestId };
    let user: string | undefined;
    let reads: ReadSession | undefined;
    try {
      const [path = "", search] = head.target.split(/\?(.*)/s);
      const route = routeOf(path);
      if (route === undefined) throw missing("not found");
      const allowed = Object.keys(route.methods);
      const other = otherMethod(head.method, allowed);
      if (other !== undefined) {
        if (other.status === 204) return { ...other, headers: { ...headers, ...other.headers } };
        throw methodNotAllowed(allowed);
      }
      if (head.header(managementHeader.toLowerCase()) !== "1") {
        throw new ApiError("PERMISSION_DENIED", `the header ${managementHeader}: 1 is missing`);
      }
      const at = now();
      const actor = await authorize(head, at, (name) => (user = name));
      requireScope(actor, "manage");
      const query = new URLSearchParams(search);
      const operation = route.methods[head.method === "HEAD" ? "GET" : head.method] as Operation;
      reads = session?.(head, "primary");
      const driver = reads?.sql ?? sql;
      // An operator at the database has no credential in it.
      const writing = actor.user.name === operatorActor ? driver : writingAs(driver, actor, now);
      const call = { sql: writing, box, at, actor, query, input: inputOf(head), parts: route.parts };
      const done = await operation(call);
      return {
        status: done.status ?? 200,
        headers: { ...headers, ...reads?.headers() },
        body: JSON.stringify(done.body),
        logFields: { endpoint: "management", user },
      };
    } catch (error) {
      const logFields = { endpoint: "management", user } as const;
      return errorAnswer(error, { ...headers, ...reads?.headers() }, { logFields, onFault });
    }
  };
