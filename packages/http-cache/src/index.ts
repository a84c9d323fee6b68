// Public API.
export {
  deltaSeconds,
  fieldNames,
  maxDeltaSeconds,
  parseDirectives,
  splitList,
  type Directives,
} from "./CacheControl.ts";
export type { CacheEntry } from "./CacheEntry.ts";
export type { CacheOptions, Lifetimes } from "./CacheOptions.ts";
export { cacheStatus, type CacheOutcome, type ForwardReason } from "./CacheStatus.ts";
export { isNotModified, matchesEntityTag, notModifiedFields, type Condition } from "./Conditions.ts";
export { currentAge, freshnessOf, timeToLive, usableUntil, type ExchangeTimes, type Freshness } from "./Freshness.ts";
export {
  httpCache,
  type CacheRequest,
  type CacheResponse,
  type ClientResponse,
  type EvaluateResult,
  type HttpCache,
  type Invalidation,
  type StoreResult,
  type UpdateResult,
} from "./HttpCache.ts";
export type { HeaderFields } from "./HeaderFields.ts";
export { endToEnd, hopByHopNames } from "./HopByHop.ts";
export { formatHttpDate, parseHttpDate } from "./HttpDate.ts";
export { cacheGroups, invalidatedGroups, invalidatedUrls, isUnsafe } from "./Invalidation.ts";
export {
  parseContentRange,
  parseRange,
  rangeFor,
  sliceOf,
  type ByteRange,
  type Slice,
  type StoredPart,
} from "./Range.ts";
export { requestDirectives, type RequestDirectives } from "./RequestDirectives.ts";
export { responseDirectives, type ResponseDirectives } from "./ResponseDirectives.ts";
export { errorStatuses, evaluate, mayServeDisconnected, mayServeOnError, type Evaluation } from "./Reuse.ts";
export { updateFields, withDate, withoutWithheld } from "./StoredFields.ts";
export { storingRefusal, type StorableRequest, type StoringRefusal } from "./Storing.ts";
export { confirms, confirmsByHead, hasValidator, validatingFields } from "./Validation.ts";
export { matchesVary, selectingFields, varyNames, withVary, type SelectingFields } from "./Vary.ts";
