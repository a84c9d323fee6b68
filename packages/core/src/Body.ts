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
  const { type } = response;
  // Another origin's answer in a browser may be compressed without saying so here.
  const isPlain = type !== "cors" && !response.headers.has("content-encoding");
  // Reading in one go is cheaper. It is bounded where the length is known and no decompression can stretch it.
  // One that a custom `fetch` has made up has neither this type nor an address, and may announce what it likes.
  const isSent = type === "basic" || (response.url ?? "") !== "";
  if (isPlain && isSent && announced !== undefined && announced <= maxDecodedBodyBytes)
    // `bytes()` spares a copy where the runtime has it (Node 22, browsers since 2025).
    return response.bytes?.() ?? response.arrayBuffer().then((buffer) => new Uint8Array(buffer));
  return isPlain && maxBodyBytes < maxDecodedBodyBytes
    ? readStream(response, "maxBodyBytes", maxBodyBytes)
    : readStream(response, "maxDecodedBodyBytes", maxDecodedBodyBytes);
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
  response: FetchResponse,
  limit: keyof BodyLimits,
  maxBytes: number,
): Promise<Uint8Array<ArrayBuffer>> => {
  if (response.body === null) return new Uint8Array();
  const reader = response.body.getReader();
  // In one buffer that grows: bytes may come one by one.
  let bytes = new Uint8Array();
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const chunk = part.value ?? new Uint8Array();
    if (length + chunk.byteLength > maxBytes) {
      await reader.cancel();
      throw new LimitExceeded(limit, maxBytes);
    }
    if (length + chunk.byteLength > bytes.byteLength) {
      const larger = new Uint8Array(Math.max(2 * bytes.byteLength, length + chunk.byteLength));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(chunk, length);
    length += chunk.byteLength;
  }
  return bytes.slice(0, length);
};
