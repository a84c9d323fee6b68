// Decides: what engine a text is: a manifest, or an engine as an export or the API wrote it.
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { EngineSchema, type Engine } from "@bytenite-engines/proto";
import { UnacceptableEngineError } from "../api/EngineRow.ts";
import { parseManifest } from "./Manifest.ts";

/** A text, and where it is from, to name it by. */
export interface EngineDocument {
  readonly text: string;
  readonly source: string;
}

/** What is changed of every engine of an import. */
export interface EngineChanges {
  readonly activate?: boolean | undefined;
  readonly makePublic?: boolean | undefined;
  /** Base64 SHA-256 of its archive. */
  readonly hash?: string | undefined;
}

/** The engine. Throws ManifestError or UnacceptableEngineError. */
export const engineIn = ({ text, source }: EngineDocument, changes: EngineChanges): Engine => {
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
