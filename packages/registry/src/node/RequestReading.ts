// Request of Node for the routes: target, fields, body, address.
import { isIP } from "node:net";
import type { IncomingMessage, ServerResponse } from "node:http";
import { boundedBytes } from "@bytenite-engines/core/wire";
import { bodyTooLong, ApiError } from "../api/ApiError.ts";
import type { RequestHead } from "../api/Answer.ts";

/** A target in absolute form, whose host overrides `Host` (RFC 9112, 3.2.2). */
const absoluteForm = /^https?:\/\/(?:[^/?#]*@)?([^/?#]*)(.*)$/i;

/** Stands for all clients whose address a trusted proxy does not name readably: together they have the limits of one. */
const unknownAddress = "unknown";

/**
 * The address of a client: that of the connection; behind a trusted proxy the last one of `X-Forwarded-For` that is not a
 * trusted proxy's, since the client may have sent the ones before it.
 */
const addressOf = (request: IncomingMessage, isTrusted: (address: string) => boolean): string | undefined => {
  const { remoteAddress } = request.socket;
  if (remoteAddress === undefined || !isTrusted(remoteAddress)) return remoteAddress;
  const forwarded = request.headers["x-forwarded-for"];
  if (forwarded === undefined) return remoteAddress;
  const named = String(forwarded).split(",");
  const client = named.map(withoutPort).findLast((address) => isIP(address) === 0 || !isTrusted(address));
  // Entries before an invalid one may be forged by the client.
  if (client === undefined) return remoteAddress;
  return isIP(client) === 0 ? unknownAddress : client;
};

/** The address in `192.0.2.1:80`, `[2001:db8::1]:80` or `[2001:db8::1]`, as some proxies write it. */
const withoutPort = (entry: string): string => {
  const text = entry.trim();
  const [, v6, v4] = /^(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? [];
  return v6 ?? v4 ?? text;
};

/** The request for the routes. */
export const headOf = (request: IncomingMessage, isTrusted: (address: string) => boolean): RequestHead => {
  const { url = "", headers } = request;
  const [, authority, path] = url.startsWith("/") ? [] : (absoluteForm.exec(url) ?? []);
  return {
    method: request.method ?? "",
    get address() {
      return addressOf(request, isTrusted);
    },
    target: path === undefined ? url : path.startsWith("/") ? path : `/${path}`,
    header: (name) => {
      const value =
        name === "host"
          ? (authority ?? all(request, name))
          : name === "authorization"
            ? all(request, name)
            : headers[name];
      return value === undefined ? null : String(value);
    },
    body: (maxBytes) => bodyOf(request, maxBytes),
    chunks: (maxBytes) => {
      streamed.add(request);
      return chunksOf(request, maxBytes);
    },
  };
};

/**
 * All fields of a name joined (RFC 9110, 5.3): `headers` has the first of these only, and proxies may use another. Not from
 * `headersDistinct`, which throws at a field named `__proto__` or `constructor` before Node 24.14.1.
 */
const all = ({ rawHeaders }: IncomingMessage, name: "host" | "authorization"): string | undefined => {
  const values = rawHeaders.filter((_, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() === name);
  return values.length === 0 ? undefined : values.join(", ");
};

/** The same after `Expect: 100-continue`: the client sends its body only on request (RFC 9110, 10.1.1). */
export const headWhenAsked = (
  request: IncomingMessage,
  response: ServerResponse,
  isTrusted: (address: string) => boolean,
): RequestHead => ({
  ...headOf(request, isTrusted),
  body: async (maxBytes) => {
    if (Number(request.headers["content-length"]) > maxBytes) throw bodyTooLong(maxBytes);
    response.writeContinue();
    return bodyOf(request, maxBytes);
  },
  chunks: (maxBytes) => {
    response.writeContinue();
    streamed.add(request);
    return chunksOf(request, maxBytes);
  },
});

const bodyOf = async (request: IncomingMessage, maxBytes: number): Promise<Uint8Array> => {
  let body: Uint8Array | undefined;
  try {
    body = await boundedBytes(request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>, maxBytes);
  } catch {
    // The client disconnected or was too slow: nobody receives this error.
    throw new ApiError("CANCELLED", "the request was cut short");
  } finally {
    // The rest is discarded.
    if (body === undefined) request.resume();
  }
  if (body === undefined) throw bodyTooLong(maxBytes);
  return body;
};

/** Requests with streamed bodies: they may take longer while bytes arrive. */
const streamed = new WeakSet<IncomingMessage>();

/** Whether the body of a request is read as a stream. */
export const isStreamed = (request: IncomingMessage): boolean => streamed.has(request);

const chunksOf = async function* (request: IncomingMessage, maxBytes: number): AsyncGenerator<Uint8Array> {
  let length = 0;
  try {
    for await (const part of request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
      length += part.length;
      if (length > maxBytes) throw bodyTooLong(maxBytes);
      yield part;
    }
  } catch (error) {
    // The client disconnected or was too slow: nobody receives this error.
    throw error instanceof ApiError ? error : new ApiError("CANCELLED", "the request was cut short");
  } finally {
    // The rest is discarded.
    request.resume();
  }
};
