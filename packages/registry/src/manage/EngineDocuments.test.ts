import { Readable } from "node:stream";
import { array, assert, asyncProperty, integer } from "fast-check";
import { expect, test } from "vitest";
import { chunksIn, documentsPerChunk } from "./EngineDocuments.ts";

const megabyte = 1_024 * 1_024;

const all = async <A>(chunks: AsyncIterable<A>): Promise<ReadonlyArray<A>> => {
  const found: Array<A> = [];
  for await (const chunk of chunks) found.push(chunk);
  return found;
};

test("lines come in their order, together while they are few and short, so that memory does not grow with them", async () => {
  await assert(
    asyncProperty(array(integer({ min: 2, max: megabyte }), { minLength: 1, maxLength: 12 }), async (lengths) => {
      const lines = lengths.map((length) => `"${"x".repeat(length - 2)}"`);
      const chunks = await all(chunksIn(Readable.from(`${lines.join("\n")}\n`)));
      expect(chunks.flat().map(({ text }) => text)).toEqual(lines);
      for (const chunk of chunks) {
        const beforeLast = chunk.slice(0, -1).reduce((length, { text }) => length + text.length, 0);
        expect(beforeLast).toBeLessThan(megabyte);
      }
    }),
    { numRuns: 20 },
  );
  const short = await all(chunksIn(Readable.from("1\n".repeat(documentsPerChunk * 2 + 1))));
  expect(short.map(({ length }) => length)).toEqual([documentsPerChunk, documentsPerChunk, 1]);
});

const textsIn = async (...pieces: ReadonlyArray<string | Buffer>): Promise<ReadonlyArray<string>> =>
  (await all(chunksIn(Readable.from(pieces))))
    .flat()
    .map(({ text, source, problem }) => problem ?? `${source}: ${text}`);

test("a line ends with a line feed alone: the other separators of Unicode may stand in JSON", async () => {
  const texts = ["a\u2028b", "a\u2029b", "a\u0085b", "é😀"].map((text) => JSON.stringify(text));
  const bytes = Buffer.from(texts.join("\n"));
  const expected = texts.map((text, index) => `stdin line ${index + 1}: ${text}`);
  // One byte at a time: no piece holds a whole letter.
  expect(await textsIn(...Array.from(bytes, (byte) => Buffer.of(byte)))).toEqual(expected);
  expect(await textsIn(bytes)).toEqual(expected);
});

test("a byte order mark and empty lines may come before either kind of stream", async () => {
  expect(await textsIn('\u{FEFF}{"a":1}\r\n\n{"a":2}\n')).toEqual(['stdin line 1: {"a":1}\r', 'stdin line 3: {"a":2}']);
  expect(await textsIn('\n\n{\n"a":1}')).toEqual(['stdin: \n\n{\n"a":1}\n']);
});

test("what is not UTF-8 is named by its place, and nothing of it is read", async () => {
  const bad = Buffer.from([0x22, 0xe9, 0x22]);
  const feed = Buffer.from("\n");
  expect(await textsIn("1\n", bad, feed, "2\n")).toEqual([
    "stdin line 1: 1",
    "stdin line 2:1:2: is not UTF-8",
    "stdin line 3: 2",
  ]);
  expect(await textsIn('{\n"é\u{FFFD}', bad, feed)).toEqual(["stdin:2:5: is not UTF-8"]);
});

const gigabyteBetween = function* (): Generator<Buffer> {
  yield Buffer.from("1\n");
  for (let count = 0; count < 1_024; count++) yield Buffer.alloc(megabyte, "x");
  yield Buffer.from("\n2\n");
};

test("a line without end is reported as too long, and is not stored", async () => {
  const chunks = await all(chunksIn(Readable.from(gigabyteBetween())));
  expect(chunks.flat().map(({ text, problem }) => problem ?? text)).toEqual([
    "1",
    "stdin line 2: is longer than 16777216 bytes",
    "2",
  ]);
});
