// Archive of an engine as a bounded stream with hash check.
import { sha256 } from "@noble/hashes/sha2.js";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import type { Engine } from "@bytenite-engines/proto";
import * as Effect from "effect/Effect";
import type { EngineArchive } from "../ApiResponse.ts";
import { announcedLength, readBody } from "../Body.ts";
import { partsOfCall, type ClientParts } from "../ClientParts.ts";
import { isPathTag } from "../Endpoint.ts";
import { EngineError, type EngineErrorReason } from "../EngineError.ts";
import type { EventSubject } from "../EngineEvent.ts";
import { failureOf } from "../Failure.ts";
import { boundedBytes, isLoopback } from "../HttpRules.ts";
import { binaryErrors } from "../BinaryErrors.ts";
import { sendOutside } from "../OutsideRequest.ts";
import type { MessageParams } from "../Parameters.ts";
import { attempted } from "../ReadLimits.ts";
import { after, liveClock } from "../Timer.ts";
import type { Cancellation } from "../Cancellation.ts";
import type { BodyReader, FetchResponse } from "../Fetch.ts";
import { open, publicUrl, transportError } from "../Transport.ts";
import { callTag, type EngineParts } from "./EngineCalls.ts";

/** The name of the exchange in events. */
const archiveEndpoint = "archive";

/** Longest body of an error that is read, in bytes. */
const maxErrorBytes = 65_536;
const errorLimits = { maxBodyBytes: maxErrorBytes, maxDecodedBodyBytes: maxErrorBytes };

/** Begins to download the archive of an engine. */
export const openArchive = (
  parts: EngineParts,
  tag: string,
  params: MessageParams = {},
): Effect.Effect<EngineArchive, EngineError> =>
  Effect.suspend(() => {
    // Not a stored answer: the hash must be that of the archive which the link is for.
    const fresh = partsOfCall(parts, { headers: { ...parts.settings.headers, "cache-control": "no-cache" } });
    return Effect.flatMap(callTag(fresh, "get", tag), ({ data: engine }) => {
      const expected = decodedHash(engine.hash);
      const useless = (problem: string) => Effect.fail(errorOf(fresh.baseUrl, { _tag: "Undecodable", problem }));
      if (expected === undefined) return useless("the engine has no SHA-256 to check its archive with");
      const version = engine.version === "" ? tag : `${engine.name}@${engine.version}`;
      if (!isPathTag(version)) return useless("the engine has a name and a version that make no tag");
      const link = Effect.map(callTag(fresh, "download", version, params), ({ data }) => data.engineLink);
      const opened = Effect.flatMap(link, (first) =>
        // It may have expired; a second one is not tried a third time.
        Effect.catchIf(openLink(fresh, first), isExpired, () => Effect.flatMap(link, (next) => openLink(fresh, next))),
      );
      return Effect.map(opened, (response) => archiveOf(fresh, engine, expected, response));
    });
  });

const isExpired = ({ status }: EngineError): boolean => status === 403 || status === 404 || status === 410;

const decodedHash = (text: string): Uint8Array | undefined => {
  const bytes = attempted(() => base64Decode(text));
  return bytes?.byteLength === 32 ? bytes : undefined;
};

interface OpenedLink {
  readonly subject: EventSubject;
  readonly response: FetchResponse;
  readonly cancel: Cancellation;
}

/** Follows a link that the server gave; with a body it is sent there. */
export const openLink = (
  parts: ClientParts,
  link: string,
  body?: Uint8Array,
): Effect.Effect<OpenedLink, EngineError> => {
  const problem = linkProblem(link, parts.baseUrl);
  if (problem !== undefined) return Effect.fail(errorOf(parts.baseUrl, { _tag: "RedirectRefused", problem }));
  // What signs a link opens the archive: it is in no event and no error.
  const shown = publicUrl(link).replace(/[?#].*$/s, "");
  const subject: EventSubject = { endpoint: archiveEndpoint, url: shown };
  const sent = sendOutside(parts, subject, new URL(link).origin, async (attempt, clock, state) => {
    try {
      const sent = body === undefined ? { method: "GET" } : { method: "PUT", body: body as Uint8Array<ArrayBuffer> };
      const request = { url: link, headers: { accept: "*/*" }, ...sent };
      const read = async (response: FetchResponse): Promise<FetchResponse | Uint8Array<ArrayBuffer>> => {
        state.status = response.status;
        return response.status === 200 ? response : readBody(response, errorLimits);
      };
      const { status, headers, bytes } = await open(parts.fetch, request, attempt, read);
      // Nothing of the attempt ends it any more: from now on that is for who reads.
      if (!(bytes instanceof Uint8Array)) return { subject, response: bytes, cancel: attempt };
      const answer = { url: shown, status, headers, bytes };
      throw failureOf(answer, clock.currentTimeMillisUnsafe(), undefined, parts.settings.limits, binaryErrors);
    } catch (cause) {
      if (attempt.aborted) throw attempt.reason;
      throw cause instanceof EngineError ? cause.with({ url: shown }) : cause;
    }
  });
  return parts.tracing === undefined ? sent : parts.tracing.call(sent, archiveEndpoint, "");
};

/** What keeps a link from being followed. */
const linkProblem = (link: string, baseUrl: string): string | undefined => {
  if (link === "") return "the server gave no download link";
  if (!URL.canParse(link)) return "the download link is not an absolute URL";
  const { protocol, hostname, username, password } = new URL(link);
  if (username !== "" || password !== "") return "the download link carries a user name or password";
  // Only a server on this machine may name others on it: what listens there is often open to whoever reaches it.
  if (isLoopback(hostname) && !isLoopback(new URL(baseUrl).hostname))
    return "the download link is to this machine, and the server is not on it";
  return protocol === "https:" || (protocol === "http:" && isLoopback(hostname))
    ? undefined
    : "the download link is neither https nor to this machine";
};

const archiveOf = (parts: ClientParts, engine: Engine, expected: Uint8Array, opened: OpenedLink): EngineArchive => {
  const { headers } = opened.response;
  const length = announcedLength(headers);
  let isTaken = false;
  const chunks = (): AsyncGenerator<Uint8Array, void, void> => {
    if (isTaken) throw new TypeError("the bytes of an archive can be had once");
    isTaken = true;
    return checkedChunks(parts, opened, expected, length);
  };
  return {
    engine,
    mediaType: headers.get("content-type") ?? undefined,
    length,
    [Symbol.asyncIterator]: chunks,
    bytes: async () => (await boundedBytes(chunks(), Infinity)) ?? new Uint8Array(),
  };
};

/** The bytes; their hash is checked at the end. */
async function* checkedChunks(
  { settings, emit }: ClientParts,
  opened: OpenedLink,
  expected: Uint8Array,
  totalBytes: number | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  const { subject, response, cancel } = opened;
  const { maxArchiveBytes } = settings.limits;
  const assertWithin = (bytes: number): void => {
    if (bytes > maxArchiveBytes)
      throw errorOf(subject.url, { _tag: "TooLarge", limit: "maxArchiveBytes", value: maxArchiveBytes });
  };
  const reader = response.body?.getReader();
  const hash = sha256.create();
  let isDone = false;
  try {
    if (totalBytes !== undefined) assertWithin(totalBytes);
    for (let bytes = 0; ;) {
      const chunk = reader && (await nextChunk(reader, opened, settings.attemptTimeoutMs)).value;
      if (chunk === undefined) break;
      bytes += chunk.byteLength;
      assertWithin(bytes);
      hash.update(chunk);
      emit?.({ ...subject, type: "progress", direction: "download", bytes, totalBytes });
      yield chunk;
    }
    isDone = true;
    const found = hash.digest();
    if (!found.every((byte, index) => byte === expected[index])) {
      const problem = `the archive's SHA-256 is ${base64Encode(found)}, not the engine's hash: it was changed on its way, or the engine meanwhile`;
      throw errorOf(subject.url, { _tag: "Undecodable", problem });
    }
  } finally {
    if (!isDone) {
      cancel.abort();
      await reader?.cancel().catch(() => {});
    }
  }
}

/** The next bytes; rejects where they break off, and where none come for as long as one attempt may take. */
const nextChunk = async (
  reader: BodyReader,
  { subject, cancel, response }: OpenedLink,
  limitMs: number,
): ReturnType<BodyReader["read"]> => {
  let stop: (() => void) | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    if (limitMs === Infinity) return;
    stop = after(liveClock, limitMs, () => {
      reject(errorOf(subject.url, { _tag: "TimedOut", scope: "attempt", limitMs }));
      cancel.abort();
    });
  });
  try {
    return await Promise.race([reader.read(), late]);
  } catch (cause) {
    throw cause instanceof EngineError ? cause : transportError(subject.url, response.status, cause);
  } finally {
    stop?.();
  }
};

const errorOf = (url: string, reason: EngineErrorReason): EngineError => new EngineError({ reason, url, attempts: 1 });
