// Promise entry.
import { engineMethods, makeEngineParts } from "./client/EngineMethods.ts";
import { promiseCalls } from "./client/PromiseCalls.ts";
import type { PromiseEngineClient } from "./client/PromiseClient.ts";
import type { ClientOptions } from "./ClientOptions.ts";
import { run } from "./Run.ts";

export type { PromiseCallOptions, PromiseEngineClient } from "./client/PromiseClient.ts";
export type { Engine, EngineArchive, EngineListResponse, EngineMessage, EngineStatus } from "./ApiResponse.ts";
export type { ClientOptions } from "./ClientOptions.ts";
export { EngineError } from "./EngineError.ts";
export type { Format } from "./MediaType.ts";
export type { ListParams, MessageParams, UploadParams, WriteCondition } from "./Parameters.ts";
export type { FetchInit, FetchResponse, ResponseHeaders } from "./Fetch.ts";
export type * from "./PublicTypes.ts";

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
