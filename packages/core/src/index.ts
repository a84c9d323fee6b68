// The client, for users.
export { EngineClient, type EngineCalls } from "./EngineClient.ts";
export type {
  EngineCallOptions,
  EffectRetryPolicy,
  EngineClientOptions,
  RedactedExpiringToken,
  RedactedTokenOption,
} from "./EngineOptions.ts";
export { EngineError } from "./YieldableError.ts";
export type {
  EngineErrorFields,
  EngineErrorReason,
  EngineErrorTag,
  RetryStopped,
  ErrorDetail,
  UnreachableProblem,
} from "./EngineError.ts";
export type {
  ApiResponse,
  Engine,
  EngineArchive,
  EngineListResponse,
  EngineMessage,
  EngineStatus,
} from "./ApiResponse.ts";
export { type CallOptions, type ClientOptions, type Limits, type Middleware } from "./ClientOptions.ts";
export { defaultBaseUrl } from "./HttpRules.ts";
export type { ExpiringToken, TokenContext, TokenFunction, TokenOption } from "./Token.ts";
export type { EngineEvent } from "./EngineEvent.ts";
export type { ListParams, MessageParams, UploadParams, WriteCondition } from "./Parameters.ts";
export type { RetryPolicy } from "./Retry.ts";
export type { Fetch, FetchInit, FetchResponse, ResponseHeaders } from "./Fetch.ts";
export type { HttpResponse, HttpRequest } from "./Transport.ts";
// For those who build on it.
export * from "./wire.ts";
export type { FieldNumbers, OriginMemory, OriginStatus, VerificationOptions } from "./verify/SchemaVerifier.ts";
