// Clients of services with google.api.http annotations.
import type {
  DescMessage,
  DescMethod,
  DescMethodUnary,
  DescService,
  MessageInitShape,
  MessageShape,
  Registry,
} from "@bufbuild/protobuf";
import type * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import type { ApiResponse } from "../ApiResponse.ts";
import type { CallOptions, ClientOptions } from "../ClientOptions.ts";
import { invalidOptions, makeClientParts, orInvalid, withPartsOfCall } from "../ClientParts.ts";
import { promised, type Caller } from "../Run.ts";
import { tracing } from "../Spans.ts";
import type { EngineError } from "../EngineError.ts";
import { assertObject, assertOptionTypes, booleanRule, hasMethods, type OptionRule } from "../OptionNames.ts";
import { effectful, plainOptions, type EngineCallOptions } from "../EngineOptions.ts";
import { serviceCodec } from "./MessageCodec.ts";
import type { ServiceFormat } from "./HttpCall.ts";
import { callService, type ServiceMethod } from "./ServiceCall.ts";
import { serviceMethod } from "./ServiceMethod.ts";
import { receiver } from "./VerifiedResponse.ts";

/** Options of one call of a service. */
export interface ServiceCallOptions extends Omit<CallOptions, "format"> {
  /**
   * What travels: `json` (default); `protobuf`, for services whose schema is surely yours; `verify`, which is JSON, but answers to GET
   * in protobuf where the server names the same schema.
   */
  readonly format?: ServiceFormat | undefined;
  /**
   * Whether the call may be sent again although it may have been carried out. Default: GET, OPTIONS, PUT, DELETE, and
   * rpcs with an `idempotency_level`. Others are sent again only after 429 or 503 with a time to wait, and where no connection
   * came about.
   */
  readonly idempotent?: boolean | undefined;
}

/** Options of a client of a service. */
export interface ServiceClientOptions extends ServiceCallOptions, Pick<ClientOptions, "protobufVerification"> {
  /** Base URL of the service; paths of the annotations are below it. */
  readonly baseUrl: string | URL;
  /** Further types for Any and extensions in JSON; those that the service's files import are known. */
  readonly registry?: Registry | undefined;
}

/** Options of one call, with the signal that ends it. */
export interface PromiseServiceCallOptions extends ServiceCallOptions {
  /** Ends the call at once: in the request, in the body, in the wait between two requests. */
  readonly signal?: AbortSignal | undefined;
}

type IsUnary<M> = M extends { readonly methodKind: "unary" } ? true : never;

/** The rpcs that can be called, the unary ones, by the names of their methods. */
type Unary<S extends DescService> = {
  [N in keyof S["method"] as true extends IsUnary<S["method"][N]> ? MethodName<N> : never]: S["method"][N];
};

/** The local name of an rpc; with a `$` where a client means something else by it, as protobuf-es does. */
type MethodName<N> = N extends "then" | "withResponse" ? `${N}$` : N;
const methodName = (name: string): string => (name === "then" || name === "withResponse" ? `${name}$` : name);

type InitOf<M> = M extends DescMethodUnary<infer I extends DescMessage> ? MessageInitShape<I> : never;
type ShapeOf<M> = M extends DescMethodUnary<DescMessage, infer O extends DescMessage> ? MessageShape<O> : never;

/** The rpcs as methods. Each rejects with EngineError; with the signal's reason once that is aborted. */
export type ServiceCalls<S extends DescService> = {
  readonly [N in keyof Unary<S>]: (
    request?: InitOf<Unary<S>[N]>,
    options?: PromiseServiceCallOptions,
  ) => Promise<ShapeOf<Unary<S>[N]>>;
};

/** A client of a service. `withResponse`: the same calls, with status, headers, media type, attempts and timings in addition to the data. */
export type ServiceClient<S extends DescService> = ServiceCalls<S> & {
  readonly withResponse: {
    readonly [N in keyof Unary<S>]: (
      ...args: Parameters<ServiceCalls<S>[N]>
    ) => Promise<ApiResponse<ShapeOf<Unary<S>[N]>>>;
  };
};

/** Options of one call in Effect. */
export interface EffectServiceCallOptions
  extends
    Omit<ServiceCallOptions, "token" | "retry">,
    Pick<EngineCallOptions, "token" | "retry" | "attemptTimeout" | "deadline"> {}

/** Options of a client in Effect. */
export interface EffectServiceClientOptions
  extends EffectServiceCallOptions, Pick<ServiceClientOptions, "baseUrl" | "registry" | "protobufVerification"> {
  readonly baseUrl: string | URL;
}

/** The rpcs as effects; each ends at once when its fiber is interrupted. */
export type EffectServiceCalls<S extends DescService> = {
  readonly [N in keyof Unary<S>]: (
    request?: InitOf<Unary<S>[N]>,
    options?: EffectServiceCallOptions,
  ) => Effect.Effect<ShapeOf<Unary<S>[N]>, EngineError>;
};

/** A client of a service in Effect. `withResponse`: as that of ServiceClient. */
export type EffectServiceClient<S extends DescService> = EffectServiceCalls<S> & {
  readonly withResponse: {
    readonly [N in keyof Unary<S>]: (
      ...args: Parameters<EffectServiceCalls<S>[N]>
    ) => Effect.Effect<ApiResponse<ShapeOf<Unary<S>[N]>>, EngineError>;
  };
};

/** What the options must be that the engines API has not, or has otherwise. */
const serviceRules: Readonly<Record<string, OptionRule>> = {
  format: ['"json", "protobuf" or "verify"', (value) => ["json", "protobuf", "verify"].includes(value as string)],
  idempotent: booleanRule,
  registry: ["what createRegistry(...) gives", (value) => hasMethods(value, "getMessage")],
};

/** Options besides those of every client, and of every call. */
const clientNames = ["idempotent", "registry", "protobufVerification"];
const callNames = ["idempotent", "signal"];

/** How each rpc is called; rules are read when one is called for the first time. */
const callersOf = (
  service: DescService,
  options: ServiceClientOptions,
): Readonly<Record<string, Caller<ServiceCallOptions>>> => {
  assertObject(options);
  const { format: defaultFormat = "json", registry, idempotent, baseUrl, protobufVerification, ...rest } = options;
  if (baseUrl === undefined) throw new TypeError("baseUrl must be given: the base URL of the service");
  assertOptionTypes(options, serviceRules);
  const parts = makeClientParts({ ...rest, baseUrl, format: "json" }, clientNames, tracing);
  const receive = receiver(protobufVerification);
  const codec = serviceCodec(service, registry);
  const callerOf = (descriptor: DescMethod): Caller<ServiceCallOptions> => {
    let known: ServiceMethod | undefined;
    return (request, callOptions) => {
      // A format of services is none of the engines API.
      const { format = defaultFormat, idempotent: repeats = idempotent, ...others } = callOptions ?? {};
      const method = (known ??= serviceMethod(descriptor));
      const isObject = typeof callOptions === "object" && callOptions !== null && !Array.isArray(callOptions);
      return withPartsOfCall(parts, (isObject ? others : callOptions) as CallOptions | undefined, callNames, (own) => {
        try {
          assertOptionTypes({ format, idempotent: repeats }, serviceRules);
        } catch (cause) {
          return Effect.fail(invalidOptions(own.baseUrl, cause));
        }
        return callService(own, { method, codec, receive, format, idempotent: repeats }, request);
      });
    };
  };
  return Object.fromEntries(
    service.methods.map((descriptor) => [methodName(descriptor.localName), callerOf(descriptor)]),
  );
};

/**
 * A client of a service: a method for each rpc, by its local name (`GetBook` is `getBook`; `Then` and `WithResponse` get a `$`). Throws TypeError or RangeError for
 * invalid options, with the option's name. A streaming rpc, and one without a rule, rejects with TypeError when it is
 * called.
 */
export const createServiceClient = <S extends DescService>(
  service: S,
  options: ServiceClientOptions,
): ServiceClient<S> => promised(callersOf(service, options)) as ServiceClient<S>;

/**
 * The same client in Effect. Invalid options are an EngineError (InvalidArgument). A streaming rpc, and one without a rule, dies with TypeError
 * when it is called.
 */
export const makeServiceClient = <S extends DescService>(
  service: S,
  options: EffectServiceClientOptions,
): Effect.Effect<EffectServiceClient<S>, EngineError> => {
  const url = String(Object(options).baseUrl);
  const make = (): object => effectful(url, callersOf(service, plainOptions(options) as ServiceClientOptions));
  return orInvalid(url, make, Effect.succeed) as Effect.Effect<EffectServiceClient<S>, EngineError>;
};

/**
 * A layer of a client, under a key of yours:
 * `class Library extends Context.Service<Library, EffectServiceClient<typeof LibraryService>>()("Library") {}` and
 * `serviceClientLayer(Library, LibraryService, { baseUrl })`. Fails as `makeServiceClient` does.
 */
export const serviceClientLayer = <Identifier, S extends DescService>(
  key: Context.Key<Identifier, EffectServiceClient<S>>,
  service: S,
  options: EffectServiceClientOptions,
): Layer.Layer<Identifier, EngineError> => Layer.effect(key, makeServiceClient(service, options));
