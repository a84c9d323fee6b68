// Decides: where one document of a stream ends and the next begins.
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import type { EngineDocument } from "./EngineText.ts";
import { maxManifestCharacters } from "./Manifest.ts";

/** Documents that are worked on together, unless they are long, and characters after which they are enough. */
export const documentsPerChunk = 500;
const charactersPerChunk = 1_024 * 1_024;

/** One document per line; a first line that is not whole JSON means that all lines together are one document. */
export const chunksIn = async function* (input: Readable): AsyncGenerator<ReadonlyArray<EngineDocument>> {
  let chunk: Array<EngineDocument> = [];
  let number = 0;
  let whole: Array<string> | undefined;
  let length = 0;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number += 1;
    if (whole === undefined && line.trim() === "") continue;
    if (whole === undefined && number === 1 && !isJson(line)) whole = [];
    if (whole === undefined) {
      chunk.push({ text: line, source: `stdin line ${number}` });
      length += line.length;
      if (chunk.length < documentsPerChunk && length < charactersPerChunk) continue;
      yield chunk;
      chunk = [];
      length = 0;
    } else {
      length += line.length + 1;
      if (length > maxManifestCharacters) break;
      whole.push(line);
    }
  }
  if (whole !== undefined) chunk.push({ text: whole.join("\n"), source: "stdin" });
  if (chunk.length > 0) yield chunk;
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};
