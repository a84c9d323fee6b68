// Decides: what a writer must know about the records of a command.
import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import type { Column } from "./Column.ts";

/** A record: its JSON by the API's names, and its protobuf bytes where the API has a message for it. */
export interface OutputRecord {
  readonly json: JsonObject;
  readonly bytes?: () => Uint8Array;
}

/** How the records of a command look. */
export interface Shape {
  /** Columns of `table`. */
  readonly columns: ReadonlyArray<Column>;
  /** Columns of `wide` and `csv`; absent: the same. */
  readonly wide?: ReadonlyArray<Column>;
  /** Paths that --columns may name. */
  readonly known: ReadonlyArray<string>;
  /** Whether records have protobuf bytes, because the API has a message for them. */
  readonly protobuf?: true | undefined;
  /** What `--output name` prints. */
  readonly nameOf: (record: JsonObject) => string;
  /**
   * How records make a document: `one` is the record itself, `array` an array of them, an envelope an object with the
   * array as its first key and others behind it, known when all records are written.
   */
  readonly document: "one" | "array" | Envelope;
}

/** An object around an array of records. */
export interface Envelope {
  readonly key: string;
  readonly rest: () => Readonly<Record<string, JsonValue>>;
  /** The same rest as protobuf bytes. */
  readonly restBytes?: () => Uint8Array;
}

/** Writes records as they come. A writer is used for one document. */
export interface RecordWriter {
  readonly write: (records: ReadonlyArray<OutputRecord>) => Promise<void>;
  /** Completes the document. Not called when something failed on the way. */
  readonly end: () => Promise<void>;
}

/** Where a writer's text and bytes go. */
export type Write = (chunk: string | Uint8Array) => Promise<void>;
