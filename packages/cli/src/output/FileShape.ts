// Records and columns of an engine's files.
import type { JsonObject } from "@bufbuild/protobuf";
import { textAt, type OutputRecord, type Shape } from "./Shape.ts";
import type { EngineFile } from "../engine/EngineFolder.ts";

/** The record of a file. */
export const fileRecord = ({ path, bytes, isExecutable }: EngineFile): OutputRecord => ({
  json: { path, bytes, executable: isExecutable },
});

/** Shape of files, in an object with more keys, known at the end. */
export const filesShape = (rest: () => JsonObject): Shape => ({
  columns: [
    { path: "path", kind: "text", leastCells: 20 },
    { path: "bytes", kind: "number" },
  ],
  wide: [
    { path: "path", kind: "text" },
    { path: "bytes", kind: "number" },
    { path: "executable", kind: "text" },
  ],
  known: ["path", "bytes", "executable"],
  nameOf: (record) => textAt(record, "path"),
  document: { key: "files", rest },
});
