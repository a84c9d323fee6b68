// Client for Effect.
import * as Config from "effect/Config";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Stream from "effect/Stream";
import type { ApiResponse, Engine, EngineListResponse, EngineMessage } from "./ApiResponse.ts";
import { dataOf, engineMethods, methodsBy, type AnyMethod, type MethodName } from "./client/EngineMethods.ts";
import { defaultBaseUrl, type CallOptions } from "./ClientOptions.ts";
import { invalidOptions, makeClientParts, withPartsOfCall, type ClientParts } from "./ClientParts.ts";
import type { EngineError as Plain } from "./EngineError.ts";
import type { EngineError } from "./YieldableError.ts";
import { endedEarly, firstPage, nextPage, smallerPage, tooManyPages, type PageRequest } from "./Paging.ts";
import { plainOptions, withPlainOptions, type EngineCallOptions, type EngineClientOptions } from "./EngineOptions.ts";
import { tracing } from "./Spans.ts";
import type { ListParams, MessageParams, UploadParams, WriteCondition } from "./Parameters.ts";

/** The calls of the API. Every one fails with EngineError, and ends at once when its fiber is interrupted. */
export interface EngineCalls {
  /** One page of engines. */
  readonly list: (params?: ListParams, options?: EngineCallOptions) => Effect.Effect<EngineListResponse, EngineError>;
  /**
   * All engines from `offset` on, a page at a time; the next page is read while one is used. The deadline bounds each page, not the
   * whole list.
   */
  readonly listAll: (params?: ListParams, options?: EngineCallOptions) => Stream.Stream<Engine, EngineError>;
  /** The pages of `listAll`. */
  readonly listPages: (
    params?: ListParams,
    options?: EngineCallOptions,
  ) => Stream.Stream<EngineListResponse, EngineError>;
  /** One engine: `name`, `name@major` or `name@major.minor`. */
  readonly get: (tag: string, options?: EngineCallOptions & MessageParams) => Effect.Effect<Engine, EngineError>;
  /** The status of one engine. */
  readonly status: (
    tag: string,
    options?: EngineCallOptions & MessageParams,
  ) => Effect.Effect<EngineMessage, EngineError>;
  /**
   * Uploads the archive of an engine (a tar file, plain or gzip, with its manifest). A name and version that exist are overwritten.
   * After a failure without a response, the engine under `tag` is read and compared by hash and revision before a retry.
   */
  readonly upload: (
    archive: Uint8Array,
    options?: EngineCallOptions & UploadParams,
  ) => Effect.Effect<Engine, EngineError>;
  /** Activates an engine. Idempotent. */
  readonly activate: ChangeCall<EngineMessage>;
  /** Deactivates an engine. Idempotent. */
  readonly deactivate: ChangeCall<EngineMessage>;
  /** A link to the archive of an engine, in `engineLink`: valid for minutes, without further credentials. */
  readonly download: ChangeCall<EngineMessage>;
  /**
   * The archive of an engine: at most `limits.maxArchiveBytes`, its hash checked at the end. Over https, or from this machine; the link
   * gets no token and no header of the client's. There is no deadline once bytes come, but they must come within each `attemptTimeoutMs`.
   */
  readonly archive: (
    tag: string,
    options?: EngineCallOptions & MessageParams,
  ) => Stream.Stream<Uint8Array, EngineError>;
  /**
   * Deletes one version (`name@major.minor`), with its archive. An extension of our registry: other servers may answer `Unimplemented`.
   * Where an earlier request of the call may have done it, `NotFound` is a success.
   */
  readonly delete: (
    tag: string,
    options?: EngineCallOptions & WriteCondition,
  ) => Effect.Effect<EngineMessage, EngineError>;
  /** The same calls, with status, headers, media type, attempts and timings in addition to the data. */
  readonly withResponse: {
    readonly upload: (
      archive: Uint8Array,
      options?: EngineCallOptions & UploadParams,
    ) => Effect.Effect<ApiResponse<Engine>, EngineError>;
    readonly activate: ChangeCall<ApiResponse<EngineMessage>>;
    readonly deactivate: ChangeCall<ApiResponse<EngineMessage>>;
    readonly download: ChangeCall<ApiResponse<EngineMessage>>;
    readonly delete: (
      tag: string,
      options?: EngineCallOptions & WriteCondition,
    ) => Effect.Effect<ApiResponse<EngineMessage>, EngineError>;
    readonly list: (
      params?: ListParams,
      options?: EngineCallOptions,
    ) => Effect.Effect<ApiResponse<EngineListResponse>, EngineError>;
    readonly get: (
      tag: string,
      options?: EngineCallOptions & MessageParams,
    ) => Effect.Effect<ApiResponse<Engine>, EngineError>;
    readonly status: (
      tag: string,
      options?: EngineCallOptions & MessageParams,
    ) => Effect.Effect<ApiResponse<EngineMessage>, EngineError>;
  };
}

type ChangeCall<A> = (
  tag: string,
  options?: EngineCallOptions & MessageParams & WriteCondition,
) => Effect.Effect<A, EngineError>;

/** The client of the engines API as an Effect service. */
export class EngineClient extends Context.Service<EngineClient, EngineCalls>()("@bytenite-engines/core/EngineClient") {
  /** A client. Invalid options are an EngineError (InvalidArgument). */
  static readonly layer = (options: EngineClientOptions = {}): Layer.Layer<EngineClient, EngineError> =>
    Layer.effect(
      EngineClient,
      Effect.suspend(() => {
        try {
          return Effect.succeed(EngineClient.of(makeCalls(makeClientParts(plainOptions(options) ?? {}, tracing))));
        } catch (cause) {
          return Effect.fail(invalidOptions(defaultBaseUrl, cause) as EngineError);
        }
      }),
    );

  /** A client whose options come from configuration: `layerConfig({ token: Config.Redacted("BYTENITE_TOKEN") })`. */
  static readonly layerConfig = (
    options: Config.Wrap<EngineClientOptions>,
  ): Layer.Layer<EngineClient, EngineError | Config.ConfigError> =>
    Layer.unwrap(Effect.map(Config.unwrap(options), (options) => EngineClient.layer(options)));

  /** A client for tests with the given calls; any other call dies with its name. */
  static readonly layerTest = (calls: Partial<EngineCalls>): Layer.Layer<EngineClient> =>
    Layer.succeed(EngineClient, EngineClient.of({ ...missingCalls, ...calls }));
}

const missing = (call: string) => (): Effect.Effect<never> =>
  Effect.die(new Error(`EngineClient.layerTest was not given the call ${call}`));

const missingCalls = {
  ...methodsBy<EngineCalls>(missing),
  listAll: () => Stream.fromEffect(missing("listAll")()),
  listPages: () => Stream.fromEffect(missing("listPages")()),
  archive: () => Stream.fromEffect(missing("archive")()),
  withResponse: methodsBy<EngineCalls["withResponse"]>((name) => missing(`withResponse.${name}`)),
} as EngineCalls;

const makeCalls = (parts: ClientParts): EngineCalls => {
  const methods = engineMethods(parts);
  const within = <A>(
    options: EngineCallOptions | undefined,
    call: (plain: CallOptions | undefined) => Effect.Effect<A, Plain>,
  ): Effect.Effect<A, Plain> => withPlainOptions(parts.baseUrl, options, call);
  const answer = (name: MethodName, subject: unknown, options: EngineCallOptions | undefined) =>
    within(options, (plain) => (methods[name] as AnyMethod<CallOptions>)(subject as never, plain));
  const listPages: EngineCalls["listPages"] = (params, options) =>
    Stream.unwrap(
      Effect.map(
        within(options, (plain) => withPartsOfCall(parts, plain, [], (own) => Effect.succeed(own))),
        (own) =>
          pagesOf(own, params ?? {}, (page) =>
            within(options, (plain) => Effect.map(methods.list(page.params, plain), dataOf)),
          ),
      ),
    ) as Stream.Stream<EngineListResponse, EngineError>;
  return {
    ...methodsBy<EngineCalls>(
      (name) => (subject: unknown, options?: EngineCallOptions) => Effect.map(answer(name, subject, options), dataOf),
    ),
    withResponse: methodsBy<EngineCalls["withResponse"]>(
      (name) => (subject: unknown, options?: EngineCallOptions) => answer(name, subject, options),
    ),
    archive: (tag, options) =>
      Stream.unwrap(
        Effect.map(
          within(options, (plain) => methods.archive(tag, plain)),
          (archive) => Stream.fromAsyncIterable(archive, (cause) => cause as Plain),
        ),
      ) as Stream.Stream<Uint8Array, EngineError>,
    listPages,
    listAll: (params, options) =>
      Stream.flatMap(listPages(params, options), ({ engines }) => Stream.fromIterable(engines)),
  };
};

/** The pages of a whole list; the next one is under way while one is used. */
const pagesOf = (
  own: ClientParts,
  params: ListParams,
  read: (page: PageRequest) => Effect.Effect<EngineListResponse, Plain>,
): Stream.Stream<EngineListResponse, Plain> => {
  const { maxPages, maxEnginesPerPage } = own.settings.limits;
  const ask = (page: PageRequest): Effect.Effect<readonly [EngineListResponse, PageRequest | undefined], Plain> =>
    read(page).pipe(
      Effect.flatMap((answer) => {
        const early = endedEarly(own, page, answer);
        return early === undefined
          ? Effect.succeed([answer, nextPage(page, answer, maxEnginesPerPage)] as const)
          : Effect.fail(early);
      }),
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
          return [[answer], Option.fromUndefinedOr(following)] as const;
        }),
  );
  return Stream.buffer(pages, { capacity: 1 });
};
