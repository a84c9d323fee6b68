// Decides: which rows answer a list or a tag, in which order, and whose they are. All of the reading SQL is here.
import type { EngineTag } from "@bytenite-engines/core/wire";
import { orderSql, type Order } from "./OrderBy.ts";
import type { Page } from "./Page.ts";
import { Refusal } from "./Refusal.ts";
import type { Row, SqlPort, Statement } from "./SqlPort.ts";

/** The user who asks. */
export interface User {
  readonly id: string;
  readonly name: string;
}

/** An engine as it is kept: one of its two forms, whichever was asked for, and its sealed secret if the user owns it. */
export interface StoredEngine {
  readonly owner: string;
  readonly json: string | undefined;
  readonly protobuf: Uint8Array | undefined;
  readonly secret: Uint8Array | undefined;
}

/** The form that a query reads; `both` where one has to be worked on. */
export type StoredForm = "json" | "protobuf";

/** The page of a user's own engines, or of all public ones, and the length of the whole list. */
export const listStatements = (
  user: User,
  publicOnly: boolean,
  order: Order,
  page: Page,
  form: StoredForm,
): readonly [total: Statement, rows: Statement] => {
  const columns = `owner, ${form}, ${ownSecret}`;
  return [
    publicOnly
      ? { sql: "SELECT live_engines AS total FROM public_total WHERE one = 1", values: [] }
      : { sql: "SELECT live_engines AS total FROM users WHERE id = ?", values: [user.id] },
    {
      sql: `SELECT ${columns} FROM engines WHERE ${publicOnly ? "is_public = 1" : "owner = ?"} AND deleted_at IS NULL ORDER BY ${orderSql(order)} LIMIT ? OFFSET ?`,
      values: [user.id, ...(publicOnly ? [] : [user.id]), page.limit, page.offset],
    },
  ];
};

/** Nobody reads the secret of another user's engine, public or not. */
const ownSecret = "CASE WHEN owner = ? THEN secret END AS secret";

/** The engine that a tag means: the user's own if there is one, else a public one; the highest version that fits. */
export const tagStatements = (user: User, tag: EngineTag, form: StoredForm): ReadonlyArray<Statement> => {
  const version = [
    ...(tag.major === undefined ? [] : ["AND major = ?"]),
    ...(tag.minor === undefined ? [] : ["AND minor = ?"]),
  ].join(" ");
  const values = [tag.name, ...[tag.major, tag.minor].filter((part) => part !== undefined)];
  const columns = `owner, status, id, name, major, minor, ${form}, ${ownSecret}`;
  const order = "ORDER BY major DESC, minor DESC, number DESC LIMIT 1";
  return [
    {
      sql: `SELECT ${columns} FROM engines WHERE owner = ? AND name = ? ${version} AND deleted_at IS NULL ${order}`,
      values: [user.id, user.id, ...values],
    },
    {
      sql: `SELECT ${columns} FROM engines WHERE name = ? ${version} AND is_public = 1 AND deleted_at IS NULL ${order}`,
      values: [user.id, ...values],
    },
  ];
};

/** The answer to a list. */
export const readList = async (
  sql: SqlPort,
  statements: ReturnType<typeof listStatements>,
): Promise<{ readonly total: number; readonly engines: ReadonlyArray<StoredEngine> }> => {
  const [totals, rows] = await sql.read(statements);
  return { total: Number(totals?.[0]?.["total"] ?? 0), engines: (rows ?? []).map(storedOf) };
};

/** The engine of a tag, with the columns that a status needs. Refuses with NOT_FOUND. */
export const readTag = async (
  sql: SqlPort,
  statements: ReadonlyArray<Statement>,
): Promise<StoredEngine & { readonly id: string; readonly tag: string; readonly status: string }> => {
  for (const statement of statements) {
    const [rows] = await sql.read([statement]);
    const row = rows?.[0];
    if (row !== undefined) {
      const tag = `${String(row["name"])}@${String(row["major"])}.${String(row["minor"])}`;
      return { ...storedOf(row), id: String(row["id"]), tag, status: String(row["status"]) };
    }
  }
  throw new Refusal("NOT_FOUND", "engine not found");
};

const storedOf = (row: Row): StoredEngine => ({
  owner: String(row["owner"]),
  json: row["json"] === undefined ? undefined : (row["json"] as string),
  protobuf: bytesOf(row["protobuf"]),
  secret: bytesOf(row["secret"]),
});

/** Bytes of a BLOB column: SQLite gives a Uint8Array, D1 an ArrayBuffer or an array of numbers. */
export const bytesOf = (value: unknown): Uint8Array | undefined => {
  if (value === null || value === undefined) return undefined;
  return value instanceof Uint8Array ? value : new Uint8Array(value as ArrayBuffer | ReadonlyArray<number>);
};
