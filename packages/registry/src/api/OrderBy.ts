// Orders of a list, and their SQL.
import { ApiError } from "./ApiError.ts";

/** An order of a list, as the SQL that follows ORDER BY. Ties are broken so that every row has one place. */
export interface Order {
  readonly field: OrderField;
  readonly descending: boolean;
}

/** The fields a list can be ordered by. */
export type OrderField = "createdAt" | "name";

/** Only `createdAt` is documented upstream; `name`, the direction and this default are assumptions. */
const defaultOrder: Order = { field: "createdAt", descending: false };

const columns: Readonly<Record<OrderField, ReadonlyArray<string>>> = {
  createdAt: ["created_at", "number"],
  name: ["name", "major", "minor", "number"],
};

const names: Readonly<Record<string, OrderField>> = {
  createdAt: "createdAt",
  created_at: "createdAt",
  name: "name",
};

/** Every order there is, for tests of the indexes. */
export const orders: ReadonlyArray<Order> = (["createdAt", "name"] as const).flatMap((field) => [
  { field, descending: false },
  { field, descending: true },
]);

/** The order that a `orderBy` parameter names: a field, then optionally `asc` or `desc`. Empty means the default. */
export const parseOrder = (text: string): Order => {
  if (text === "") return defaultOrder;
  const [name = "", direction = "asc", ...rest] = text.split(" ");
  const field = Object.hasOwn(names, name) ? names[name] : undefined;
  if (field === undefined || rest.length > 0 || (direction !== "asc" && direction !== "desc")) {
    const known = Object.keys(columns).join(", ");
    throw new ApiError("INVALID_ARGUMENT", `orderBy must be one of ${known}, optionally followed by asc or desc`);
  }
  return { field, descending: direction === "desc" };
};

/** The columns that an order compares, the number of the row last. */
export const orderColumns = ({ field }: Order): ReadonlyArray<string> => columns[field];

/** What stands after ORDER BY. */
export const orderSql = (order: Order): string =>
  columns[order.field].map((column) => (order.descending ? `${column} DESC` : column)).join(", ");

/**
 * Conditions for the rows from a place in an order on: those that differ from it in the number at most, then all others. Its
 * values are bound to the first, and all but the number to the second. SQLite finds both by an index; the two as one comparison of
 * rows it does not, since the number is not a column of the index.
 */
export const fromPlaceSql = (order: Order): readonly [same: string, later: string] => {
  const compared = columns[order.field].slice(0, -1);
  const later = order.descending ? "<" : ">";
  return [
    [...compared.map((column) => `${column} = ?`), `number ${later}= ?`].join(" AND "),
    `(${compared.join(", ")}) ${later} (${compared.map(() => "?").join(", ")})`,
  ];
};
