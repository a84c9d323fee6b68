// Records and columns of engines.
import { closest, encodeJson } from "@bytenite-engines/core/wire";
import { UsageError } from "@bytenite-engines/registry/command";
import { type DescMessage, create, toBinary } from "@bufbuild/protobuf";
import {
  EngineListResponseSchema,
  EngineMessageSchema,
  EngineSchema,
  type Engine,
  type EngineMessage,
  type PaginatedResponse,
  PaginatedResponseSchema,
} from "@bytenite-engines/proto";
import { type Column, type ColumnKind, textAt, type OutputRecord, type Shape } from "./Shape.ts";

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

/** Long text can be cut; its beginning is enough. */
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

/** The columns of `table`. The ranks order which are left out first on a narrow terminal. */
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

/** The record of an engine, its secret hidden unless `showSecrets`. */
export const engineRecord = (engine: Engine, showSecrets: boolean): OutputRecord => {
  const shown = showSecrets ? engine : redact(engine);
  return { json: encodeJson(EngineSchema, shown), bytes: () => toBinary(EngineSchema, shown) };
};

/** The record of an engine in a list: its bytes are a list of one, and such lists add up to the whole. */
export const listedRecord = (engine: Engine, showSecrets: boolean): OutputRecord => ({
  ...engineRecord(engine, showSecrets),
  bytes: () => toBinary(EngineListResponseSchema, create(EngineListResponseSchema, { engines: [engine] })),
});

const enginePaths = pathsOf(EngineSchema);

/** How engines look that were asked for by their tags. */
export const engineShape = (document: "one" | "array"): Shape => ({
  columns: engineColumns,
  wide: wideEngineColumns,
  known: enginePaths,
  protobuf: true,
  nameOf: (record) => `${textAt(record, "name")}@${textAt(record, "version")}`,
  document,
});

/** What is known of a list at its end. A total that is not known is left out of JSON. */
export interface ListEnd {
  readonly pagination: PaginatedResponse;
  readonly isTotalKnown: boolean;
}

/** How a list of engines looks; its pagination is known at the end. */
export const listShape = (end: () => ListEnd): Shape => ({
  ...engineShape("array"),
  document: {
    key: "engines",
    rest: () => {
      const { pagination, isTotalKnown } = end();
      const { total, ...rest } = encodeJson(PaginatedResponseSchema, pagination);
      return { pagination: isTotalKnown && total !== undefined ? { total, ...rest } : rest };
    },
    restBytes: () => {
      const { pagination } = end();
      return toBinary(EngineListResponseSchema, create(EngineListResponseSchema, { pagination }));
    },
  },
});

/** The record of a status. */
export const statusRecord = (message: EngineMessage): OutputRecord => ({
  json: encodeJson(EngineMessageSchema, message),
  bytes: () => toBinary(EngineMessageSchema, message),
});

/** How a status looks. */
export const statusShape = (document: "one" | "array"): Shape => ({
  columns: [
    { path: "engineTag", kind: "text" },
    { path: "engineStatus", kind: "status" },
    { path: "engineId", kind: "text", leastCells: 8 },
  ],
  known: pathsOf(EngineMessageSchema),
  protobuf: true,
  nameOf: (record) => textAt(record, "engineTag"),
  document,
});

/** What stands in the place of a secret. */
export const redactedText = "REDACTED";

/** Hides the credential of the container registry. The engine itself is changed: it was fetched to be shown. */
export const redact = (engine: Engine): Engine => {
  if (engine.platformConfig !== undefined && engine.platformConfig.token !== "") {
    engine.platformConfig.token = redactedText;
  }
  return engine;
};

/** The same in the text of a JSON body that is passed on as it came. */
export const redactJsonText = (text: string): string =>
  text.replaceAll(/("token"\s*:\s*)"(?:[^"\\]|\\.)+"/g, (_, key: string) => `${key}"${redactedText}"`);
