// Decides: which fields of a single record are shown, and in which order.
import type { Column } from "./Column.ts";
import type { Shape } from "./Shape.ts";

/** All fields that hold a value by themselves, in the API's order. */
export const pathsOfColumns = ({ known, columns, wide }: Shape): ReadonlyArray<Column> => {
  const kinds = new Map([...columns, ...(wide ?? [])].map(({ path, kind }) => [path, kind]));
  return known
    .filter((path) => !known.some((other) => other.startsWith(`${path}.`)))
    .map((path) => ({ path, kind: kinds.get(path) ?? "text" }));
};
