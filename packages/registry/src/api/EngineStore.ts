// Decides: which rows answer a list or a tag, in which order, and whose they are. All of the reading SQL is here.
import type { EngineTag } from "@bytenite-engines/core/wire";
import { orderSql, type Order } from "./OrderBy.ts";
import { maxPageBytes, type Page } from "./Page.ts";
import { Refusal } from "./Refusal.ts";
import type { Row, SqlPort, Statement } from "./SqlPort.ts";

/** The user who asks. */
export interface User {
  /** The key of the user's row. */
  readonly number: number;
  /** The UUID that engines name as their owner. */
  readonly id: string;
  readonly name: string;
}

/** An engine as it is kept: one of its two forms, whichever was asked for, and its sealed secret if the user owns it. */
export interface StoredEngine {
  readonly json: string | undefined;
  readonly protobuf: Uint8Array | undefined;
  readonly secret: Uint8Array | undefined;
}

/** The form that a query reads. */
export type StoredForm = "json" | "protobuf";

/** Nobody reads the secret of another user's engine, public or not. */
const ownSecret = "CASE WHEN owner = ? THEN secret END AS secret";

/** A page of a list: one statement for its rows, each with the length of the list, and one for the length alone. */
export interface ListStatements {
  /** The first rows of the page, at most so many. Of those with more bytes than that only the size is read. */
  readonly rows: (limit: number, maxRowBytes: number) => Statement;
  readonly limit: number;
  readonly total: Statement;
}

/** SQL texts by what they are for. Made once, so that finding the prepared statement costs no hashing of a new text. */
const texts = new Map<string, string>();

const textOf = (key: string, make: () => string): string => {
  let text = texts.get(key);
  if (text === undefined) {
    text = make();
    texts.set(key, text);
  }
  return text;
};

/**
 * The index that answers is named: statistics of a table that was small when they were made, which is what `PRAGMA optimize`
 * leaves, let SQLite and D1 read the whole of it once it has grown.
 */
const indexes = {
  own: { createdAt: "engines_by_creation", name: "engines_by_tag" },
  public: { createdAt: "public_by_creation", name: "public_by_tag" },
} as const;

const totals = {
  own: "SELECT live_engines AS total FROM users WHERE number = ?",
  public: "SELECT live_engines AS total FROM public_total WHERE one = 1",
} as const;

/** What stands for an engine that is too large to be read with the others. */
const empty = { json: "''", protobuf: "x''" } as const;

/** Bytes of an engine as it is kept; SQLite knows them without reading the values. */
const sizeOf = (form: StoredForm): string => `octet_length(${form}) + coalesce(octet_length(secret), 0)`;

/** The page of a user's own engines, or of all public ones. */
export const listStatements = (
  user: User,
  publicOnly: boolean,
  order: Order,
  page: Page,
  form: StoredForm,
): ListStatements => {
  const list = publicOnly ? "public" : "own";
  const owner = publicOnly ? [] : [user.number];
  const sql = textOf(`${list} ${order.field} ${order.descending} ${form}`, () => {
    const which = `${publicOnly ? "is_public = 1" : "owner = ?"} AND deleted_at IS NULL`;
    return `SELECT (${totals[list]}) AS total, ${sizeOf(form)} AS bytes,
      CASE WHEN ${sizeOf(form)} <= ? THEN ${form} ELSE ${empty[form]} END AS ${form},
      CASE WHEN ${sizeOf(form)} <= ? AND owner = ? THEN secret END AS secret FROM engines INDEXED BY ${indexes[list][order.field]} WHERE ${which} ORDER BY ${orderSql(order)} LIMIT ? OFFSET ?`;
  });
  return {
    total: { sql: totals[list], values: owner },
    limit: page.limit,
    rows: (limit, maxRowBytes) => ({
      sql,
      values: [...owner, maxRowBytes, maxRowBytes, user.number, ...owner, limit, page.offset],
    }),
  };
};

/** The columns that a status is made of. */
const statusColumns = "id, name, major, minor, status";

/** The engine that a tag means: the user's own if there is one, else a public one; the highest version that fits. */
export const tagStatements = (user: User, tag: EngineTag, what: StoredForm | "status"): ReadonlyArray<Statement> => {
  const wanted: Array<string | number> = [tag.name];
  if (tag.major !== undefined) wanted.push(tag.major);
  if (tag.minor !== undefined) wanted.push(tag.minor);
  const asker = what === "status" ? [] : [user.number];
  const text = (list: "own" | "public"): string =>
    textOf(`${list} ${what} ${wanted.length}`, () => {
      const version = ["", " AND major = ?", " AND major = ? AND minor = ?"][wanted.length - 1];
      const columns = what === "status" ? statusColumns : `${what}, ${ownSecret}`;
      const which = list === "own" ? `owner = ? AND name = ?${version}` : `name = ?${version} AND is_public = 1`;
      return `SELECT ${columns} FROM engines INDEXED BY ${indexes[list].name} WHERE ${which} AND deleted_at IS NULL ORDER BY major DESC, minor DESC, number DESC LIMIT 1`;
    });
  return [
    { sql: text("own"), values: [...asker, user.number, ...wanted] },
    { sql: text("public"), values: [...asker, ...wanted] },
  ];
};

/** The answer to a list: rows up to `maxPageBytes`, in one read unless some are large. */
export const readList = async (
  sql: SqlPort,
  statements: ListStatements,
): Promise<{ readonly total: number; readonly engines: ReadonlyArray<StoredEngine> }> => {
  const { limit } = statements;
  const maxRowBytes = Math.floor(maxPageBytes / limit);
  let [rows = []] = await sql.read([statements.rows(limit, maxRowBytes)]);
  if (rows.some((row) => Number(row["bytes"]) > maxRowBytes)) {
    let bytes = 0;
    const fitting = rows.findIndex((row) => (bytes += Number(row["bytes"])) > maxPageBytes);
    // The first one is answered whatever its size.
    const count = fitting === -1 ? rows.length : Math.max(1, fitting);
    [rows = []] = await sql.read([statements.rows(count, Number.MAX_SAFE_INTEGER)]);
  }
  const [first] = rows.length > 0 ? rows : ((await sql.read([statements.total]))[0] ?? []);
  return { total: Number(first?.["total"] ?? 0), engines: rows.map(storedOf) };
};

/** The form of the engine that a tag means. Refuses with NOT_FOUND. */
export const readEngine = async (sql: SqlPort, user: User, tag: EngineTag, form: StoredForm): Promise<StoredEngine> =>
  storedOf(await firstRow(sql, tagStatements(user, tag, form)));

/** The status of the engine that a tag means. Refuses with NOT_FOUND. */
export const readStatus = async (
  sql: SqlPort,
  user: User,
  tag: EngineTag,
): Promise<{ readonly id: string; readonly tag: string; readonly status: string }> => {
  const row = await firstRow(sql, tagStatements(user, tag, "status"));
  const version = `${String(row["major"])}.${String(row["minor"])}`;
  return { id: String(row["id"]), tag: `${String(row["name"])}@${version}`, status: String(row["status"]) };
};

const firstRow = async (sql: SqlPort, statements: ReadonlyArray<Statement>): Promise<Row> => {
  for (const statement of statements) {
    const [rows] = await sql.read([statement]);
    const row = rows?.[0];
    if (row !== undefined) return row;
  }
  throw new Refusal("NOT_FOUND", "engine not found");
};

const storedOf = (row: Row): StoredEngine => ({
  json: row["json"] as string | undefined,
  protobuf: bytesOf(row["protobuf"]),
  secret: bytesOf(row["secret"]),
});

/** Bytes of a BLOB column: SQLite gives a Uint8Array, D1 an ArrayBuffer or an array of numbers. */
export const bytesOf = (value: unknown): Uint8Array | undefined => {
  if (value === null || value === undefined) return undefined;
  return value instanceof Uint8Array ? value : new Uint8Array(value as ArrayBuffer | ReadonlyArray<number>);
};
