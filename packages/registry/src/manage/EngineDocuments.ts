// Boundaries of documents in a stream.
import type { Readable } from "node:stream";
import { documentOf, type EngineDocument } from "./EngineText.ts";
import { maxManifestBytes } from "./Manifest.ts";

/** Documents of a chunk, and characters after which a chunk is full. */
const documentsPerChunk = 500;
const charactersPerChunk = 1_024 * 1_024;

/** Longest line, in bytes, so that memory does not grow with the stream. */
const maxLineBytes = 16 * 1_024 * 1_024;

const lineFeed = 0x0a;
const byteOrderMark = Buffer.from("\u{FEFF}");

/** One document per line; a first line that is not whole JSON means that all lines together are one document. */
export const chunksIn = async function* (input: Readable): AsyncGenerator<ReadonlyArray<EngineDocument>> {
  let chunk: Array<EngineDocument> = [];
  let number = 0;
  let isFirst = true;
  let whole: Array<Buffer> | undefined;
  let length = 0;
  for await (const line of linesIn(input)) {
    number += 1;
    if (whole === undefined) {
      const document = lineOf(line, `stdin line ${number}`);
      if (document.problem === undefined && document.text.trim() === "") continue;
      if (isFirst && !isJson(document.text)) whole = [];
      isFirst = false;
      if (whole === undefined) {
        chunk.push(document);
        length += document.text.length;
        if (chunk.length < documentsPerChunk && length < charactersPerChunk) continue;
        yield chunk;
        chunk = [];
        length = 0;
        continue;
      }
      // Lines of a document are counted from the first one of the stream, empty or not.
      length += number - 1;
      whole.push(Buffer.alloc(Math.min(number - 1, maxManifestBytes), lineFeed));
    }
    whole.push(line, Buffer.of(lineFeed));
    length += line.length + 1;
    if (length > maxManifestBytes) break;
  }
  if (whole !== undefined) chunk.push(documentOf(Buffer.concat(whole), "stdin"));
  if (chunk.length > 0) yield chunk;
};

const lineOf = (line: Buffer, source: string): EngineDocument =>
  line.length > maxLineBytes
    ? { text: "", source, problem: `${source}: is longer than ${maxLineBytes} bytes` }
    : documentOf(line, source);

/** Lines end with a line feed and nothing else: JSON may hold the other line separators of Unicode as they are. */
const linesIn = async function* (input: Readable): AsyncGenerator<Buffer> {
  let parts: Array<Buffer> = [];
  let length = 0;
  let isFirst = true;
  const line = (last: Buffer): Buffer => {
    const whole = parts.length === 0 ? last : Buffer.concat([...parts, last]);
    parts = [];
    length = 0;
    const marked = isFirst && whole.subarray(0, byteOrderMark.length).equals(byteOrderMark);
    isFirst = false;
    return marked ? whole.subarray(byteOrderMark.length) : whole;
  };
  for await (const piece of input as AsyncIterable<Buffer | string>) {
    const bytes = typeof piece === "string" ? Buffer.from(piece) : piece;
    let from = 0;
    for (let end = bytes.indexOf(lineFeed); end !== -1; end = bytes.indexOf(lineFeed, from)) {
      yield line(bytes.subarray(from, end));
      from = end + 1;
    }
    // The rest of a line that is too long is dropped.
    if (length > maxLineBytes) continue;
    parts.push(bytes.subarray(from));
    length += bytes.length - from;
  }
  if (length > 0) yield line(Buffer.alloc(0));
};

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};
