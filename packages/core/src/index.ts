// The client, for users.
export { EngineClient, type EngineCalls } from "./EngineClient.ts";
export type {
  EngineCallOptions,
  EffectRetryPolicy,
  EngineClientOptions,
  RedactedExpiringToken,
  RedactedTokenOption,
} from "./EngineOptions.ts";
export { EngineError } from "./EngineOptions.ts";
export type { Engine, EngineArchive, EngineListResponse, EngineMessage, EngineStatus } from "./ApiResponse.ts";
export type { ClientOptions } from "./ClientOptions.ts";
export { defaultBaseUrl } from "./HttpRules.ts";
export type { ListParams, MessageParams, UploadParams, WriteCondition } from "./Parameters.ts";
export type { FetchInit, FetchResponse, ResponseHeaders } from "./Fetch.ts";
export type * from "./PublicTypes.ts";
// For those who build on it.
export * from "./wire.ts";
