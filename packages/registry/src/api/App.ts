// All public routes, also as one fetch handler.
import { boundedBytes } from "@bytenite-engines/core/wire";
import { makeDownload } from "../archive/Download.ts";
import { archivesPath } from "../archive/Link.ts";
import { docs } from "./Docs.ts";
import { earlyErrorAnswer, type Answer, type RequestHead } from "./Answer.ts";
import { makeAuthorize, makeRoutes, type RoutesOptions } from "./Routes.ts";
import { makeManagement, managementPath } from "./Management.ts";
import { bodyTooLong } from "./ApiError.ts";
import { makeTokenEndpoint, tokenPath } from "./TokenEndpoint.ts";
import { otherMethod, type Web } from "./Web.ts";
import type { Body } from "./EngineBody.ts";
import type { Serializer } from "./Serializer.ts";

/** All public routes: the API, the exchange of API keys, downloads, management, documents. Never rejects. */
export type App = (head: RequestHead, serializer?: Serializer) => Promise<Answer>;

/** Builds the app. */
export const makeApp = (options: RoutesOptions): App => {
  const authorize = makeAuthorize(options);
  const routes = makeRoutes(options, authorize);
  const management = makeManagement({ ...options, authorize, now: options.now ?? Date.now });
  const tokenEndpoint = makeTokenEndpoint(options);
  const { checkAddressRate, addressOf, onFault } = options;
  const { archives } = options;
  const download =
    archives === undefined ? undefined : makeDownload({ ...options, ...archives, now: options.now ?? Date.now });
  return async (head, serializer = options.serializer) => {
    try {
      const address = addressOf?.(head);
      if (address !== undefined) await checkAddressRate?.(address);
    } catch (error) {
      return earlyErrorAnswer(error, head, serializer, onFault);
    }
    const path = pathIn(head.target);
    if (path === tokenPath) return tokenEndpoint(head);
    if (path.startsWith(`${managementPath}/`)) return management(head);
    if (download !== undefined && path.startsWith(`${archivesPath}/`)) return download(head);
    const page = docs.get(path);
    return page === undefined ? routes(head, serializer) : (otherMethod(head.method, ["GET"]) ?? page());
  };
};

/** Adds to an app the preflight responses and common headers of `web`. */
export const withWeb =
  (app: App, web: Web): App =>
  async (head, serializer) =>
    web.finish(head, web.preflight(head) ?? (await app(head, serializer)));

/** The SHA-256 of a body for its ETag, by Web Crypto. */
export const webDigest = async (body: Body): Promise<string> => {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : new Uint8Array(body);
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).subarray(0, tagBytes);
  return btoa(String.fromCharCode(...hash)).replaceAll("=", "");
};

/** Length of the digest in an ETag, in bytes. */
const tagBytes = 16;

/** The path of a target, without its query. */
export const pathIn = (target: string): string => {
  const mark = target.indexOf("?");
  return mark === -1 ? target : target.slice(0, mark);
};

/** Longest path in a log line, in characters. */
const maxLoggedCharacters = 200;

/** Tokens and API keys of ours, and JSON Web Tokens. */
const credentialsInPaths = /bn[tk]_[0-9a-f]{8,}|eyJ[\w-]{8,}(?:\.[\w-]*)*/gi;

/** The path of a target as a log may have it: without query, without credentials that were put into it. */
export const loggedPath = (target: string): string =>
  pathIn(target).replaceAll(credentialsInPaths, "[redacted]").slice(0, maxLoggedCharacters);

/** The app as a fetch handler, for runtimes that have Request and Response. */
export const fetchHandler =
  (app: App): ((request: Request) => Promise<Response>) =>
  async (request) => {
    const answer = await app({
      method: request.method,
      target: targetOf(request.url),
      header: (name) => request.headers.get(name),
      body: (maxBytes) => bodyOf(request, maxBytes),
      chunks: (maxBytes) => chunksOf(request, maxBytes),
    });
    const { status, headers, stream } = answer;
    const whole = typeof answer.body === "string" ? answer.body : new Uint8Array(answer.body);
    const body = stream?.bytes === undefined ? whole : sized(stream.bytes, stream.length);
    return new Response(request.method === "HEAD" || status === 204 || status === 304 ? null : body, {
      status,
      headers: stream === undefined ? headers : { ...headers, "Content-Length": String(stream.length) },
    });
  };

/** A stream of known length. Workers send `Content-Length` only for these. */
const sized = (
  bytes: ReadableStream<Uint8Array<ArrayBuffer>>,
  length: number,
): ReadableStream<Uint8Array<ArrayBuffer>> => {
  const { FixedLengthStream } = globalThis as {
    readonly FixedLengthStream?: new (
      length: number,
    ) => TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>;
  };
  return FixedLengthStream === undefined ? bytes : bytes.pipeThrough(new FixedLengthStream(length));
};

/** Path and query as received. `URL` would resolve the dot segments that are to be rejected. */
const targetOf = (url: string): string => /^[a-z]+:\/\/[^/?#]*([^#]*)/i.exec(url)?.[1] || "/";

const bodyOf = async (request: Request, maxBytes: number): Promise<Uint8Array> => {
  const body = await boundedBytes((request.body ?? []) as AsyncIterable<Uint8Array>, maxBytes);
  if (body === undefined) throw bodyTooLong(maxBytes);
  return body;
};

const chunksOf = async function* (request: Request, maxBytes: number): AsyncGenerator<Uint8Array> {
  let length = 0;
  for await (const part of (request.body ?? []) as AsyncIterable<Uint8Array>) {
    length += part.length;
    if (length > maxBytes) throw bodyTooLong(maxBytes);
    yield part;
  }
};
