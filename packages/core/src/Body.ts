// Bounded reading of response bodies.
import { LimitExceeded } from "./ReadLimits.ts";
import type { FetchResponse, ResponseHeaders } from "./Fetch.ts";

/** Bounds of one body, in bytes. */
export interface BodyLimits {
  /** Length as sent: by Content-Length, or as it arrives where nothing is compressed. Default 64 MiB. */
  readonly maxBodyBytes: number;
  /** Length after decompression. Default 64 MiB. */
  readonly maxDecodedBodyBytes: number;
}

export const defaultBodyLimits: BodyLimits = { maxBodyBytes: 64 * 1024 * 1024, maxDecodedBodyBytes: 64 * 1024 * 1024 };

/** The whole body. Rejects with LimitExceeded as soon as a limit is passed, and with the error of the stream when it breaks. */
export const readBody = (response: FetchResponse, limits: BodyLimits): Promise<Uint8Array<ArrayBuffer>> => {
  const { maxBodyBytes, maxDecodedBodyBytes } = limits;
  const announced = announcedLength(response.headers);
  if (announced !== undefined && announced > maxBodyBytes) return refused(response, "maxBodyBytes", maxBodyBytes);
  // Another origin's answer in a browser may be compressed without saying so here.
  const isPlain = response.type !== "cors" && !response.headers.has("content-encoding");
  const limit = isPlain && maxBodyBytes < maxDecodedBodyBytes ? "maxBodyBytes" : "maxDecodedBodyBytes";
  const tooLong = (): LimitExceeded => new LimitExceeded(limit, limits[limit]);
  return response.bytesWithin?.(limits[limit], tooLong) ?? readStream(response, limits[limit], tooLong);
};

const refused = async (response: FetchResponse, limit: keyof BodyLimits, maxBytes: number): Promise<never> => {
  await response.body?.cancel();
  throw new LimitExceeded(limit, maxBytes);
};

/** The Content-Length, where it is a length. */
export const announcedLength = (headers: ResponseHeaders): number | undefined => {
  const length = Number(headers.get("content-length") || Number.NaN);
  return Number.isInteger(length) && length >= 0 ? length : undefined;
};

const readStream = async (
  { body }: FetchResponse,
  maxBytes: number,
  tooLong: () => LimitExceeded,
): Promise<Uint8Array<ArrayBuffer>> => {
  if (body === null) return new Uint8Array();
  const reader = body.getReader();
  const bytes = new GrowingBytes(maxBytes);
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    if (bytes.add(part.value ?? new Uint8Array())) continue;
    await reader.cancel();
    throw tooLong();
  }
  return bytes.whole();
};

/** Copies of chunks in one buffer: they may be short and many, and what they are in may be used again. */
export class GrowingBytes {
  readonly #maxBytes: number;
  #bytes = new Uint8Array();
  #length = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** False: it would be too many bytes. */
  add(chunk: Uint8Array): boolean {
    const length = this.#length + chunk.byteLength;
    if (length > this.#maxBytes) return false;
    if (length > this.#bytes.byteLength) {
      const larger = new Uint8Array(Math.max(2 * this.#bytes.byteLength, length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = length;
    return true;
  }

  whole(): Uint8Array<ArrayBuffer> {
    return this.#length === this.#bytes.byteLength ? this.#bytes : this.#bytes.slice(0, this.#length);
  }
}
