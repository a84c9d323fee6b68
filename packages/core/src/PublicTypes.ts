// Types that users of every entry meet.
export type { ApiResponse } from "./ApiResponse.ts";
export type { CallOptions, Limits, Middleware } from "./ClientOptions.ts";
export type {
  EngineErrorFields,
  EngineErrorReason,
  EngineErrorTag,
  ErrorDetail,
  RetryStopped,
  UnreachableProblem,
} from "./EngineError.ts";
export type { EngineEvent } from "./EngineEvent.ts";
export type { Fetch } from "./Fetch.ts";
export type { RetryPolicy } from "./Retry.ts";
export type { ExpiringToken, TokenContext, TokenFunction, TokenOption } from "./Token.ts";
export type { HttpRequest, HttpResponse } from "./Transport.ts";
export type { FieldNumbers, OriginMemory, OriginStatus, VerificationOptions } from "./verify/SchemaVerifier.ts";
