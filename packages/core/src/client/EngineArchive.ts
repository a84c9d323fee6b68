// Archive of an engine as a bounded stream with hash check.
import { sha256 } from "@noble/hashes/sha2.js";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";
import type { Engine } from "@bytenite-engines/proto";
import * as Effect from "effect/Effect";
import type { EngineArchive } from "../ApiResponse.ts";
import { counted, countRequest, newState, type AttemptPlan } from "../AttemptPlan.ts";
import { attempts } from "../Attempts.ts";
import { readBody } from "../Body.ts";
import { partsOfCall, type ClientParts } from "../ClientParts.ts";
import { EngineError, type EngineErrorReason } from "../EngineError.ts";
import type { EngineEvent, EventSubject } from "../EngineEvent.ts";
import { AttemptFailure, failureOf } from "../Failure.ts";
import { isLoopback } from "../HttpRules.ts";
import { binaryErrors } from "../BinaryErrors.ts";
import type { MessageParams } from "../Parameters.ts";
import { after, liveClock } from "../Timer.ts";
import { Cancellation } from "../Cancellation.ts";
import type { BodyReader, FetchResponse } from "../Fetch.ts";
import { open, publicUrl, transportError } from "../Transport.ts";
import { callTag, type EngineParts } from "./EngineCalls.ts";

/** The name of the exchange in events. */
const archiveEndpoint = "archive";

/** Longest body of an error that is read, in bytes. */
const maxErrorBytes = 64 * 1024;
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
      if (expected === undefined)
        return Effect.fail(errorOf(fresh.baseUrl, undecodable("the engine has no SHA-256 to check its archive with")));
      const version = engine.version === "" ? tag : `${engine.name}@${engine.version}`;
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
  try {
    const bytes = base64Decode(text);
    return bytes.byteLength === 32 ? bytes : undefined;
  } catch {
    return undefined;
  }
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
  const state = newState();
  const emit = parts.emit ?? (() => {});
  const plan: AttemptPlan<OpenedLink> = {
    subject,
    tracing: parts.tracing,
    origin: new URL(link).origin,
    settings: { ...parts.settings, hedging: undefined },
    budget: parts.budgets(new URL(link).origin),
    breaker: undefined,
    emit,
    state,
    run: async (attempt, clock) => {
      countRequest(state);
      // Outlives the attempt.
      const cancel = new Cancellation();
      const stop = attempt.onAbort(() => cancel.abort(attempt.reason));
      try {
        // Nothing of ours goes to where the link leads: no token, no header.
        const sent = body === undefined ? { method: "GET" } : { method: "PUT", body: body as Uint8Array<ArrayBuffer> };
        const request = { url: link, headers: { accept: "*/*" }, ...sent };
        const opened = await open(parts.fetch, request, cancel, async ({ response }) => {
          const { status, headers } = response;
          state.status = status;
          if (status === 200) return { response };
          return { answer: { url: shown, status, headers, bytes: await readBody(response, errorLimits) } };
        });
        if ("response" in opened) return { subject, response: opened.response, cancel };
        throw failureOf(opened.answer, clock.currentTimeMillisUnsafe(), undefined, parts.settings.limits, binaryErrors);
      } catch (cause) {
        if (attempt.aborted) throw attempt.reason;
        throw cause instanceof EngineError ? new AttemptFailure(cause.with({ url: shown })) : cause;
      } finally {
        stop();
      }
    },
  };
  const sent = Effect.mapError(attempts(plan), ({ error }) => error.with(counted(state)));
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

const archiveOf = (
  parts: ClientParts,
  engine: Engine,
  expected: Uint8Array,
  { subject, response, cancel }: OpenedLink,
): EngineArchive => {
  const announced = Number(response.headers.get("content-length") ?? Number.NaN);
  const length = Number.isInteger(announced) && announced >= 0 ? announced : undefined;
  let isTaken = false;
  const chunks = (): AsyncGenerator<Uint8Array, void, void> => {
    if (isTaken) throw new TypeError("the bytes of an archive can be had once");
    isTaken = true;
    return checkedChunks({ parts, subject, response, cancel, expected, length });
  };
  return {
    engine,
    mediaType: response.headers.get("content-type") ?? undefined,
    length,
    [Symbol.asyncIterator]: chunks,
    bytes: async () => {
      const parts: Array<Uint8Array> = [];
      for await (const chunk of chunks()) parts.push(chunk);
      const whole = new Uint8Array(parts.reduce((sum, { byteLength }) => sum + byteLength, 0));
      let offset = 0;
      for (const part of parts) {
        whole.set(part, offset);
        offset += part.byteLength;
      }
      return whole;
    },
  };
};

interface Download {
  readonly parts: ClientParts;
  readonly subject: EventSubject;
  readonly response: FetchResponse;
  readonly cancel: Cancellation;
  readonly expected: Uint8Array;
  readonly length: number | undefined;
}

async function* checkedChunks(download: Download): AsyncGenerator<Uint8Array, void, void> {
  const { parts, subject, response, cancel, expected, length } = download;
  const { maxArchiveBytes } = parts.settings.limits;
  const reader = response.body?.getReader();
  let isDone = false;
  try {
    if (length !== undefined && length > maxArchiveBytes) throw errorOf(subject.url, tooLarge(maxArchiveBytes));
    const hash = sha256.create();
    let bytes = 0;
    for (;;) {
      const chunk = reader === undefined ? undefined : (await nextChunk(reader, download)).value;
      if (chunk === undefined) break;
      bytes += chunk.byteLength;
      if (bytes > maxArchiveBytes) throw errorOf(subject.url, tooLarge(maxArchiveBytes));
      hash.update(chunk);
      parts.emit?.(progressEvent(subject, bytes, length));
      yield chunk;
    }
    isDone = true;
    const found = hash.digest();
    if (!found.every((byte, index) => byte === expected[index])) {
      const problem = `the archive's SHA-256 is ${base64Encode(found)}, not the engine's hash: it was changed on its way, or the engine meanwhile`;
      throw errorOf(subject.url, undecodable(problem));
    }
  } finally {
    if (!isDone) {
      cancel.abort();
      await reader?.cancel().catch(() => {});
    }
  }
}

const progressEvent = (subject: EventSubject, bytes: number, totalBytes: number | undefined): EngineEvent => ({
  ...subject,
  type: "progress",
  direction: "download",
  bytes,
  totalBytes,
});

/** The next bytes; rejects where they break off, and where none come for as long as one attempt may take. */
const nextChunk = async (
  reader: BodyReader,
  { parts, subject, cancel, response }: Download,
): ReturnType<BodyReader["read"]> => {
  const { attemptTimeoutMs } = parts.settings;
  let stop: (() => void) | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    if (attemptTimeoutMs === Infinity) return;
    stop = after(liveClock, attemptTimeoutMs, () => {
      reject(errorOf(subject.url, { _tag: "TimedOut", scope: "attempt", limitMs: attemptTimeoutMs }));
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

const tooLarge = (value: number): EngineErrorReason => ({ _tag: "TooLarge", limit: "maxArchiveBytes", value });

const undecodable = (problem: string): EngineErrorReason => ({ _tag: "Undecodable", problem });

const errorOf = (url: string, reason: EngineErrorReason): EngineError => new EngineError({ reason, url, attempts: 1 });
