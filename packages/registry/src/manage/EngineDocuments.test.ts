import { Readable } from "node:stream";
import { array, assert, asyncProperty, integer } from "fast-check";
import { expect, test } from "vitest";
import { chunksIn } from "./EngineDocuments.ts";

const megabyte = 1_024 * 1_024;

/** Four for each character. */
const maxManifestBytes = 4 * megabyte;

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
  const short = await all(chunksIn(Readable.from("1\n".repeat(1_001))));
  expect(short.map(({ length }) => length)).toEqual([500, 500, 1]);
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
  // With a line feed at the end or without one.
  for (const end of ["", "\n"]) expect(await textsIn(`\n\n{\n"a":1}${end}`)).toEqual(['stdin: \n\n{\n"a":1}\n']);
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

test("a byte order mark stands at the start of a stream alone, and a stream may end without a line feed, or be empty", async () => {
  expect(await textsIn("1\n\u{FEFF}2\n3")).toEqual(["stdin line 1: 1", "stdin line 2: \u{FEFF}2", "stdin line 3: 3"]);
  expect(await all(chunksIn(Readable.from([])))).toEqual([]);
  expect(await all(chunksIn(Readable.from(["\n\n"])))).toEqual([]);
});

const text = (length: number): string => `"${"x".repeat(length - 2)}"`;

/** How many lines of these lengths come together. */
const sizes = async (...lengths: ReadonlyArray<number>): Promise<ReadonlyArray<number>> =>
  (await all(chunksIn(Readable.from(lengths.map((length) => `${text(length)}\n`))))).map(({ length }) => length);

test("a chunk is full at a megabyte, no sooner and no later", async () => {
  const half = megabyte / 2;
  expect(await sizes(half, half, 2, half, half, 2)).toEqual([2, 3, 1]);
  expect(await sizes(half, half - 1, 2, half, half - 1, 2)).toEqual([3, 3]);
});

test("a line has at most 16 MiB, in however many pieces it comes", async () => {
  // The first line says that each is a document.
  const [line, most] = [text(16 * megabyte), `stdin line 2: ${text(16 * megabyte)}`];
  const tooLong = "stdin line 2: is longer than 16777216 bytes";
  for (const [pieces, first] of [
    [[line, "\n2\n"], most],
    [[line.slice(0, 10), line.slice(10), "\n", "2"], most],
    [[line, "x\n2\n"], tooLong],
    [[line.slice(0, -1), "xx", "\n2\n"], tooLong],
    [[`${line}x\n2\n`], tooLong],
  ] as const) {
    const [, found, ...others] = await textsIn("1\n", ...pieces);
    expect([found === first, others]).toEqual([true, ["stdin line 3: 2"]]);
  }
  // Bytes of the line before do not count.
  expect((await textsIn(`1\n${line.slice(0, -1)}`, line.slice(-1), "\n"))[1] === most).toBe(true);
});

/** A document of so many bytes with the line feed behind it. */
const document = (bytes: number, before: string): string => `${before}{\n${" ".repeat(bytes - before.length - 4)}}`;

test("a document of many lines is as long as a manifest may be, with the empty lines before it", async () => {
  for (const before of ["", "\n", "\n\n\n"]) {
    const [longest, longer] = [document(maxManifestBytes, before), document(maxManifestBytes + 1, before)];
    expect((await textsIn(longest, "\n1\n"))[0]).toHaveLength(`stdin: ${longest}\n1\n`.length);
    // Read no further: it is refused anyway.
    expect((await textsIn(longer, "\n1\n"))[0]).toHaveLength(`stdin: ${longer}\n`.length);
  }
});

test("a document behind more empty lines than a manifest may have is not taken for its first line", async () => {
  const [text = ""] = await textsIn("\n".repeat(maxManifestBytes + 1), "{\n}\n");
  expect(text.length).toBeGreaterThan(maxManifestBytes);
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
