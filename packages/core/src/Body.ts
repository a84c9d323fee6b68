// Bounded reading of response bodies.
import { LimitExceeded } from "./ReadLimits.ts";
import { NoResponse, type FetchResponse, type ResponseHeaders } from "./Fetch.ts";
import { hasMethods, kindOf } from "./OptionNames.ts";

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
  response: FetchResponse,
  maxBytes: number,
  tooLong: () => LimitExceeded,
): Promise<Uint8Array<ArrayBuffer>> => {
  const { body } = response;
  if (body === null) return new Uint8Array();
  if (!hasMethods(body, "getReader"))
    throw new NoResponse(
      `fetch must resolve with a standard Response, whose body is a ReadableStream or null, not ${kindOf(body)}`,
    );
  const reader = body.getReader();
  // In one buffer that grows: bytes may come one by one, and a reader may use its own again.
  let bytes = new Uint8Array();
  let length = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    const chunk = part.value ?? new Uint8Array();
    if (length + chunk.byteLength > maxBytes) {
      await reader.cancel();
      throw tooLong();
    }
    if (length + chunk.byteLength > bytes.byteLength) {
      const larger = new Uint8Array(Math.max(2 * bytes.byteLength, length + chunk.byteLength));
      larger.set(bytes.subarray(0, length));
      bytes = larger;
    }
    bytes.set(chunk, length);
    length += chunk.byteLength;
  }
  return length === bytes.byteLength ? bytes : bytes.slice(0, length);
};
