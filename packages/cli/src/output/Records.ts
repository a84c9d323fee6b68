// Decides: what records are made of the API's messages, and how they look.
import { textAt } from "./Column.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { encodeJson } from "@bytenite-engines/core/wire";
import {
  EngineListResponseSchema,
  EngineMessageSchema,
  EngineSchema,
  type Engine,
  type EngineMessage,
  type PaginatedResponse,
  PaginatedResponseSchema,
} from "@bytenite-engines/proto";
import { redact } from "../Redaction.ts";
import { engineColumns, pathsOf, wideEngineColumns } from "./EngineShape.ts";
import type { OutputRecord, Shape } from "./Shape.ts";

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

/** How a list of engines looks; its pagination is known at the end. */
export const listShape = (pagination: () => PaginatedResponse): Shape => ({
  ...engineShape("array"),
  document: {
    key: "engines",
    rest: () => ({ pagination: encodeJson(PaginatedResponseSchema, pagination()) }),
    restBytes: () => toBinary(EngineListResponseSchema, create(EngineListResponseSchema, { pagination: pagination() })),
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
