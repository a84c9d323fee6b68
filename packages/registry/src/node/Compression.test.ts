import { createHash } from "node:crypto";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { nodeWeb } from "./Compression.ts";

const { digest, compress } = nodeWeb;

const text = Array.from({ length: 500 }, (_, index) => `{"name":"engine-${index * 7919}","öwner":"carol"}`).join(",");

test("a digest is 132 bits of SHA-256, and computed once for bytes", async () => {
  const expected = createHash("sha256").update(text).digest("base64url").slice(0, 22);
  expect(await digest(text)).toBe(expected);
  const bytes = Buffer.from(text);
  expect(await digest(bytes)).toBe(expected);
  bytes.fill(0);
  expect(await digest(bytes)).toBe(expected);
  expect(await digest(Buffer.alloc(bytes.length))).not.toBe(expected);
});

test("text and bytes are compressed with speed before size", async () => {
  const gzipped = gzipSync(text, { level: 5 });
  const params = { [constants.BROTLI_PARAM_QUALITY]: 4, [constants.BROTLI_PARAM_SIZE_HINT]: text.length };
  for (const body of [text, Buffer.from(text)]) {
    expect(gzipped.equals(Buffer.from((await compress?.(body, "gzip")) ?? []))).toBe(true);
  }
  const brotli = Buffer.from((await compress?.(text, "br")) ?? []);
  expect(brotliCompressSync(text, { params }).equals(brotli)).toBe(true);
});
