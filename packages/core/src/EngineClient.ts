// Decides: what the client is to a program in Effect.
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Stream from "effect/Stream";
import type { Engine, EngineListResponse, EngineMessage } from "@bytenite-engines/proto";
import type { Answer, RequestOf, ResponseOf } from "./Answer.ts";
import { openArchive } from "./client/EngineArchive.ts";
import { change, readEngines, upload } from "./client/EngineCalls.ts";
import { makeClientParts, partsOfCall, type ClientParts } from "./ClientParts.ts";
import type { ReadName } from "./Endpoint.ts";
import type { EngineError } from "./EngineError.ts";
import { firstPage, nextPage, smallerPage, tooManyPages, type PageRequest } from "./Paging.ts";
import { plainOptions, type EngineCallOptions, type EngineClientOptions } from "./EngineOptions.ts";
import {
  listRequest,
  messageRequest,
  type InvalidParameter,
  type ListParams,
  type MessageParams,
  type UploadParams,
  type WriteCondition,
} from "./Parameters.ts";

/** The calls of the API. Every one fails with EngineError, and ends at once when its fiber is interrupted. */
export interface EngineCalls {
  /** One page of engines. */
  readonly list: (params?: ListParams, options?: EngineCallOptions) => Effect.Effect<EngineListResponse, EngineError>;
  /** All engines from `offset` on, a page at a time, each asked for when it is needed. */
  readonly listAll: (params?: ListParams, options?: EngineCallOptions) => Stream.Stream<Engine, EngineError>;
  /** One engine: `name`, `name@major` or `name@major.minor`. */
  readonly get: (tag: string, options?: EngineCallOptions & MessageParams) => Effect.Effect<Engine, EngineError>;
  /** The status of one engine. */
  readonly status: (
    tag: string,
    options?: EngineCallOptions & MessageParams,
  ) => Effect.Effect<EngineMessage, EngineError>;
  /**
   * Uploads the archive of an engine (a tar file, plain or gzip, with its manifest). A name and version that exist are overwritten.
   * Not repeated blindly: where its answer got lost, the engine under `tag` is read and compared by hash and revision first.
   */
  readonly upload: (
    archive: Uint8Array,
    options?: EngineCallOptions & UploadParams,
  ) => Effect.Effect<Engine, EngineError>;
  /** Makes an engine active. Doing so again changes nothing. */
  readonly activate: ChangeCall<EngineMessage>;
  /** Makes an engine inactive. Doing so again changes nothing. */
  readonly deactivate: ChangeCall<EngineMessage>;
  /** The link to the archive of an engine, which lives some minutes, in `engineLink`. Whoever has it can download the archive. */
  readonly download: ChangeCall<EngineMessage>;
  /**
   * The archive of an engine: at most `limits.maxArchiveBytes`, its hash checked at the end. Over https, or from this machine; the link
   * gets no token and no header of the client's. There is no deadline once bytes come, but they must come within each `attemptTimeoutMs`.
   */
  readonly archive: (
    tag: string,
    options?: EngineCallOptions & MessageParams,
  ) => Stream.Stream<Uint8Array, EngineError>;
  /** The same calls, with status, headers, media type, attempts and timings beside the data. */
  readonly withResponse: {
    readonly upload: (
      archive: Uint8Array,
      options?: EngineCallOptions & UploadParams,
    ) => Effect.Effect<Answer<Engine>, EngineError>;
    readonly activate: ChangeCall<Answer<EngineMessage>>;
    readonly deactivate: ChangeCall<Answer<EngineMessage>>;
    readonly download: ChangeCall<Answer<EngineMessage>>;
    readonly list: (
      params?: ListParams,
      options?: EngineCallOptions,
    ) => Effect.Effect<Answer<EngineListResponse>, EngineError>;
    readonly get: (
      tag: string,
      options?: EngineCallOptions & MessageParams,
    ) => Effect.Effect<Answer<Engine>, EngineError>;
    readonly status: (
      tag: string,
      options?: EngineCallOptions & MessageParams,
    ) => Effect.Effect<Answer<EngineMessage>, EngineError>;
  };
}

type ChangeCall<A> = (
  tag: string,
  options?: EngineCallOptions & MessageParams & WriteCondition,
) => Effect.Effect<A, EngineError>;

/** The client of the engines API as an Effect service. */
export class EngineClient extends Context.Service<EngineClient, EngineCalls>()("@bytenite-engines/core/EngineClient") {
  /** A client made of options. Options that cannot be die with TypeError or RangeError. */
  static readonly layer = (options: EngineClientOptions = {}): Layer.Layer<EngineClient> =>
    Layer.sync(EngineClient, () => EngineClient.of(makeCalls(makeClientParts(plainOptions(options) ?? {}))));

  /** A client for tests, made of the calls that a test needs; any other call dies, and says which one it was. */
  static readonly layerTest = (calls: Partial<EngineCalls>): Layer.Layer<EngineClient> =>
    Layer.succeed(EngineClient, EngineClient.of({ ...missingCalls, ...calls }));
}

const missing = (call: string) => (): Effect.Effect<never> =>
  Effect.die(new Error(`EngineClient.layerTest was not given the call ${call}`));

const missingCalls: EngineCalls = {
  list: missing("list"),
  get: missing("get"),
  status: missing("status"),
  listAll: () => Stream.fromEffect(missing("listAll")()),
  upload: missing("upload"),
  activate: missing("activate"),
  deactivate: missing("deactivate"),
  download: missing("download"),
  archive: () => Stream.fromEffect(missing("archive")()),
  withResponse: {
    upload: missing("withResponse.upload"),
    activate: missing("withResponse.activate"),
    deactivate: missing("withResponse.deactivate"),
    download: missing("withResponse.download"),
    list: missing("withResponse.list"),
    get: missing("withResponse.get"),
    status: missing("withResponse.status"),
  },
};

const makeCalls = (parts: ClientParts): EngineCalls => {
  const ask = <N extends ReadName>(
    name: N,
    tag: string | undefined,
    request: RequestOf<N> | InvalidParameter | undefined,
    options: EngineCallOptions | undefined,
  ): Effect.Effect<Answer<ResponseOf<N>>, EngineError> =>
    Effect.suspend(() => readEngines(partsOfCall(parts, plainOptions(options)), name, tag, request));
  const own = (options: EngineCallOptions | undefined): ClientParts => partsOfCall(parts, plainOptions(options));
  const changed =
    (name: "activate" | "deactivate" | "download"): EngineCalls["withResponse"]["activate"] =>
    (tag, options) =>
      Effect.suspend(() => change(own(options), name, tag, options));
  const withResponse: EngineCalls["withResponse"] = {
    upload: (archive, options) => Effect.suspend(() => upload(own(options), archive, options)),
    activate: changed("activate"),
    deactivate: changed("deactivate"),
    download: changed("download"),
    list: (params, options) => Effect.suspend(() => ask("list", undefined, listRequest(params), options)),
    get: (tag, options) => ask("get", tag, messageRequest(options), options),
    status: (tag, options) => ask("status", tag, messageRequest(options), options),
  };
  const list: EngineCalls["list"] = (params, options) => Effect.map(withResponse.list(params, options), dataOf);
  return {
    withResponse,
    list,
    get: (tag, options) => Effect.map(withResponse.get(tag, options), dataOf),
    status: (tag, options) => Effect.map(withResponse.status(tag, options), dataOf),
    upload: (archive, options) => Effect.map(withResponse.upload(archive, options), dataOf),
    activate: (tag, options) => Effect.map(withResponse.activate(tag, options), dataOf),
    deactivate: (tag, options) => Effect.map(withResponse.deactivate(tag, options), dataOf),
    download: (tag, options) => Effect.map(withResponse.download(tag, options), dataOf),
    archive: (tag, options) =>
      Stream.unwrap(
        Effect.map(
          Effect.suspend(() => openArchive(own(options), tag, options)),
          (archive) => Stream.fromAsyncIterable(archive, (cause) => cause as EngineError),
        ),
      ),
    listAll: (params = {}, options) =>
      Stream.suspend(() => {
        const own = partsOfCall(parts, plainOptions(options));
        const { maxPages, maxEnginesPerPage } = own.settings.limits;
        const ask = (
          page: PageRequest,
        ): Effect.Effect<readonly [EngineListResponse, PageRequest | undefined], EngineError> =>
          list(page.params, options).pipe(
            Effect.map((answer) => [answer, nextPage(page, answer, maxEnginesPerPage)] as const),
            Effect.catch((error) => {
              const smaller = smallerPage(page, error);
              return smaller === undefined ? Effect.fail(error) : ask(smaller);
            }),
          );
        const pages = Stream.paginate({ page: firstPage(params), pages: 1 }, ({ page, pages }) =>
          pages > maxPages
            ? Effect.fail(tooManyPages(own, maxPages))
            : Effect.map(ask(page), ([answer, next]) => {
                const following = next === undefined ? undefined : { page: next, pages: pages + 1 };
                return [[answer.engines], Option.fromUndefinedOr(following)] as const;
              }),
        );
        // The next page is under way while one is used.
        return Stream.flattenIterable(Stream.buffer(pages, { capacity: 1 }));
      }),
  };
};

const dataOf = <T>(answer: Answer<T>): T => answer.data;
