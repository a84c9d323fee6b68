// Records and columns of engines.
import type { JsonObject } from "@bufbuild/protobuf";
import { toJson } from "@bytenite-engines/core/json";
import { closest } from "@bytenite-engines/core/wire";
import { UsageError } from "@bytenite-engines/registry/command";
import type { Engine, EngineListResponse, EngineMessage, PaginatedResponse } from "@bytenite-engines/proto";
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

/** Least cells of columns of `table` that may be cut. */
const leastCells: Readonly<Record<string, number>> = { name: 12, version: 7, type: 11, status: 10, description: 12 };

/** Columns of `table` that are left out on a narrow terminal, the last ones first. */
const leftOut = [
  "status",
  "type",
  "updatedAt",
  "description",
  "deviceRequirements.minCpu",
  "deviceRequirements.minMemory",
];

const column = (path: string): Column => ({ path, kind: kinds[path] ?? "text" });

const tableColumn = (path: string): Column => ({
  path,
  kind: kinds[path] ?? "text",
  ...(leastCells[path] === undefined ? {} : { leastCells: leastCells[path] }),
  ...(leftOut.includes(path) ? { rank: leftOut.indexOf(path) } : {}),
});

/** The columns of `table`. */
export const engineColumns: ReadonlyArray<Column> = [
  "name",
  "version",
  "type",
  "status",
  "deviceRequirements.minCpu",
  "deviceRequirements.minMemory",
  "updatedAt",
  "description",
].map(tableColumn);

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
  ].map(column),
];

/** All paths of an engine and of a status, in the order of the contract. Written out to avoid loading the descriptors. */
export const enginePaths: ReadonlyArray<string> = (
  "id name version owner type status description hash link entrypoint revision createdAt updatedAt deletedAt platform " +
  "platformConfig platformConfig.container platformConfig.privateImage platformConfig.username platformConfig.token " +
  "platformConfig.secrets deviceRequirements deviceRequirements.minCpu deviceRequirements.minMemory " +
  "deviceRequirements.gpu isPublic userName"
).split(" ");
export const statusPaths: ReadonlyArray<string> = "engineId engineTag engineData engineLink engineStatus".split(" ");

/** The columns of --columns. Throws UsageError for one that is not in `known`. */
export const askedColumns = (names: ReadonlyArray<string>, known: ReadonlyArray<string>): ReadonlyArray<Column> =>
  names.map((name) => {
    // The last name of a path is enough if it is unique.
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
  return { json: toJson(shown), message: shown };
};

const pageOf = (engines: Array<Engine>, pagination?: PaginatedResponse): EngineListResponse => ({
  $typeName: "bytenite.developer.EngineListResponse",
  engines,
  ...(pagination === undefined ? {} : { pagination }),
});

/** The record of an engine in a list. Its message is a list of one: concatenated, they are the whole list. */
export const listedRecord = (engine: Engine, showSecrets: boolean): OutputRecord => ({
  ...engineRecord(engine, showSecrets),
  message: pageOf([engine]),
});

/** Shape of engines by tag. */
export const engineShape = (document: "one" | "array"): Shape => ({
  columns: engineColumns,
  wide: wideEngineColumns,
  known: enginePaths,
  protobuf: true,
  nameOf: (record) => `${textAt(record, "name")}@${textAt(record, "version")}`,
  document,
});

/** Pagination at the end of a list. JSON omits an unknown total. */
export interface ListEnd {
  readonly pagination: PaginatedResponse;
  readonly isTotalKnown: boolean;
}

/** Shape of a list of engines; its pagination is known at the end. */
export const listShape = (end: () => ListEnd): Shape => ({
  ...engineShape("array"),
  document: {
    key: "engines",
    rest: () => {
      const { pagination, isTotalKnown } = end();
      const { total, ...rest } = toJson(pageOf([], pagination))["pagination"] as JsonObject;
      return { pagination: isTotalKnown && total !== undefined ? { total, ...rest } : rest };
    },
    restMessage: () => pageOf([], end().pagination),
  },
});

/** The record of a status. */
export const statusRecord = (message: EngineMessage): OutputRecord => ({ json: toJson(message), message });

/** The status of a deleted engine. */
export const deletedStatus = (engineTag: string): EngineMessage => ({
  $typeName: "bytenite.developer.EngineMessage",
  engineId: "",
  engineTag,
  engineData: new Uint8Array(),
  engineLink: "",
  engineStatus: "deleted",
});

/** Shape of a status. */
export const statusShape = (document: "one" | "array"): Shape => ({
  columns: [
    { path: "engineTag", kind: "text" },
    { path: "engineStatus", kind: "status" },
    { path: "engineId", kind: "text", leastCells: 8 },
  ],
  known: statusPaths,
  protobuf: true,
  nameOf: (record) => textAt(record, "engineTag"),
  document,
});

/** Replacement of a secret. */
export const redactedText = "REDACTED";

/** Hides the credential of the container registry, in the engine itself. */
export const redact = (engine: Engine): Engine => {
  if (engine.platformConfig !== undefined && engine.platformConfig.token !== "") {
    engine.platformConfig.token = redactedText;
  }
  return engine;
};

/** The same in the text of an otherwise unchanged JSON body. */
export const redactJsonText = (text: string): string =>
  text.replaceAll(/("token"\s*:\s*)"(?:[^"\\]|\\.)+"/g, (_, key: string) => `${key}"${redactedText}"`);
