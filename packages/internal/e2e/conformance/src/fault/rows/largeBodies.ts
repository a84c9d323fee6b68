// Rows: bodies over a limit, and valid or truncated compressed ones.
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from "node:zlib";
import { expect } from "vitest";
import { answer, engineBytes, headOf, labels, text } from "../Acts.ts";
import { data, once, twice, waitsMs, type FaultRow } from "../FaultRow.ts";
import type { Act, FaultServer } from "@bytenite-engines/test-kit";

const mebibyte = 2 ** 20;
/** Of a body after decompression. */
const defaultLimit = 64 * mebibyte;

const tooLarge = { ends: "TooLarge", says: /exceeds maxDecodedBodyBytes = 67108864/, ...once } as const;

const encoded = (coding: string, body: Uint8Array): Act =>
  answer({ headers: { ...labels("protobuf"), "Content-Encoding": coding }, body });

/** Zeros without end, or to the end of a GiB. */
const flood =
  (head: Buffer): Act =>
  (socket) => {
    const chunk = Buffer.alloc(mebibyte);
    let left = 1_024;
    socket.write(head);
    const pour = (): void => {
      while (left > 0 && !socket.destroyed) {
        left -= 1;
        if (!socket.write(chunk)) return void socket.once("drain", pour);
      }
      socket.end();
    };
    pour();
  };

/** Zeros that compress to nearly nothing, made when they are first needed. */
const bomb = (coding: string, compress: (bytes: Buffer) => Buffer, mebibytes: number, limit: number): FaultRow => {
  let body: Buffer | undefined;
  return {
    name: `a bomb of ${mebibytes} MiB in ${coding}, over a limit of ${limit / mebibyte} MiB`,
    act: (socket, arrived, count) => {
      body ??= compress(Buffer.alloc(mebibytes * mebibyte));
      encoded(coding, body)(socket, arrived, count);
    },
    options: { limits: { maxDecodedBodyBytes: limit } },
    expected: { ends: "TooLarge", says: new RegExp(`exceeds maxDecodedBodyBytes = ${limit}`), ...once },
  };
};

const fastBrotli = (bytes: Buffer): Buffer =>
  brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } });

const staysBelow = (bytes: number) => (server: FaultServer) => expect(server.sentBytes()).toBeLessThan(bytes);

export const largeBodies: ReadonlyArray<FaultRow> = [
  {
    name: "1 GiB, announced",
    act: flood(headOf({ headers: labels("protobuf"), contentLength: 1_024 * mebibyte })),
    expected: { ends: "TooLarge", says: /exceeds maxBodyBytes = 67108864/, ...once },
    afterwards: staysBelow(64 * mebibyte),
  },
  {
    name: "1 GiB, not announced",
    act: flood(headOf({ headers: labels("protobuf"), contentLength: null })),
    expected: tooLarge,
    afterwards: staysBelow(200 * mebibyte),
  },
  bomb("gzip", (bytes) => gzipSync(bytes, { level: 1 }), 80, defaultLimit),
  bomb("br", fastBrotli, 16, 8 * mebibyte),
  bomb("zstd", (bytes) => zstdCompressSync(bytes), 16, 8 * mebibyte),
  bomb("gzip, gzip", (bytes) => gzipSync(gzipSync(bytes)), 16, 8 * mebibyte),
  { name: "gzip", act: encoded("gzip", gzipSync(engineBytes("protobuf"))), expected: data },
  { name: "br", act: encoded("br", brotliCompressSync(engineBytes("protobuf"))), expected: data },
  { name: "zstd", act: encoded("zstd", zstdCompressSync(engineBytes("protobuf"))), expected: data },
  {
    name: "gzip cut short under its Content-Length",
    act: (socket) => {
      const body = gzipSync(engineBytes("protobuf"));
      const headers = { ...labels("protobuf"), "Content-Encoding": "gzip" };
      socket.end(Buffer.concat([headOf({ headers, body }), body.subarray(0, 30)]));
    },
    expected: { ends: "Undecodable", says: /the body broke off/, ...twice },
  },
  {
    name: "gzip cut short in chunks",
    act: (socket) => {
      const body = gzipSync(engineBytes("protobuf")).subarray(0, 30);
      const headers = { ...labels("protobuf"), "Content-Encoding": "gzip", "Transfer-Encoding": "chunked" };
      const head = headOf({ headers, contentLength: null });
      socket.end(Buffer.concat([head, Buffer.from("1e\r\n"), body, Buffer.from("\r\n")]));
    },
    expected: { ends: "Undecodable", says: /the body broke off/, ...twice },
  },
  {
    name: "a part of a gzip stream, sent as if it were whole, of JSON",
    act: answer({
      headers: { ...labels("json"), "Content-Encoding": "gzip" },
      body: gzipSync(engineBytes("json")).subarray(0, -40),
    }),
    expected: { ends: "Undecodable", says: /malformed JSON/, ...twice },
  },
  {
    name: "named gzip, and is none",
    act: encoded("gzip", engineBytes("protobuf")),
    expected: { ends: "Undecodable", says: /the body broke off/, ...twice },
  },
  {
    name: "100,000 nested JSON arrays",
    act: text(`{"unknown":${"[".repeat(100_000)}${"]".repeat(100_000)}}`),
    expected: { ends: "TooLarge", says: /exceeds maxJsonDepth = 64/, ...once },
  },
  {
    name: "1,000,000 nested protobuf groups",
    act: answer({ headers: labels("protobuf"), body: new Uint8Array(mebibyte).fill((14 << 3) | 3) }),
    // After a second undecodable protobuf body, JSON is requested.
    expected: { ends: "Undecodable", attempts: 3, waitedMs: waitsMs(1) },
  },
];
