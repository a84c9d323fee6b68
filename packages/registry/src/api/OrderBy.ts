// Decides: which orders a list can be asked in, and the index that serves each.
import { Refusal } from "./Refusal.ts";

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
    throw new Refusal("INVALID_ARGUMENT", `orderBy must be one of ${known}, optionally followed by asc or desc`);
  }
  return { field, descending: direction === "desc" };
};

/** What stands after ORDER BY. */
export const orderSql = (order: Order): string =>
  columns[order.field].map((column) => (order.descending ? `${column} DESC` : column)).join(", ");
