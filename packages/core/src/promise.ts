// Decides: what the client is to everybody who does not use Effect.
import type * as Effect from "effect/Effect";
import type { Engine, EngineListResponse, EngineMessage } from "@bytenite-engines/proto";
import type { Answer, EngineArchive, RequestOf, ResponseOf } from "./Answer.ts";
import type { CallOptions, ClientOptions } from "./ClientOptions.ts";
import { makeClientParts, partsOfCall, type ClientParts } from "./ClientParts.ts";
import { openArchive } from "./client/EngineArchive.ts";
import { change, readEngines, upload } from "./client/EngineCalls.ts";
import { run } from "./Run.ts";
import type { ReadName } from "./Endpoint.ts";
import { EngineError } from "./EngineError.ts";
import { firstPage, nextPage, smallerPage, tooManyPages, type PageRequest } from "./Paging.ts";
import {
  listRequest,
  messageRequest,
  type InvalidParameter,
  type ListParams,
  type MessageParams,
  type UploadParams,
  type WriteCondition,
} from "./Parameters.ts";

export type { Engine, EngineListResponse, EngineMessage } from "@bytenite-engines/proto";
export type { Answer, EngineArchive } from "./Answer.ts";
export type { CallOptions, ClientOptions, Limits, Middleware } from "./ClientOptions.ts";
export type { ExpiringToken, TokenContext, TokenFunction, TokenOption } from "./Token.ts";
export { EngineError } from "./EngineError.ts";
export type {
  EngineErrorFields,
  EngineErrorReason,
  EngineErrorTag,
  ErrorDetail,
  UnreachableProblem,
} from "./EngineError.ts";
export type { EngineEvent } from "./EngineEvent.ts";
export type { Format } from "./MediaType.ts";
export type { FieldNumbers, OriginMemory, OriginStatus, VerificationOptions } from "./verify/SchemaVerifier.ts";
export type { ListParams, MessageParams, UploadParams, WriteCondition } from "./Parameters.ts";
export type { RetryPolicy } from "./Retry.ts";
export type { Fetch, FetchInit, FetchResponse, ResponseHeaders } from "./Fetch.ts";
export type { ExchangeAnswer, ExchangeRequest } from "./Transport.ts";

/** Options of one call, with the signal that ends it. */
export interface PromiseCallOptions extends CallOptions {
  /** Ends the call at once: in the request, in the body, in the wait between two requests. */
  readonly signal?: AbortSignal;
}

type MessageOptions = PromiseCallOptions & MessageParams;

/** The calls of the API. Every one rejects with EngineError; with the signal's reason once that is aborted. */
export interface PromiseEngineClient {
  /** One page of engines. */
  list(params?: ListParams, options?: PromiseCallOptions): Promise<EngineListResponse>;
  /**
   * All engines from `offset` on. The first page is as large as the server likes, later ones have 1,000 engines, or fewer where the
   * server refuses that; with `limit`, all have that many. The next page is read while one is used. `deadlineMs` is the time of a page.
   */
  listAll(params?: ListParams, options?: PromiseCallOptions): AsyncIterable<Engine>;
  /** One engine: `name`, `name@major` or `name@major.minor`. */
  get(tag: string, options?: MessageOptions): Promise<Engine>;
  /** The status of one engine. */
  status(tag: string, options?: MessageOptions): Promise<EngineMessage>;
  /**
   * Uploads the archive of an engine (a tar file, plain or gzip, with its manifest). A name and version that exist are overwritten.
   * Not repeated blindly: where its answer got lost, the engine under `tag` is read and compared by hash and revision first.
   */
  upload(archive: Uint8Array, options?: PromiseCallOptions & UploadParams): Promise<Engine>;
  /** Makes an engine active. Doing so again changes nothing. */
  activate(tag: string, options?: MessageOptions & WriteCondition): Promise<EngineMessage>;
  /** Makes an engine inactive. Doing so again changes nothing. */
  deactivate(tag: string, options?: MessageOptions & WriteCondition): Promise<EngineMessage>;
  /** The link to the archive of an engine, which lives some minutes, in `engineLink`. Whoever has it can download the archive. */
  download(tag: string, options?: MessageOptions): Promise<EngineMessage>;
  /**
   * The archive of an engine as a stream: at most `limits.maxArchiveBytes`, its hash checked at the end. Over https, or from this machine;
   * the link gets no token and no header of the client's. Resolves when the first bytes can be read; from then on there is no
   * deadline, but bytes must come within each `attemptTimeoutMs`.
   */
  archive(tag: string, options?: MessageOptions): Promise<EngineArchive>;
  /** The same calls, with status, headers, media type, attempts and timings beside the data. */
  readonly withResponse: {
    upload(archive: Uint8Array, options?: PromiseCallOptions & UploadParams): Promise<Answer<Engine>>;
    activate(tag: string, options?: MessageOptions & WriteCondition): Promise<Answer<EngineMessage>>;
    deactivate(tag: string, options?: MessageOptions & WriteCondition): Promise<Answer<EngineMessage>>;
    download(tag: string, options?: MessageOptions): Promise<Answer<EngineMessage>>;
    list(params?: ListParams, options?: PromiseCallOptions): Promise<Answer<EngineListResponse>>;
    get(tag: string, options?: MessageOptions): Promise<Answer<Engine>>;
    status(tag: string, options?: MessageOptions): Promise<Answer<EngineMessage>>;
  };
}

/** A client. Throws TypeError or RangeError for options that cannot be, with the option's name. */
export const createEngineClient = (options: ClientOptions = {}): PromiseEngineClient => {
  const parts = makeClientParts(options);
  const changed =
    (name: "activate" | "deactivate" | "download") =>
    (tag: string, options?: MessageOptions & WriteCondition): Promise<Answer<EngineMessage>> =>
      runCall(options, (own) => change(own, name, tag, options), parts);
  const withResponse: PromiseEngineClient["withResponse"] = {
    list: async (params, options) => ask(parts, "list", undefined, listRequest(params), options, whole),
    get: (tag, options) => ask(parts, "get", tag, messageRequest(options), options, whole),
    status: (tag, options) => ask(parts, "status", tag, messageRequest(options), options, whole),
    upload: (archive, options) => runCall(options, (own) => upload(own, archive, options), parts),
    activate: changed("activate"),
    deactivate: changed("deactivate"),
    download: changed("download"),
  };
  const list: PromiseEngineClient["list"] = async (params, options) =>
    ask(parts, "list", undefined, listRequest(params), options, dataOf);
  return {
    withResponse,
    list,
    get: (tag, options) => ask(parts, "get", tag, messageRequest(options), options, dataOf),
    status: (tag, options) => ask(parts, "status", tag, messageRequest(options), options, dataOf),
    upload: async (archive, options) => dataOf(await withResponse.upload(archive, options)),
    activate: async (tag, options) => dataOf(await withResponse.activate(tag, options)),
    deactivate: async (tag, options) => dataOf(await withResponse.deactivate(tag, options)),
    download: async (tag, options) => dataOf(await withResponse.download(tag, options)),
    archive: (tag, options) => runCall(options, (own) => openArchive(own, tag, options), parts),
    listAll: async function* (params = {}, options = {}) {
      const own = partsOfCall(parts, options);
      const { maxPages, maxEnginesPerPage } = own.settings.limits;
      const left = new AbortController();
      const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
      const ask = async (page: PageRequest): Promise<readonly [EngineListResponse, PageRequest | undefined]> => {
        try {
          const answer = await list(page.params, { ...options, signal });
          return [answer, nextPage(page, answer, maxEnginesPerPage)];
        } catch (error) {
          const smaller = error instanceof EngineError ? smallerPage(page, error) : undefined;
          if (smaller === undefined) throw error;
          return ask(smaller);
        }
      };
      try {
        let asked = ask(firstPage(params));
        for (let pages = 1; ; pages++) {
          const [{ engines }, next] = await asked;
          if (next === undefined) return yield* engines;
          if (pages >= maxPages) {
            yield* engines;
            throw tooManyPages(own, maxPages);
          }
          // The next page is under way while this one is used. Its failure is thrown when it is waited for.
          asked = ask(next);
          asked.catch(() => {});
          yield* engines;
        }
      } finally {
        left.abort();
      }
    },
  };
};

const runCall = async <A>(
  options: PromiseCallOptions | undefined,
  call: (parts: ClientParts) => Effect.Effect<A, EngineError>,
  parts: ClientParts,
): Promise<A> => {
  const signal = options?.signal;
  signal?.throwIfAborted();
  return run(call(partsOfCall(parts, options)), signal);
};

const whole = <T>(answer: Answer<T>): Answer<T> => answer;
const dataOf = <T>(answer: Answer<T>): T => answer.data;

const ask = async <N extends ReadName, A>(
  parts: ClientParts,
  name: N,
  tag: string | undefined,
  request: RequestOf<N> | InvalidParameter | undefined,
  options: PromiseCallOptions | undefined,
  part: (answer: Answer<ResponseOf<N>>) => A,
): Promise<A> => {
  const signal = options?.signal;
  signal?.throwIfAborted();
  return part(await run(readEngines(partsOfCall(parts, options), name, tag, request), signal));
};
