// Decides: how much of an answer's body is read.

/** Bounds of one body, in bytes. */
export interface BodyLimits {
  /** Length as sent, by Content-Length. Default 64 MiB. */
  readonly maxBodyBytes: number;
  /** Length after decompression. Default 64 MiB. */
  readonly maxDecodedBodyBytes: number;
}

export const defaultBodyLimits: BodyLimits = { maxBodyBytes: 64 * 1024 * 1024, maxDecodedBodyBytes: 64 * 1024 * 1024 };

/** A body that exceeds a limit; it was not read further. */
export class TooLargeBody extends Error {
  readonly limit: keyof BodyLimits;
  readonly value: number;
  constructor(limit: keyof BodyLimits, value: number) {
    super(`the body exceeds ${limit} = ${value}`);
    this.limit = limit;
    this.value = value;
  }
}

/** The whole body. Rejects with TooLargeBody as soon as a limit is passed, and with the error of the stream when it breaks. */
export const readBody = async (response: Response, limits: BodyLimits): Promise<Uint8Array<ArrayBuffer>> => {
  const announced = announcedLength(response);
  if (announced !== undefined && announced > limits.maxBodyBytes) {
    await response.body?.cancel();
    throw new TooLargeBody("maxBodyBytes", limits.maxBodyBytes);
  }
  // Reading in one go is cheaper. It is bounded where the length is known and no decompression can stretch it; another
  // origin's answer in a browser may be compressed without saying so here.
  if (announced !== undefined && !response.headers.has("content-encoding") && response.type !== "cors") {
    // `bytes()` spares a copy where the runtime has it (Node 22, browsers since 2025).
    const bytes =
      typeof response.bytes === "function" ? await response.bytes() : new Uint8Array(await response.arrayBuffer());
    if (bytes.byteLength > limits.maxDecodedBodyBytes)
      throw new TooLargeBody("maxDecodedBodyBytes", limits.maxDecodedBodyBytes);
    return bytes;
  }
  return readStream(response, limits.maxDecodedBodyBytes);
};

const announcedLength = (response: Response): number | undefined => {
  const header = response.headers.get("content-length");
  const length = header === null || header === "" ? Number.NaN : Number(header);
  return Number.isInteger(length) && length >= 0 ? length : undefined;
};

const readStream = async (response: Response, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> => {
  if (response.body === null) return new Uint8Array();
  const reader = response.body.getReader();
  const chunks: Array<Uint8Array> = [];
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    length += part.value.byteLength;
    if (length > maxBytes) {
      await reader.cancel();
      throw new TooLargeBody("maxDecodedBodyBytes", maxBytes);
    }
    chunks.push(part.value);
  }
  const whole = new Uint8Array(length);
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
};
