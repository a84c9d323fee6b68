// Digests and content codings by Node's own crypto and zlib.
import { hash } from "node:crypto";
import { promisify } from "node:util";
import { brotliCompress, constants, gzip } from "node:zlib";
import type { Body } from "../api/EngineBody.ts";
import type { WebOptions } from "../api/Web.ts";

/** Characters of a SHA-256 in base64url that an ETag holds: 132 bits. */
const tagCharacters = 22;

/** Speed before size: an answer is compressed for one client. */
const brotliQuality = 4;
const gzipLevel = 5;

const toBrotli = promisify(brotliCompress);
const toGzip = promisify(gzip);

/** Digests of bodies that are sent repeatedly: cached rows, and lists made of them. */
const digests = new WeakMap<Uint8Array, string>();

const digestOf = (body: Body): string => hash("sha256", body, "base64url").slice(0, tagCharacters);

/** Node's implementation of the functions that `makeWeb` needs. Compression runs on Node's threads. */
export const nodeWeb: Pick<WebOptions, "digest" | "compress"> = {
  digest: (body) => {
    if (typeof body === "string") return digestOf(body);
    const known = digests.get(body);
    if (known !== undefined) return known;
    const digest = digestOf(body);
    digests.set(body, digest);
    return digest;
  },
  compress: (body, coding) =>
    coding === "gzip"
      ? toGzip(body, { level: gzipLevel })
      : toBrotli(body, {
          params: {
            [constants.BROTLI_PARAM_QUALITY]: brotliQuality,
            [constants.BROTLI_PARAM_SIZE_HINT]: body.length,
          },
        }),
};
