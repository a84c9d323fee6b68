// Decides: which fields of an engine are shown, in which order, and which may be asked for.
import type { DescMessage } from "@bufbuild/protobuf";
import type { Column, ColumnKind } from "./Column.ts";
import { closest } from "../Suggestion.ts";
import { UsageError } from "../UsageError.ts";

const kinds: Readonly<Record<string, ColumnKind>> = {
  revision: "number",
  "deviceRequirements.minCpu": "number",
  "deviceRequirements.minMemory": "number",
  createdAt: "time",
  updatedAt: "time",
  deletedAt: "time",
  status: "status",
  engineStatus: "status",
};

/** Long text can be cut; the first characters tell enough. */
const leastCells: Readonly<Record<string, number>> = {
  id: 8,
  name: 12,
  version: 7,
  type: 11,
  status: 10,
  description: 12,
  hash: 8,
  link: 12,
  owner: 8,
  userName: 6,
  "platformConfig.container": 12,
  "deviceRequirements.gpu": 8,
  engineId: 8,
  engineTag: 12,
  engineLink: 12,
};

const column = (path: string, rank?: number): Column => ({
  path,
  kind: kinds[path] ?? "text",
  ...(leastCells[path] === undefined ? {} : { leastCells: leastCells[path] }),
  ...(rank === undefined ? {} : { rank }),
});

/** The columns of `table`. The ranks tell which go first on a narrow terminal. */
export const engineColumns: ReadonlyArray<Column> = [
  column("name"),
  column("version"),
  column("type", 2),
  column("status", 1),
  column("deviceRequirements.minCpu", 5),
  column("deviceRequirements.minMemory", 6),
  column("updatedAt", 3),
  column("description", 4),
];

/** The columns of `wide` and of `csv`: every field but the secret. */
export const wideEngineColumns: ReadonlyArray<Column> = [
  ...engineColumns.slice(0, 4),
  ...[
    "isPublic",
    "revision",
    "platform",
    "platformConfig.container",
    "platformConfig.privateImage",
    "platformConfig.username",
    "platformConfig.secrets",
    "deviceRequirements.minCpu",
    "deviceRequirements.minMemory",
    "deviceRequirements.gpu",
    "entrypoint",
    "userName",
    "owner",
    "createdAt",
    "updatedAt",
    "deletedAt",
    "id",
    "hash",
    "link",
    "description",
  ].map((path) => column(path)),
];

/** All paths of a message that hold a value, by their API names. */
export const pathsOf = (schema: DescMessage): ReadonlyArray<string> =>
  schema.fields.flatMap((field) =>
    field.fieldKind === "message" && !field.message.typeName.startsWith("google.protobuf.")
      ? [field.jsonName, ...pathsOf(field.message).map((path) => `${field.jsonName}.${path}`)]
      : [field.jsonName],
  );

/** The columns that were asked for by name. Throws UsageError for one that is not among `known`. */
export const askedColumns = (names: ReadonlyArray<string>, known: ReadonlyArray<string>): ReadonlyArray<Column> =>
  names.map((name) => {
    // The last name of a path is enough where only one path ends so.
    const ends = known.filter((path) => path === name || path.endsWith(`.${name}`));
    const path = known.includes(name) ? name : ends.length === 1 ? ends[0] : undefined;
    if (path !== undefined) return column(path);
    const near = closest(name, known);
    throw new UsageError(
      `--columns: there is no field ${JSON.stringify(name.slice(0, 100))}`,
      near.length > 0 ? `Did you mean ${near.join(" or ")}?` : `Fields: ${known.join(", ")}.`,
    );
  });
