// Promise entry.
import { engineMethods, makeEngineParts } from "./client/EngineMethods.ts";
import { promiseCalls } from "./client/PromiseCalls.ts";
import type { PromiseEngineClient } from "./client/PromiseClient.ts";
import type { ClientOptions } from "./ClientOptions.ts";
import { run } from "./Run.ts";

export type { PromiseCallOptions, PromiseEngineClient } from "./client/PromiseClient.ts";
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

/**
 * Creates a client. Invalid options throw TypeError or RangeError with the option's name; invalid options of a call reject
 * with EngineError (InvalidArgument).
 */
export const createEngineClient = (options: ClientOptions = {}): PromiseEngineClient => {
  const parts = makeEngineParts(options);
  const { methods, archive } = engineMethods(parts, ["signal"]);
  return {
    ...promiseCalls(parts, methods),
    archive: (tag, options) => run(archive(tag, options), options?.signal),
  };
};
