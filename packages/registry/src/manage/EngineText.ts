// Engine from a text: a manifest or an exported engine.
import { isUtf8 } from "node:buffer";
import { create, fromJson, ScalarType, type JsonValue } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { EngineSchema, type Engine } from "@bytenite-engines/proto";
import { UnacceptableEngineError } from "../api/EngineRow.ts";
import { isText, maxItems, maxTextCharacters } from "./JsonMembers.ts";
import { isHash, ManifestError, maxManifestCharacters, parseManifest } from "./Manifest.ts";

/** A text and its source, for messages. */
export interface EngineDocument {
  readonly text: string;
  readonly source: string;
  /** Why there is no text. */
  readonly problem?: string | undefined;
}

/** The text of UTF-8 bytes. Invalid UTF-8 is an error: a replaced letter would go unnoticed. */
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

/** Changes to every engine of an import. */
export interface EngineChanges {
  readonly activate?: boolean | undefined;
  readonly makePublic?: boolean | undefined;
  /** Base64 SHA-256 of its archive. */
  readonly hash?: string | undefined;
}

/** The engine. Throws ManifestError or UnacceptableEngineError. */
export const engineIn = ({ text, source, problem }: EngineDocument, changes: EngineChanges): Engine => {
  if (problem !== undefined) throw new ManifestError([problem]);
  const engine = exportedIn(text, source) ?? create(EngineSchema, parseManifest(text, source));
  if (changes.activate === true) engine.status = "active";
  if (changes.makePublic === true) engine.isPublic = true;
  if (changes.hash !== undefined) engine.hash = changes.hash;
  return engine;
};

/** Longest exported engine, in characters: a manifest's and the fields that an export adds. */
const maxExportedCharacters = maxManifestCharacters + 16 * 1_024;

/** Largest accepted revision; later ones must still fit. */
const maxRevision = 1_000_000_000;

/** The engine of a line that an export, or the API, wrote: it has an id, which a manifest has not. */
const exportedIn = (text: string, source: string): Engine | undefined => {
  if (!text.includes('"userName"')) return undefined;
  if (text.length > maxExportedCharacters) {
    throw new ManifestError([`${source}: is longer than ${maxExportedCharacters} characters`]);
  }
  let parsed: JsonValue;
  try {
    parsed = JSON.parse(text) as JsonValue;
  } catch {
    return undefined;
  }
  if (!(parsed instanceof Object) || !("userName" in parsed) || !("id" in parsed)) return undefined;
  let engine: Engine;
  try {
    // Strict: an exported engine is read unchanged or rejected.
    engine = fromJson(EngineSchema, parsed);
  } catch (error) {
    throw new UnacceptableEngineError((error as Error).message);
  }
  const problems = problemsIn(engine);
  if (problems.length > 0) throw new ManifestError(problems.map((problem) => `${source}: ${problem}`));
  return engine;
};

/** Checks of a manifest, and of the fields that only an exported engine has. */
const problemsIn = (engine: Engine): ReadonlyArray<string> => {
  const problems = valueProblems(reflect(EngineSchema, engine), "");
  if (engine.id !== "" && !/^[A-Za-z0-9_-]{1,64}$/.test(engine.id)) {
    problems.push("id must be 1 to 64 letters, digits, - or _");
  }
  if (engine.hash !== "" && !isHash(engine.hash)) problems.push("hash must be the base64 of a SHA-256");
  if (engine.revision < 0 || engine.revision > maxRevision) {
    problems.push(`revision must be a number from 0 to ${maxRevision}`);
  }
  return problems;
};

const floats: ReadonlySet<ScalarType> = new Set([ScalarType.FLOAT, ScalarType.DOUBLE]);

/** Texts, lists and amounts that are too long or too large, at any depth. */
const valueProblems = (message: ReflectMessage, at: string): Array<string> => {
  const problems: Array<string> = [];
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    const name = `${at}${field.jsonName}`;
    if (field.fieldKind === "message") problems.push(...valueProblems(message.get(field), `${name}.`));
    else if (field.fieldKind === "list") {
      const list = message.get(field);
      if (list.size > maxItems || ![...list].every(isText)) {
        problems.push(`${name} must be a list of at most ${maxItems} texts of at most ${maxTextCharacters} characters`);
      }
    } else if (field.fieldKind === "scalar" && field.scalar === ScalarType.STRING) {
      if (!isText(message.get(field)))
        problems.push(`${name} must be a text of at most ${maxTextCharacters} characters`);
    } else if (field.fieldKind === "scalar" && floats.has(field.scalar)) {
      const value = Number(message.get(field));
      if (!(value >= 0 && Number.isFinite(Math.fround(value)))) problems.push(`${name} must be a number from 0 on`);
    }
  }
  return problems;
};
