// Decides: what engine a text is: a manifest, or an engine as an export or the API wrote it.
import { isUtf8 } from "node:buffer";
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { EngineSchema, type Engine } from "@bytenite-engines/proto";
import { UnacceptableEngineError } from "../api/EngineRow.ts";
import { ManifestError, parseManifest } from "./Manifest.ts";

/** A text, and where it is from, to name it by. */
export interface EngineDocument {
  readonly text: string;
  readonly source: string;
  /** Why there is no text. */
  readonly problem?: string | undefined;
}

/** The text in bytes. What is not UTF-8 is told, not mended: nobody would notice that a letter is another one. */
export const documentOf = (bytes: Buffer, source: string): EngineDocument => {
  if (isUtf8(bytes)) return { text: bytes.toString("utf8"), source };
  return { text: "", source, problem: `${source}:${placeOfBadByte(bytes)}: is not UTF-8` };
};

const placeOfBadByte = (bytes: Buffer): string => {
  let line = 1;
  let start = 0;
  let end = bytes.indexOf("\n");
  while (end !== -1 && isUtf8(bytes.subarray(start, end))) {
    line += 1;
    start = end + 1;
    end = bytes.indexOf("\n", start);
  }
  const text = bytes.toString("utf8", start, end === -1 ? bytes.length : end);
  let at = start;
  let column = 1;
  for (const character of text) {
    const length = Buffer.byteLength(character);
    if (!bytes.subarray(at, at + length).equals(Buffer.from(character))) break;
    at += length;
    column += character.length;
  }
  return `${line}:${column}`;
};

/** What is changed of every engine of an import. */
export interface EngineChanges {
  readonly activate?: boolean | undefined;
  readonly makePublic?: boolean | undefined;
  /** Base64 SHA-256 of its archive. */
  readonly hash?: string | undefined;
}

/** The engine. Throws ManifestError or UnacceptableEngineError. */
export const engineIn = ({ text, source, problem }: EngineDocument, changes: EngineChanges): Engine => {
  if (problem !== undefined) throw new ManifestError([problem]);
  const engine = exportedIn(text) ?? create(EngineSchema, parseManifest(text, source));
  if (changes.activate === true) engine.status = "active";
  if (changes.makePublic === true) engine.isPublic = true;
  if (changes.hash !== undefined) engine.hash = changes.hash;
  return engine;
};

/** The engine of a line that an export, or the API, wrote: it has an id, which a manifest has not. */
const exportedIn = (text: string): Engine | undefined => {
  if (!text.includes('"userName"')) return undefined;
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof parsed !== "object" || parsed === null || !("userName" in parsed) || !("id" in parsed)) return undefined;
  try {
    // Strict: what an export has written is read as it is, or not at all.
    return fromJson(EngineSchema, parsed as JsonValue);
  } catch (error) {
    throw new UnacceptableEngineError((error as Error).message);
  }
};
