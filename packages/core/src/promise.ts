// Decides: what the client is to everybody who does not use Effect.
import type { Engine, EngineListResponse, EngineMessage } from "@bytenite-engines/proto";
import type { Answer, RequestOf, ResponseOf } from "./Answer.ts";
import { prepare } from "./Calls.ts";
import type { CallOptions, ClientOptions } from "./ClientOptions.ts";
import { makeClientParts, partsOfCall, type ClientParts } from "./ClientParts.ts";
import { sendDirectly } from "./DirectCall.ts";
import type { EndpointName } from "./Endpoint.ts";
import { EngineError } from "./EngineError.ts";
import { nextPage, tooManyPages } from "./Paging.ts";
import {
  listRequest,
  messageRequest,
  type InvalidParameter,
  type ListParams,
  type MessageParams,
} from "./Parameters.ts";

export type { Engine, EngineListResponse, EngineMessage } from "@bytenite-engines/proto";
export type { Answer } from "./Answer.ts";
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
export type { ListParams, MessageParams } from "./Parameters.ts";
export type { RetryPolicy } from "./Retry.ts";
export type { ExchangeAnswer, ExchangeRequest, Fetch, FetchInit, FetchResponse, ResponseHeaders } from "./Transport.ts";

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
  /** All engines from `offset` on, a page at a time, each asked for when it is needed. */
  listAll(params?: ListParams, options?: PromiseCallOptions): AsyncIterable<Engine>;
  /** One engine: `name`, `name@major` or `name@major.minor`. */
  get(tag: string, options?: MessageOptions): Promise<Engine>;
  /** The status of one engine. */
  status(tag: string, options?: MessageOptions): Promise<EngineMessage>;
  /** The same calls, with status, headers, media type, attempts and timings beside the data. */
  readonly withResponse: {
    list(params?: ListParams, options?: PromiseCallOptions): Promise<Answer<EngineListResponse>>;
    get(tag: string, options?: MessageOptions): Promise<Answer<Engine>>;
    status(tag: string, options?: MessageOptions): Promise<Answer<EngineMessage>>;
  };
}

/** A client. Throws TypeError or RangeError for options that cannot be, with the option's name. */
export const createEngineClient = (options: ClientOptions = {}): PromiseEngineClient => {
  const parts = makeClientParts(options);
  const withResponse: PromiseEngineClient["withResponse"] = {
    list: async (params, options) => ask(parts, "list", undefined, listRequest(params), options, whole),
    get: (tag, options) => ask(parts, "get", tag, messageRequest(options), options, whole),
    status: (tag, options) => ask(parts, "status", tag, messageRequest(options), options, whole),
  };
  const list: PromiseEngineClient["list"] = async (params, options) =>
    ask(parts, "list", undefined, listRequest(params), options, dataOf);
  return {
    withResponse,
    list,
    get: (tag, options) => ask(parts, "get", tag, messageRequest(options), options, dataOf),
    status: (tag, options) => ask(parts, "status", tag, messageRequest(options), options, dataOf),
    listAll: async function* (params = {}, options) {
      const own = partsOfCall(parts, options);
      const { maxPages } = own.settings.limits;
      let page: ListParams | undefined = params;
      for (let pages = 0; page !== undefined; pages++) {
        if (pages >= maxPages) throw tooManyPages(own, maxPages);
        const answer: EngineListResponse = await list(page, options);
        yield* answer.engines;
        page = nextPage(page, answer);
      }
    },
  };
};

const whole = <T>(answer: Answer<T>): Answer<T> => answer;
const dataOf = <T>(answer: Answer<T>): T => answer.data;

const ask = async <N extends EndpointName, A>(
  parts: ClientParts,
  name: N,
  tag: string | undefined,
  request: RequestOf<N> | InvalidParameter | undefined,
  options: PromiseCallOptions | undefined,
  part: (answer: Answer<ResponseOf<N>>) => A,
): Promise<A> => {
  const signal = options?.signal;
  signal?.throwIfAborted();
  const prepared = prepare(partsOfCall(parts, options), name, tag, request);
  if (prepared instanceof EngineError) throw prepared;
  return part(await sendDirectly(prepared, signal));
};
