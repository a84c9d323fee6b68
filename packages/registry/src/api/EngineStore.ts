// Reading SQL: lists and tags.
import type { EngineTag } from "@bytenite-engines/core/wire";
import { fromPlaceSql, orderColumns, orderSql, type Order } from "./OrderBy.ts";
import { maxPageBytes, type Page } from "./Page.ts";
import { ApiError } from "./ApiError.ts";
import type { Row, Snapshot, SqlDriver, SqlValue, Statement } from "./SqlDriver.ts";

/** The authenticated user. */
export interface User {
  /** The key of the user's row. */
  readonly number: number;
  /** The UUID that engines name as their owner. */
  readonly id: string;
  readonly name: string;
}

/** A stored engine: the requested format, and its encrypted secret if the user owns it. */
export interface StoredEngine {
  readonly json: string | undefined;
  readonly protobuf: Uint8Array | undefined;
  readonly secret: Uint8Array | undefined;
}

/** The form that a query reads; `hex` is protobuf as text, for databases that return bytes as an array of numbers. */
export type StoredForm = "json" | "protobuf" | "hex";

/** SQL of a format: the column, its expression, and a placeholder for engines too large for their page. */
const forms = {
  json: { column: "json", read: "json", empty: "''" },
  protobuf: { column: "protobuf", read: "protobuf", empty: "x''" },
  hex: { column: "protobuf", read: "hex(protobuf)", empty: "''" },
} as const;

/** A position in a list: the row's values in the columns of the order. */
export type Place = ReadonlyArray<SqlValue>;

/** A page of a list: one statement for its rows, each with the length of the list, and one for the length alone. */
export interface ListStatements {
  /**
   * The first rows of the page, by offset or position, the same for every reader of the list. Of rows longer than the given bytes
   * only the size is read.
   */
  readonly rows: (limit: number, maxRowBytes: number, from?: Place) => Statement;
  readonly page: Page;
  readonly total: Statement;
  /** The position so many rows after another one, or after the first row. */
  readonly place: (from: Place | undefined, offset: number) => Statement;
}

/** Rows between two remembered positions of a list. */
const placeStride = 1_024;

/** No rows. */
const none: Statement = { sql: "SELECT 1 LIMIT 0", values: [] };

/** SQL texts by purpose, constant so that prepared statements are found by identity. */
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
 * The index is named: outdated statistics of a small table (`PRAGMA optimize`) make SQLite and D1 scan the grown one.
 */
const indexes = {
  own: { createdAt: "engines_by_creation", name: "engines_by_tag" },
  public: { createdAt: "public_by_creation", name: "public_by_tag" },
} as const;

const totals = {
  own: "SELECT live_engines AS total FROM users WHERE number = ?",
  public: "SELECT live_engines AS total FROM public_total WHERE one = 1",
} as const;

/** Stored size of an engine, in bytes; SQLite knows it without reading the values. */
const sizeOf = (form: StoredForm): string => `octet_length(${forms[form].column}) + coalesce(octet_length(secret), 0)`;

/** The engines of a list: a user's own, or all public ones. */
export interface ListFilter {
  readonly isPublic: boolean;
}

/** The page of a list. */
export const listStatements = (
  user: User,
  { isPublic }: ListFilter,
  order: Order,
  page: Page,
  form: StoredForm,
): ListStatements => {
  const list = isPublic ? "public" : "own";
  const owner = isPublic ? [] : [user.number];
  const which = (): string => `${isPublic ? "is_public = 1" : "owner = ?"} AND deleted_at IS NULL`;
  const select = (columns: string, condition = which()): string =>
    `SELECT ${columns} FROM engines INDEXED BY ${indexes[list][order.field]} WHERE ${condition} ORDER BY ${orderSql(order)}`;
  const fromPlace = (columns: string): string =>
    fromPlaceSql(order)
      .map((condition) => `SELECT * FROM (${select(columns, `${which()} AND ${condition}`)})`)
      .join(" UNION ALL ");
  const key = `${list} ${order.field} ${order.descending}`;
  const engineColumns = (): string => `(${totals[list]}) AS total, ${sizeOf(form)} AS bytes,
      CASE WHEN ${sizeOf(form)} <= ? THEN ${forms[form].read} ELSE ${forms[form].empty} END AS ${forms[form].column},
      owner, CASE WHEN ${sizeOf(form)} <= ? THEN secret END AS secret`;
  const placeColumns = (): string => orderColumns(order).join(", ");
  const rows: ListStatements["rows"] = (limit, maxRowBytes, from) => {
    const values = [...owner, maxRowBytes, maxRowBytes, ...owner];
    if (from === undefined) {
      const sql = textOf(`${key} ${form}`, () => `${select(engineColumns())} LIMIT ? OFFSET ?`);
      const plain = { sql, values: [...values, limit, page.offset] };
      if (page.offset < placeStride) return plain;
      const faster = (snapshot: Snapshot): Statement => {
        const found = placeOf(snapshot);
        return found === undefined ? none : rows(limit, maxRowBytes, found);
      };
      return { ...plain, faster };
    }
    const sql = textOf(`${key} ${form} from`, () => `${fromPlace(engineColumns())} LIMIT ?`);
    return { sql, values: [...values, ...from, ...values, ...from.slice(0, -1), limit] };
  };
  const place: ListStatements["place"] = (from, offset) => {
    if (from === undefined) {
      const sql = textOf(`${key} place`, () => `${select(placeColumns())} LIMIT 1 OFFSET ?`);
      return { sql, values: [...owner, offset] };
    }
    const sql = textOf(`${key} place from`, () => `${fromPlace(placeColumns())} LIMIT 1 OFFSET ?`);
    return { sql, values: [...owner, ...from, ...owner, ...from.slice(0, -1), offset] };
  };
  /** The position of the first row of the page, from remembered ones: to skip a row is to read its index entry. */
  const placeOf = (snapshot: Snapshot): Place | undefined => {
    const read = (from: Place | undefined, offset: number): Place | undefined => {
      const [row] = snapshot.rows(place(from, offset));
      return row === undefined ? undefined : (Object.values(row) as Place);
    };
    const places = snapshot.remembered<Array<Place>>([key, ...owner].join(" "), () => []);
    const wanted = Math.floor(page.offset / placeStride);
    while (places.length < wanted) {
      const next = read(places.at(-1), placeStride);
      if (next === undefined) return undefined;
      places.push(next);
    }
    return read(places[wanted - 1], page.offset % placeStride);
  };
  return { total: { sql: totals[list], values: owner }, page, rows, place };
};

/** The columns of a status. */
const statusColumns = "number, id, name, major, minor, status";

const highest = (columns: string, list: "own" | "public", condition: string): string =>
  `SELECT * FROM (SELECT ${columns} FROM engines INDEXED BY ${indexes[list].name} WHERE ${condition}
    AND deleted_at IS NULL ORDER BY major DESC, minor DESC, number DESC LIMIT 1)`;

/**
 * The engine of a tag: the highest matching version of the user's own, else of the public ones, which SQLite then looks up.
 */
export const tagStatement = (user: User, tag: EngineTag, what: StoredForm | "status"): Statement => {
  const wanted: Array<string | number> = [tag.name];
  if (tag.major !== undefined) wanted.push(tag.major);
  if (tag.minor !== undefined) wanted.push(tag.minor);
  const columns = what === "status" ? statusColumns : `${forms[what].read} AS ${forms[what].column}, owner, secret`;
  const sql = textOf(`${what} ${wanted.length}`, () => {
    const version = ["", " AND major = ?", " AND major = ? AND minor = ?"][wanted.length - 1];
    const own = highest(columns, "own", `owner = ? AND name = ?${version}`);
    return `${own} UNION ALL ${highest(columns, "public", `name = ?${version} AND is_public = 1`)} LIMIT 1`;
  });
  return { sql, values: [user.number, ...wanted, ...wanted] };
};

/** The engines of a page. */
export interface StoredList {
  readonly total: number;
  readonly engines: ReadonlyArray<StoredEngine>;
  /** Rows of the database: the same object while a driver caches them. */
  readonly rows: ReadonlyArray<Row>;
}

/** A page of a list: rows up to `maxPageBytes`, in one read unless some are large. */
export const readList = async (sql: SqlDriver, statements: ListStatements, user: User): Promise<StoredList> => {
  const { limit } = statements.page;
  const maxRowBytes = Math.floor(maxPageBytes / limit);
  let [rows = []] = await sql.read([statements.rows(limit, maxRowBytes)]);
  if (rows.some((row) => Number(row["bytes"]) > maxRowBytes)) {
    let bytes = 0;
    const fitting = rows.findIndex((row) => (bytes += Number(row["bytes"])) > maxPageBytes);
    // The first engine is always included.
    const count = fitting === -1 ? rows.length : Math.max(1, fitting);
    [rows = []] = await sql.read([statements.rows(count, Number.MAX_SAFE_INTEGER)]);
  }
  const [first] = rows.length > 0 ? rows : ((await sql.read([statements.total]))[0] ?? []);
  return { total: Number(first?.["total"] ?? 0), engines: rows.map((row) => storedOf(row, user)), rows };
};

/** The engine with this tag, in one format. Throws NOT_FOUND. */
export const readEngine = async (sql: SqlDriver, user: User, tag: EngineTag, form: StoredForm): Promise<StoredEngine> =>
  storedOf(await firstRow(sql, tagStatement(user, tag, form)), user);

/** The status of the engine with this tag. Throws NOT_FOUND. */
export const readStatus = async (
  sql: SqlDriver,
  user: User,
  tag: EngineTag,
): Promise<{ readonly number: number; readonly id: string; readonly tag: string; readonly status: string }> => {
  const row = await firstRow(sql, tagStatement(user, tag, "status"));
  return { number: Number(row["number"]), id: String(row["id"]), tag: tagIn(row), status: String(row["status"]) };
};

/** The tag of a row with name, major and minor. */
export const tagIn = (row: Row): string => `${String(row["name"])}@${String(row["major"])}.${String(row["minor"])}`;

const firstRow = async (sql: SqlDriver, statement: Statement): Promise<Row> => {
  const [row] = (await sql.read([statement]))[0] ?? [];
  if (row === undefined) throw new ApiError("NOT_FOUND", "engine not found");
  return row;
};

/** The engine of a row as a user reads it: only its owner gets the secret. */
const storedOf = (row: Row, user: User): StoredEngine => ({
  json: row["json"] as string | undefined,
  protobuf: bytesOf(row["protobuf"]),
  secret: row["owner"] === user.number ? bytesOf(row["secret"]) : undefined,
});

/** A number of a column, or null. */
export const numberOrNull = (value: unknown): number | null =>
  value === null || value === undefined ? null : Number(value);

/** Bytes of a BLOB column: SQLite gives a Uint8Array, D1 an array of numbers, and the form `hex` text. */
export const bytesOf = (value: unknown): Uint8Array | undefined => {
  if (value === null || value === undefined) return undefined;
  if (typeof value === "string") return fromHex(value);
  return value instanceof Uint8Array ? value : new Uint8Array(value as ArrayBuffer | ReadonlyArray<number>);
};

/** Only where queries ask for the form `hex`: Node 24 has no such function. */
const fromHex = (text: string): Uint8Array =>
  (Uint8Array as unknown as { readonly fromHex: (text: string) => Uint8Array }).fromHex(text);
