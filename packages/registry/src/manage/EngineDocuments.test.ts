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
