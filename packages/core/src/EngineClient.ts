// Client for Effect.
import * as Config from "effect/Config";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Stream from "effect/Stream";
import type { ApiResponse, Engine, EngineListResponse } from "./ApiResponse.ts";
import type { EngineParts } from "./client/EngineCalls.ts";
import { engineMethods, makeEngineParts } from "./client/EngineMethods.ts";
import type { CallOptions } from "./ClientOptions.ts";
import { orInvalid, withPartsOfCall, type ClientParts } from "./ClientParts.ts";
import { names } from "./Endpoint.ts";
import { defaultBaseUrl } from "./HttpRules.ts";
import type { EngineError as Plain } from "./EngineError.ts";
import { firstPage, readPage, tooManyPages, type ListPage } from "./Paging.ts";
import {
  effectful,
  plainOptions,
  type EngineCallOptions,
  type EngineClientOptions,
  type EngineError,
} from "./EngineOptions.ts";
import { tracing } from "./Spans.ts";
import type { EngineRpcs, ListParams, MessageParams } from "./Parameters.ts";

type Rpcs = EngineRpcs<EngineCallOptions>;

type Calls = {
  readonly [N in keyof Rpcs]: (...args: Parameters<Rpcs[N]>) => Effect.Effect<ReturnType<Rpcs[N]>, EngineError>;
};

type CallsWithResponse = {
  readonly [N in keyof Rpcs]: (
    ...args: Parameters<Rpcs[N]>
  ) => Effect.Effect<ApiResponse<ReturnType<Rpcs[N]>>, EngineError>;
};

/** The calls of the API. Every one fails with EngineError, and ends at once when its fiber is interrupted. */
export interface EngineCalls extends Calls {
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
  /**
   * The archive of an engine: at most `limits.maxArchiveBytes`, its hash checked at the end. Over https, or from this machine; the link
   * gets no token and no header of the client's. There is no deadline once bytes come, but they must come within each `attemptTimeoutMs`.
   */
  readonly archive: (
    tag: string,
    options?: EngineCallOptions & MessageParams,
  ) => Stream.Stream<Uint8Array, EngineError>;
  /** The same calls, with status, headers, media type, attempts and timings in addition to the data. */
  readonly withResponse: CallsWithResponse;
}

/** The client of the engines API as an Effect service. */
export class EngineClient extends Context.Service<EngineClient, EngineCalls>()("@bytenite-engines/core/EngineClient") {
  /** A client. Invalid options are an EngineError (InvalidArgument). */
  static readonly layer = (options: EngineClientOptions = {}): Layer.Layer<EngineClient, EngineError> => {
    const make = (): EngineCalls => makeCalls(makeEngineParts(plainOptions(options) ?? {}, tracing));
    return Layer.effect(EngineClient, orInvalid(defaultBaseUrl, make, Effect.succeed)) as Layer.Layer<
      EngineClient,
      EngineError
    >;
  };

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

const rpcNames = [...names, "delete"] satisfies ReadonlyArray<keyof Rpcs>;

const missingCalls = {
  ...Object.fromEntries(rpcNames.map((name) => [name, missing(name)])),
  ...Object.fromEntries(
    ["listAll", "listPages", "archive"].map((name) => [name, () => Stream.fromEffect(missing(name)())]),
  ),
  withResponse: Object.fromEntries(rpcNames.map((name) => [name, missing(`withResponse.${name}`)])),
} as unknown as EngineCalls;

const makeCalls = (parts: EngineParts): EngineCalls => {
  const { methods, archive } = engineMethods(parts);
  const listPages: EngineCalls["listPages"] = (params = {}, options) => {
    const plain = (): CallOptions | undefined => plainOptions(options);
    const list: ListPage = (params) =>
      orInvalid(parts.baseUrl, plain, (plain) => Effect.map(methods.list(params, plain), ({ data }) => data));
    const own = orInvalid(parts.baseUrl, plain, (plain) => withPartsOfCall(parts, plain, [], Effect.succeed));
    const pages = Stream.unwrap(Effect.map(own, (own) => pagesOf(own, params, list)));
    return pages as Stream.Stream<EngineListResponse, EngineError>;
  };
  return {
    ...(effectful(parts.baseUrl, methods) as Calls & Pick<EngineCalls, "withResponse">),
    archive: (tag, options) => {
      const plain = (): (CallOptions & MessageParams) | undefined => plainOptions(options);
      const opened = Effect.map(
        orInvalid(parts.baseUrl, plain, (plain) => archive(tag, plain)),
        (archive) => Stream.fromAsyncIterable(archive, (cause) => cause as Plain),
      );
      return Stream.unwrap(opened) as Stream.Stream<Uint8Array, EngineError>;
    },
    listPages,
    listAll: (params, options) =>
      Stream.flatMap(listPages(params, options), ({ engines }) => Stream.fromIterable(engines)),
  };
};

/** The pages of a whole list; the next one is under way while one is used. */
const pagesOf = (own: ClientParts, params: ListParams, list: ListPage): Stream.Stream<EngineListResponse, Plain> => {
  const { maxPages } = own.settings.limits;
  const pages = Stream.paginate({ page: firstPage(params), pages: 1 }, ({ page, pages }) =>
    pages > maxPages
      ? Effect.fail(tooManyPages(own, maxPages))
      : Effect.map(readPage(own, page, list), ([answer, next]) => {
          const following = next === undefined ? undefined : { page: next, pages: pages + 1 };
          return [[answer], Option.fromUndefinedOr(following)] as const;
        }),
  );
  return Stream.buffer(pages, { capacity: 1 });
};
