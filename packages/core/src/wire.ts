// Entry for servers, proxies and tools, without Effect.
export { endpoints } from "./gen/endpointSchemas.ts";
export {
  matchPath,
  matchRequest,
  methodsOf,
  pathOf,
  readNames,
  type Endpoint,
  type EndpointMatch,
  type EndpointName,
  type ReadName,
} from "./Endpoint.ts";
export { compareVersions, maxNameLength, parseTag, parseVersion, type EngineTag, type Version } from "./EngineTag.ts";
export {
  basePath,
  boundedBytes,
  defaultBaseUrl,
  isLoopback,
  jwtExpiryMs,
  requestIdFrom,
  withoutBearer,
} from "./HttpRules.ts";
export { decode, encode, encodeJson } from "./Encoding.ts";
export { formatOf, mediaTypeOf, mediaTypes, type Format } from "./MediaType.ts";
export { negotiate, offered, type Representation } from "./Negotiation.ts";
export { decodeQuery, encodeQuery, QueryParameterError } from "./QueryParameters.ts";
export { httpStatusOf, rpcCodeOf, rpcCodeOfHttp, rpcCodes, type RpcCode } from "./RpcCode.ts";
export { canonicalForm, schemaDigest, schemaDigestHeader } from "./SchemaDigest.ts";
export { schemaDigests } from "./gen/schemaDigests.ts";
export { decodeJson, maxJsonDepth, type DecodedJson } from "./JsonReader.ts";
export { parseTimestamp } from "./Timestamp.ts";
export { closest, didYouMean } from "./Suggestion.ts";
export { decideRetry, defaultRetryPolicy, type RetryDecision, type RetryPolicy, type RetrySituation } from "./Retry.ts";
export { RetryBudget, retryCost } from "./RetryBudget.ts";
export { retryAfterMs } from "./RetryHint.ts";
