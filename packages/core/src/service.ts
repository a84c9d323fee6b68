// Clients of any service with google.api.http annotations.
export {
  createServiceClient,
  makeServiceClient,
  serviceClientLayer,
  type EffectServiceCallOptions,
  type EffectServiceClient,
  type EffectServiceClientOptions,
  type PromiseServiceCallOptions,
  type ServiceCallOptions,
  type ServiceClient,
  type ServiceClientOptions,
} from "./client/ServiceClient.ts";
export type { ServiceFormat } from "./client/HttpCall.ts";
export type { ApiResponse } from "./ApiResponse.ts";
export type { CallOptions, Limits, Middleware } from "./ClientOptions.ts";
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
export type { RetryPolicy } from "./Retry.ts";
export type { Fetch } from "./Fetch.ts";
export type { HttpResponse, HttpRequest } from "./Transport.ts";
export type { FieldNumbers, OriginMemory, OriginStatus, VerificationOptions } from "./verify/SchemaVerifier.ts";
