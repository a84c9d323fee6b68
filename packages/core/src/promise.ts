// Promise entry.
import * as Effect from "effect/Effect";
import type { ApiResponse, Engine, EngineArchive, EngineListResponse, EngineMessage } from "./ApiResponse.ts";
import type { CallOptions, ClientOptions } from "./ClientOptions.ts";
import { makeClientParts, withPartsOfCall } from "./ClientParts.ts";
import { dataOf, engineMethods, methodsBy, type AnyMethod, type MethodName } from "./client/EngineMethods.ts";
import { EngineError } from "./EngineError.ts";
import { endedEarly, firstPage, nextPage, smallerPage, tooManyPages, type PageRequest } from "./Paging.ts";
import type { ListParams, MessageParams, UploadParams, WriteCondition } from "./Parameters.ts";
import { run } from "./Run.ts";

export type {
  ApiResponse,
  Engine,
  EngineArchive,
  EngineListResponse,
  EngineMessage,
  EngineStatus,
} from "./ApiResponse.ts";
export type { CallOptions, ClientOptions, Limits, Middleware } from "./ClientOptions.ts";
export type { ExpiringToken, TokenContext, TokenFunction, TokenOption } from "./Token.ts";
export { EngineError } from "./EngineError.ts";
export type {
  EngineErrorFields,
  EngineErrorReason,
  EngineErrorTag,
  RetryStopped,
  ErrorDetail,
  UnreachableProblem,
} from "./EngineError.ts";
export type { EngineEvent } from "./EngineEvent.ts";
export type { Format } from "./MediaType.ts";
export type { FieldNumbers, OriginMemory, OriginStatus, VerificationOptions } from "./verify/SchemaVerifier.ts";
export type { ListParams, MessageParams, UploadParams, WriteCondition } from "./Parameters.ts";
export type { RetryPolicy } from "./Retry.ts";
export type { Fetch, FetchInit, FetchResponse, ResponseHeaders } from "./Fetch.ts";
export type { HttpResponse, HttpRequest } from "./Transport.ts";

/** Options of one call, with the signal that ends it. */
export interface PromiseCallOptions extends CallOptions {
  /** Ends the call at once: in the request, in the body, in the wait between two requests. */
  readonly signal?: AbortSignal | undefined;
}

type MessageOptions = PromiseCallOptions & MessageParams;

/** The calls of the API. Every one rejects with EngineError; with the signal's reason once that is aborted. */
export interface PromiseEngineClient {
  /** One page of engines. */
  list(params?: ListParams, options?: PromiseCallOptions): Promise<EngineListResponse>;
  /**
   * All engines from `offset` on. The first page has the server's size, later ones 1,000 engines, or fewer where the
   * server refuses that; with `limit`, all have that many. The next page is read ahead. `deadlineMs` bounds each page, not
   * the whole list: for that, pass a `signal`, e.g. `AbortSignal.timeout(60_000)`.
   */
  listAll(params?: ListParams, options?: PromiseCallOptions): AsyncIterable<Engine>;
  /** The pages of `listAll`. */
  listPages(params?: ListParams, options?: PromiseCallOptions): AsyncIterable<EngineListResponse>;
  /** One engine: `name`, `name@major` or `name@major.minor`. */
  get(tag: string, options?: MessageOptions): Promise<Engine>;
  /** The status of one engine. */
  status(tag: string, options?: MessageOptions): Promise<EngineMessage>;
  /**
   * Uploads the archive of an engine (a tar file, plain or gzip, with its manifest). A name and version that exist are overwritten.
   * After a failure without a response, the engine under `tag` is read and compared by hash and revision before a retry.
   */
  upload(archive: Uint8Array, options?: PromiseCallOptions & UploadParams): Promise<Engine>;
  /** Activates an engine. Idempotent. */
  activate(tag: string, options?: MessageOptions & WriteCondition): Promise<EngineMessage>;
  /** Deactivates an engine. Idempotent. */
  deactivate(tag: string, options?: MessageOptions & WriteCondition): Promise<EngineMessage>;
  /** A link to the archive of an engine, in `engineLink`: valid for minutes, without further credentials. */
  download(tag: string, options?: MessageOptions): Promise<EngineMessage>;
  /**
   * The archive of an engine as a stream: at most `limits.maxArchiveBytes`, its hash checked at the end. Over https, or from this machine;
   * the link gets no token and no header of the client's. Resolves when the first bytes can be read; from then on there is no
   * deadline, but bytes must come within each `attemptTimeoutMs`.
   */
  archive(tag: string, options?: MessageOptions): Promise<EngineArchive>;
  /**
   * Deletes one version (`name@major.minor`), with its archive. An extension of our registry: other servers may answer `Unimplemented`.
   * Where an earlier request of the call may have done it, `NotFound` is a success.
   */
  delete(tag: string, options?: PromiseCallOptions & WriteCondition): Promise<EngineMessage>;
  /** The same calls, with status, headers, media type, attempts and timings in addition to the data. */
  readonly withResponse: {
    upload(archive: Uint8Array, options?: PromiseCallOptions & UploadParams): Promise<ApiResponse<Engine>>;
    activate(tag: string, options?: MessageOptions & WriteCondition): Promise<ApiResponse<EngineMessage>>;
    deactivate(tag: string, options?: MessageOptions & WriteCondition): Promise<ApiResponse<EngineMessage>>;
    download(tag: string, options?: MessageOptions): Promise<ApiResponse<EngineMessage>>;
    delete(tag: string, options?: PromiseCallOptions & WriteCondition): Promise<ApiResponse<EngineMessage>>;
    list(params?: ListParams, options?: PromiseCallOptions): Promise<ApiResponse<EngineListResponse>>;
    get(tag: string, options?: MessageOptions): Promise<ApiResponse<Engine>>;
    status(tag: string, options?: MessageOptions): Promise<ApiResponse<EngineMessage>>;
  };
}

/**
 * Creates a client. Invalid options throw TypeError or RangeError with the option's name; invalid options of a call reject
 * with EngineError (InvalidArgument).
 */
export const createEngineClient = (options: ClientOptions = {}): PromiseEngineClient => {
  const parts = makeClientParts(options);
  const methods = engineMethods(parts, ["signal"]);
  const { list, archive } = methods;
  const answer = (name: MethodName, subject: unknown, options: PromiseCallOptions | undefined) =>
    run((methods[name] as AnyMethod<CallOptions>)(subject as never, options), options?.signal);
  const listPages: PromiseEngineClient["listPages"] = async function* (params = {}, options = {}) {
    const own = await run(
      withPartsOfCall(parts, options, ["signal"], (own) => Effect.succeed(own)),
      options.signal,
    );
    const { maxPages, maxEnginesPerPage } = own.settings.limits;
    const left = new AbortController();
    const signal = options.signal === undefined ? left.signal : AbortSignal.any([options.signal, left.signal]);
    const ask = async (page: PageRequest): Promise<readonly [EngineListResponse, PageRequest | undefined]> => {
      try {
        const { data } = await run(list(page.params, { ...options, signal } as PromiseCallOptions), signal);
        const early = endedEarly(own, page, data);
        if (early !== undefined) throw early;
        return [data, nextPage(page, data, maxEnginesPerPage)];
      } catch (error) {
        const smaller = error instanceof EngineError ? smallerPage(page, error) : undefined;
        if (smaller === undefined) throw error;
        return ask(smaller);
      }
    };
    try {
      let asked = ask(firstPage(params ?? {}));
      for (let pages = 1; ; pages++) {
        const [page, next] = await asked;
        if (next === undefined) return yield page;
        if (pages >= maxPages) {
          yield page;
          throw tooManyPages(own, maxPages);
        }
        // The next page is under way while this one is used. Its failure is thrown when it is waited for.
        asked = ask(next);
        asked.catch(() => {});
        yield page;
      }
    } finally {
      left.abort();
    }
  };
  return {
    ...methodsBy<PromiseEngineClient>(
      (name) => async (subject: unknown, options?: PromiseCallOptions) => dataOf(await answer(name, subject, options)),
    ),
    withResponse: methodsBy<PromiseEngineClient["withResponse"]>(
      (name) => (subject: unknown, options?: PromiseCallOptions) => answer(name, subject, options),
    ),
    archive: (tag, options) => run(archive(tag, options), options?.signal),
    listPages,
    listAll: async function* (params, options) {
      for await (const { engines } of listPages(params, options)) yield* engines;
    },
  };
};
